import { type EntityManager, rows } from "../../shared/db/database.ts";
import type { LogWrites } from "../../shared/log/writes.ts";
import type { Role, RoomKind, RoomStanding } from "../../shared/policies.ts";

/** A room whose row is locked until the end of the transaction. */
export interface LockedRoom {
  readonly id: number;
  readonly kind: RoomKind;
  readonly name: string | null;
  readonly is_public: boolean;
  readonly last_seq: number;
}

/** In id order, as everywhere; from here on nobody joins, leaves, posts in or deletes these rooms. */
export const lockRooms = (tx: EntityManager, ids: readonly number[]): Promise<LockedRoom[]> =>
  rows<LockedRoom>(
    tx,
    "select id, kind, name, is_public, last_seq from rooms where id = any($1::bigint[]) order by id for no key update",
    [ids],
  );

export async function lockRoom(tx: EntityManager, id: number): Promise<LockedRoom | undefined> {
  return (await lockRooms(tx, [id]))[0];
}

/** What the room is to this user, read under its lock. */
export async function standingOf(
  tx: EntityManager,
  room: LockedRoom | undefined,
  userId: number,
): Promise<RoomStanding | undefined> {
  if (!room) return undefined;
  const [member] = await rows<{ role: Role }>(tx, "select role from members where room_id = $1 and user_id = $2", [
    room.id,
    userId,
  ]);
  return { kind: room.kind, isPublic: room.is_public, role: member?.role };
}

export interface NewMember {
  readonly id: number;
  readonly username: string;
}

/** The first member of a room that has none owns it. What was said before is neither unseen nor seen by them. */
export async function addMember(
  tx: EntityManager,
  { room, user, actorId }: { room: LockedRoom; user: NewMember; actorId: number },
  writes: LogWrites,
): Promise<void> {
  const [added] = await rows<{ role: Role }>(
    tx,
    `insert into members (room_id, user_id, role, joined_seq, read_seq)
     values ($1, $2, case when exists (select from members where room_id = $1) then 'member' else 'owner' end, $3, $3)
     on conflict do nothing returning role`,
    [room.id, user.id, room.last_seq],
  );
  if (!added) return;
  const { id, kind, name, is_public } = room;
  const data = { user_id: user.id, username: user.username, role: added.role, room: { id, kind, name, is_public } };
  writes.add({ type: "member.joined", roomId: id, actorId, data });
  writes.joined(id, user.id);
}

/** Who leaves reads up to their own leaving; an owner hands over to who has been there longest; an empty group ends. */
export async function removeMember(
  tx: EntityManager,
  { room, userId, actorId }: { room: LockedRoom; userId: number; actorId: number },
  writes: LogWrites,
): Promise<boolean> {
  const [removed] = await rows<{ role: Role }>(
    tx,
    "delete from members where room_id = $1 and user_id = $2 returning role",
    [room.id, userId],
  );
  if (!removed) return false;
  writes.add({ type: "member.left", roomId: room.id, actorId, data: { user_id: userId } });
  writes.left(room.id, userId);
  if (removed.role !== "owner") return true;
  const heir = await handOver(tx, room.id);
  if (heir === undefined) await deleteRoomRow(tx, room.id, actorId, writes);
  else writes.add({ type: "room.updated", roomId: room.id, actorId, data: { owner_id: heir } });
  return true;
}

async function handOver(tx: EntityManager, roomId: number): Promise<number | undefined> {
  const [heir] = await rows<{ user_id: number }>(
    tx,
    `update members set role = 'owner'
     where room_id = $1
       and user_id = (select user_id from members where room_id = $1 order by joined_at, user_id limit 1)
     returning user_id`,
    [roomId],
  );
  return heir?.user_id;
}

/** Messages, members and receipts go with the room; the log and who was there stay. */
export async function deleteRoomRow(
  tx: EntityManager,
  roomId: number,
  actorId: number,
  writes: LogWrites,
): Promise<void> {
  // Locked in order, before the deletion of the room takes them in any.
  const members = await rows<{ user_id: number }>(
    tx,
    "select user_id from members where room_id = $1 order by user_id for update",
    [roomId],
  );
  writes.add({ type: "room.deleted", roomId, actorId, data: {} });
  for (const member of members) writes.left(roomId, member.user_id);
  await rows(tx, "delete from rooms where id = $1", [roomId]);
}
