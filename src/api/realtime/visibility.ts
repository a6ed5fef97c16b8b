import type { Entry } from "../../shared/log/entry.ts";

/** Who may see a room's entries from this one on. */
export function joiningIn({ type, data }: Entry): number[] {
  if (type === "member.joined") return [Number(data?.["user_id"])];
  if (type !== "room.created") return [];
  const members = (data?.["members"] ?? []) as readonly { id: number }[];
  return members.map(({ id }) => id);
}

/** A message that went with its room before it was read here: there is nothing left to tell of it. */
export const isHollow = ({ type, message }: Entry): boolean => type.startsWith("message.") && message === null;

/** For one user who is a member of `rooms` before the entry; afterwards `rooms` is as the entry left it. */
export function isVisible(entry: Entry, userId: number, rooms: Set<number>): boolean {
  const { roomId } = entry;
  if (roomId === null) return entry.userId === userId;
  if (joiningIn(entry).includes(userId)) rooms.add(roomId);
  const visible = rooms.has(roomId);
  if (endsReading(entry, userId)) rooms.delete(roomId);
  return visible;
}

/** Whether what this user sees is another after the entry than before it. */
export const changesRoomsOf = (entry: Entry, userId: number): boolean =>
  joiningIn(entry).includes(userId) || endsReading(entry, userId);

/** The last entry of a room that this user sees. */
export const endsReading = (entry: Entry, userId: number): boolean =>
  entry.type === "room.deleted" || (entry.type === "member.left" && entry.data?.["user_id"] === userId);

/** What makes somebody's unseen count grow: a message in their rooms that is not their own, and still there. */
export const isNewMessageFor = (entry: Entry, userId: number): boolean =>
  entry.type === "message.created" && entry.message?.deleted_at === null && entry.actorId !== userId;
