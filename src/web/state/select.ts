import type { Message, UserRef } from "../../client/index.ts";
import type { Outgoing, RoomState, State, Target } from "./state.ts";

/** The latest first; a room in which nothing was said stands by its age. */
export const sortedRooms = (state: State): RoomState[] =>
  [...state.rooms.values()].sort((a, b) => (timeOf(a) > timeOf(b) ? -1 : 1));

const timeOf = (room: RoomState): string => room.lastMessage?.created_at ?? room.createdAt;

export const unseenTotal = (state: State): number =>
  [...state.rooms.values()].reduce((sum, room) => sum + room.unseenCount, 0);

/** The other one of a direct room. */
export const peerOf = (room: RoomState, meId: number): UserRef | undefined =>
  room.kind === "direct" ? room.members.find((member) => member.id !== meId) : undefined;

export const titleOf = (room: RoomState, meId: number): string =>
  room.name ?? peerOf(room, meId)?.username ?? "A conversation";

export const directRoomWith = (state: State, userId: number): RoomState | undefined =>
  [...state.rooms.values()].find((room) => peerOf(room, state.meId)?.id === userId);

/** What I have sent to this room, also while it was not there yet. */
export function outgoingTo(state: State, target: Target): Outgoing[] {
  const room = "room" in target ? state.rooms.get(target.room) : directRoomWith(state, target.to);
  const peerId = "to" in target ? target.to : room && peerOf(room, state.meId)?.id;
  return state.outbox.filter(({ target: to }) => ("room" in to ? to.room === room?.id : to.to === peerId));
}

/** How many others have seen it: as it was told with the message, and by how far they have seen since. */
export function seenBy(room: RoomState, message: Message): number {
  const has = (member: RoomState["members"][number]): boolean =>
    member.id !== message.sender.id && member.readSeq >= message.seq && member.joinedAt <= message.created_at;
  return Math.max(message.seen_by_count, room.members.filter(has).length);
}

export const typersIn = (state: State, room: RoomState): string[] =>
  [...(state.typing.get(room.id)?.keys() ?? [])].flatMap(
    (userId) => room.members.find((member) => member.id === userId)?.username ?? [],
  );
