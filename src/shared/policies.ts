import { AppError } from "./errors.ts";

export type Role = "owner" | "member";
export type RoomKind = "direct" | "group";
export type RoomAction = "read" | "post" | "invite" | "leave" | "rename" | "delete" | "remove-member";

/** Who may what in a room. */
const allowed: Record<Role, readonly RoomAction[]> = {
  owner: ["read", "post", "invite", "leave", "rename", "delete", "remove-member"],
  member: ["read", "post", "invite", "leave"],
};
/** What nobody does in a direct room: its two members are what it is. */
const neverDirect: readonly RoomAction[] = ["invite", "leave", "rename", "delete", "remove-member"];

export interface RoomStanding {
  readonly kind: RoomKind;
  readonly isPublic: boolean;
  /** Of whoever asks; undefined for somebody who is not a member. */
  readonly role: Role | undefined;
}

/**
 * Somebody who may not know that a room exists is told that it does not (404); who may know, but not do it, is told
 * so (403).
 */
export function assertMayInRoom<Room extends RoomStanding>(
  action: RoomAction,
  roomId: number,
  room: Room | undefined,
): asserts room is Room {
  if (!room || (room.role === undefined && !room.isPublic)) throw roomNotFound(roomId);
  if (room.role === undefined) throw new AppError("not_a_member", `You are not a member of room ${roomId}`);
  if (room.kind === "direct" && neverDirect.includes(action)) {
    throw new AppError("room_is_direct", "A direct room has its two members for good");
  }
  if (!allowed[room.role].includes(action)) {
    throw new AppError("not_allowed", `Only the owner of room ${roomId} may do this`);
  }
}

export const roomNotFound = (roomId: number): AppError =>
  new AppError("room_not_found", `No room with the id ${roomId} is known to you`);

export const messageNotFound = (id: string): AppError =>
  new AppError("message_not_found", `No message ${id} is known to you`);

export const userNotFound = (userId: number): AppError =>
  new AppError("user_not_found", `No user has the id ${userId}`);

/** The one name of the room of two people, whoever writes first. */
export const directKey = (a: number, b: number): string => `${Math.min(a, b)}:${Math.max(a, b)}`;

/** By which the messages of the two stay in order: the same for their room, which may not be there yet. */
export const directLine = (a: number, b: number): number => a + b;

/** An account is changed by its owner or by an admin. */
export function assertMayChangeUser(caller: Asker, userId: number): void {
  if (caller.id !== userId && !caller.isAdmin)
    throw new AppError("not_allowed", "Only your own account is yours to change");
}

interface Asker {
  readonly id: number;
  readonly isAdmin: boolean;
}

/** What somebody has said is theirs to take back, and an admin's; others who can see it are told so. */
export function assertMayDeleteMessage(
  caller: Asker,
  id: string,
  message: { readonly senderId: number; readonly isMember: boolean } | undefined,
): void {
  const isTheirs = message?.senderId === caller.id;
  if (!message || !(isTheirs || message.isMember || caller.isAdmin)) throw messageNotFound(id);
  if (!isTheirs && !caller.isAdmin) throw new AppError("not_allowed", "Only its sender or an admin deletes a message");
}

/** Its owner deletes a room, or an admin, who need not be in it; a direct one nobody does. */
export function assertMayDeleteRoom(caller: Asker, roomId: number, room: RoomStanding | undefined): void {
  const role = room && caller.isAdmin ? "owner" : room?.role;
  assertMayInRoom("delete", roomId, room && { ...room, role });
}

/** Anybody joins a public room; a private one, and a direct one, is not there for those outside it. */
export function assertMayJoin(roomId: number, room: RoomStanding | undefined): void {
  if (!room || (room.role === undefined && !room.isPublic)) throw roomNotFound(roomId);
  if (room.kind === "direct") throw new AppError("room_is_direct", "A direct room has its two members for good");
}

export function assertMayGrantAdmin(caller: { readonly isAdmin: boolean }): void {
  if (!caller.isAdmin) throw new AppError("not_allowed", "Only an admin makes admins");
}
