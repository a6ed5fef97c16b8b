import { oneRow, rows } from "../../shared/db/database.ts";
import { type MessageRow, messageColumns, pointersOf, seenByCountAmong } from "../../shared/db/message-row.ts";
import { AppError } from "../../shared/errors.ts";
import { roomNotFound } from "../../shared/policies.ts";
import type { ApiDeps } from "../deps.ts";
import { isoTime, isoTimeOrNull } from "../http/schemas.ts";
import { presentMessage } from "../messages/present.ts";
import { escapeLike } from "../users/list-users.ts";
import type { AdminRoomView, ListAdminRooms } from "./schemas.ts";

interface AdminRoomRow {
  readonly id: number;
  readonly kind: "direct" | "group";
  readonly name: string | null;
  readonly is_public: boolean;
  readonly created_at: string;
  readonly last_seq: number;
  readonly last_message_at: string | null;
  readonly member_count: number;
  readonly members: { id: number; username: string; role: "owner" | "member"; joined_at: string }[];
}

/** Every room, the newest first, with its owner, and who has been in it longest: of a direct room that is both. */
export async function listAdminRooms({ q, kind, member_id, limit, after }: ListAdminRooms, { em }: ApiDeps) {
  const found = await rows<AdminRoomRow>(em, listSql, [
    after ?? null,
    limit + 1,
    q ? `%${escapeLike(q)}%` : null,
    q && /^\d{1,15}$/.test(q) ? q : null,
    kind ?? null,
    member_id ?? null,
  ]);
  const rooms = found.slice(0, limit).map(present);
  return { rooms, next: found.length > limit ? String(rooms.at(-1)!.id) : null };
}

export async function getAdminRoom(id: number, { em }: ApiDeps): Promise<AdminRoomView> {
  const row = await oneRow<AdminRoomRow>(em, `${roomSql(200)} where r.id = $1`, [id]);
  if (!row) throw roomNotFound(id);
  return present(row);
}

/** What is said in a group, for who has to decide what stays. What two people say to each other is not shown. */
export async function listGroupMessages(
  roomId: number,
  { before, limit }: { before?: string | undefined; limit: number },
  deps: ApiDeps,
) {
  const room = await oneRow<Pick<AdminRoomRow, "kind">>(deps.em, "select kind from rooms where id = $1", [roomId]);
  if (!room) throw roomNotFound(roomId);
  if (room.kind === "direct")
    throw new AppError("room_is_direct", "What two people say to each other is not shown here");
  const found = await rows<MessageRow>(deps.em, messagesSql, [roomId, before ?? null, limit + 1]);
  const messages = found.slice(0, limit).map((row) => presentMessage(row, undefined));
  return { messages, next: found.length > limit ? messages.at(-1)!.id : null };
}

/** A message that somebody has reported: where and by whom it was said, and in a group also what. */
export async function getReported(id: string, { em }: ApiDeps) {
  const row = await oneRow<MessageRow & { kind: "direct" | "group"; room_name: string | null }>(
    em,
    `select ${messageColumns}, 0 as seen_by_count, r.kind, r.name as room_name
     from messages m join users u on u.id = m.sender_id join rooms r on r.id = m.room_id where m.id = $1`,
    [id],
  );
  if (!row) throw new AppError("message_not_found", `No message has the id ${id}`);
  return {
    id: row.id,
    room: { id: row.room_id, kind: row.kind, name: row.room_name },
    sender: { id: row.sender_id, username: row.sender },
    text: row.kind === "group" && row.deleted_at === null ? row.text : null,
    accepted_at: isoTime(row.accepted_at),
    deleted_at: isoTimeOrNull(row.deleted_at),
  };
}

const present = ({ last_seq, ...room }: AdminRoomRow): AdminRoomView => ({
  ...room,
  message_count: last_seq,
  created_at: isoTime(room.created_at),
  last_message_at: isoTimeOrNull(room.last_message_at),
  members: room.members.map((member) => ({ ...member, joined_at: isoTime(member.joined_at) })),
});

/** A room's seqs have no gaps: the last one says how many messages there were. */
const roomSql = (mostMembers: number): string => `
  select r.id, r.kind, r.name, r.is_public, r.created_at, r.last_seq,
    (select created_at from messages where id = r.last_message_id) as last_message_at,
    (select count(*) from members where room_id = r.id) as member_count,
    (select coalesce(jsonb_agg(to_jsonb(one) order by one.role desc, one.joined_at, one.id), '[]') from (
      select u.id, u.username, x.role, x.joined_at from members x join users u on u.id = x.user_id
      where x.room_id = r.id order by x.role desc, x.joined_at, u.id limit ${mostMembers}) one) as members
  from rooms r`;

const listSql = `
  ${roomSql(2)}
  where ($1::bigint is null or r.id < $1)
    and ($3::text is null or r.name ilike $3 or r.id = $4::bigint)
    and ($5::text is null or r.kind = $5)
    and ($6::bigint is null or exists (select from members x where x.room_id = r.id and x.user_id = $6))
  order by r.id desc
  limit $2`;

/** By (room, id), as the history of a room is read by its members. */
const messagesSql = `
  select ${messageColumns}, ${seenByCountAmong}
  from (
    select * from messages m
    where m.room_id = $1 and ($2::uuid is null or m.id < $2) order by m.room_id desc, m.id desc limit $3
  ) m
  join users u on u.id = m.sender_id
  cross join lateral ${pointersOf("$1::bigint")}
  order by m.id desc`;
