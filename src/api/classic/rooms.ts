import { rows } from "../../shared/db/database.ts";
import { AppError } from "../../shared/errors.ts";
import { roomNotFound } from "../../shared/policies.ts";
import type { ApiDeps } from "../deps.ts";
import type { Scope } from "../http/route.ts";
import type { ClassicRoom } from "./present.ts";

const roomSql = `
  select r.id, r.kind, r.name, (
    select coalesce(jsonb_agg(
      jsonb_build_object('id', u.id, 'username', u.username, 'read_seq', m.read_seq) order by u.id), '[]')
    from members m join users u on u.id = m.user_id where m.room_id = r.id
  ) as members
  from rooms r`;

/** Every room that the user is in, direct ones included, by id. */
export const roomsOf = (userId: number, { em }: ApiDeps): Promise<ClassicRoom[]> =>
  rows(em, `${roomSql} join members me on me.room_id = r.id and me.user_id = $1 order by r.id`, [userId]);

/** Names of groups for everybody: what is private does not show. */
export const publicRooms = (em: ApiDeps["em"]): Promise<{ id: number; room_name: string }[]> =>
  rows(em, "select id, name as room_name from rooms where is_public order by id");

export async function publicRoom(id: number, { em }: ApiDeps): Promise<{ id: number; room_name: string }> {
  const [room] = await rows<{ id: number; room_name: string }>(
    em,
    "select id, name as room_name from rooms where is_public and id = $1",
    [id],
  );
  if (!room) throw roomNotFound(id);
  return room;
}

export async function roomWithMembers(id: number, { em }: ApiDeps): Promise<ClassicRoom> {
  const [room] = await rows<ClassicRoom>(em, `${roomSql} where r.id = $1`, [id]);
  if (!room) throw roomNotFound(id);
  return room;
}

/** To somebody who is not in it a room is not there, public or not. */
export async function roomForMember(id: number, { caller, deps }: Scope): Promise<ClassicRoom> {
  const room = await roomWithMembers(id, deps);
  if (isIn(room, caller.id)) return room;
  throw new AppError("room_not_found", "Membership matching query does not exist.");
}

export const isIn = (room: ClassicRoom, userId: number): boolean => room.members.some(({ id }) => id === userId);
