import { oneRow } from "../../shared/db/database.ts";
import { type MessageRow, messageColumns, roomOf, seenByCount, unseenCount } from "../../shared/db/message-row.ts";
import { assertMayInRoom, roomNotFound } from "../../shared/policies.ts";
import { linkHeader } from "../http/links.ts";
import type { Scope } from "../http/route.ts";
import { isoTime } from "../http/schemas.ts";
import { presentMessage } from "../messages/present.ts";
import { offsetOf } from "../realtime/offsets.ts";
import { newestInRoom, newestInRoomsOf, newestOfAll } from "../replicas/newest.ts";
import { readList } from "../replicas/read-list.ts";
import type { ListRooms, RoomView } from "./schemas.ts";

interface RoomRow {
  id: number;
  kind: "direct" | "group";
  name: string | null;
  is_public: boolean;
  created_at: string;
  last_pos: number;
  last_seq: number;
  read_seq: number;
  unseen_count: number;
  last_message: MessageRow | null;
  members: { id: number; username: string; role: "owner" | "member"; read_seq: number; joined_at: string }[];
}

interface PublicRoomRow {
  id: number;
  name: string;
  member_count: number;
}

/** My rooms, the one with the newest message first. */
export async function listMyRooms({ limit, after }: ListRooms, { caller, deps }: Scope) {
  const [pos, id] = (after ?? "").split("-").map(Number);
  const parameters = [caller.id, after === undefined ? null : pos, id ?? 0, limit + 1];
  const list = { sql: myRoomsSql, parameters, newest: newestInRoomsOf(caller.id) };
  const row = await readList<{ epoch: string; head: number; rooms: RoomRow[] }>(list, deps);
  const { epoch, head, rooms: found } = row!;
  const page = found.slice(0, limit);
  const last = page.at(-1);
  const next = found.length > limit && last ? `${last.last_pos}-${last.id}` : null;
  const shown = page.map(({ last_message }) => last_message).filter((message) => message !== null);
  deps.deliveries.ofPage(shown, caller.id);
  return {
    body: { rooms: page.map((room) => present(room, caller.id)), next },
    headers: {
      "Stream-Next-Offset": offsetOf(epoch, head),
      ...linkHeader({ next: next ? `after=${next}&limit=${limit}` : undefined }),
    },
  };
}

export async function listPublicRooms({ limit, after }: ListRooms, deps: Pick<Scope["deps"], "em" | "replicas">) {
  const parameters = [Number.parseInt(after ?? "0", 10), limit + 1];
  const list = { sql: publicRoomsSql, parameters, newest: newestOfAll };
  const { rooms: found } = (await readList<{ rooms: PublicRoomRow[] }>(list, deps))!;
  const page = found.slice(0, limit);
  const next = found.length > limit ? String(page.at(-1)!.id) : null;
  return {
    body: { rooms: page, next },
    headers: linkHeader({ next: next ? `scope=public&after=${next}&limit=${limit}` : undefined }),
  };
}

/** A room for its members; for others it is 404, or 403 where they may know of it. */
export async function readRoom(roomId: number, scope: Scope): Promise<RoomView> {
  const { caller, deps } = scope;
  const newest = newestInRoom("id", roomId, caller.id);
  return orRefuse(
    await readList<RoomRow>({ sql: myRoomSql, parameters: [caller.id, roomId], newest }, deps),
    roomId,
    scope,
  );
}

/** For whoever has just changed it: no replica can have heard of that yet. */
export async function getRoom(roomId: number, scope: Scope): Promise<RoomView> {
  const { caller, deps } = scope;
  return orRefuse(await oneRow<RoomRow>(deps.em, myRoomSql, [caller.id, roomId]), roomId, scope);
}

async function orRefuse(room: RoomRow | undefined, roomId: number, { caller, deps }: Scope): Promise<RoomView> {
  if (room?.last_message) deps.deliveries.ofPage([room.last_message], caller.id);
  if (room) return present(room, caller.id);
  const standing = await deps.directory.standing(roomId, caller.id);
  assertMayInRoom("read", roomId, standing && { ...standing, role: undefined });
  throw roomNotFound(roomId);
}

/** Whatever comes from the database or from a view of it: one shape. */
const present = (room: RoomRow, viewerId: number): RoomView => ({
  id: room.id,
  kind: room.kind,
  name: room.name,
  is_public: room.is_public,
  created_at: isoTime(room.created_at),
  last_message: room.last_message && presentMessage(room.last_message, viewerId),
  unseen_count: room.unseen_count,
  read_seq: room.read_seq,
  last_seq: room.last_seq,
  members: room.members.map((member) => ({ ...member, joined_at: isoTime(member.joined_at) })),
});

/** The rooms of user $1, each with all that a list shows of it: look-ups by key, one statement for all rooms. */
const roomSql = `
  select r.id, r.kind, r.name, r.is_public, r.created_at, r.last_pos, r.last_seq, me.read_seq,
    ${unseenCount({ user: "$1", room: "r.id", readSeq: "me.read_seq", lastSeq: "r.last_seq" })} as unseen_count,
    (select to_jsonb(one) from (
      select ${messageColumns}, ${seenByCount} from messages m join users u on u.id = m.sender_id
      where m.id = r.last_message_id) one) as last_message,
    (select jsonb_agg(jsonb_build_object(
        'id', u.id, 'username', u.username, 'role', x.role, 'read_seq', x.read_seq, 'joined_at', x.joined_at)
        order by u.id)
      from members x join users u on u.id = x.user_id where x.room_id = r.id) as members
  from members me cross join lateral ${roomOf("me.room_id")} r where me.user_id = $1`;

const myRoomSql = `${roomSql} and me.room_id = $2`;

export const myRoomsSql = `
  select h.epoch, h.head, coalesce((
    select jsonb_agg(to_jsonb(one) order by one.last_pos desc, one.id desc)
    from (${roomSql} and ($2::bigint is null or (r.last_pos, r.id) < ($2, $3))
          order by r.last_pos desc, r.id desc limit $4) one
  ), '[]') as rooms
  from log_head h`;

const publicRoomsSql = `
  select coalesce(jsonb_agg(to_jsonb(one) order by one.id), '[]') as rooms
  from (
    select r.id, r.name, (select count(*) from members m where m.room_id = r.id) as member_count
    from rooms r where r.is_public and r.id > $1 order by r.id limit $2
  ) one`;
