import type { History as HistoryPage, Message, Room, RoomInList } from "../../client/index.ts";
import type { Coming, History, MemberState, RoomState, State } from "./state.ts";
import { withRoom } from "./state.ts";

/** What was read at one position of the log; what is held of the same rooms besides stays. */
export function putRooms(state: State, rooms: readonly RoomInList[], offset: string): State {
  const next = new Map(state.rooms);
  for (const room of rooms) next.set(room.id, roomOf(room, offset, state.rooms.get(room.id)));
  return { ...state, rooms: next };
}

function roomOf(room: RoomInList, offset: string, before: RoomState | undefined): RoomState {
  const known = new Map(before?.members.map((member) => [member.id, member]));
  return {
    id: room.id,
    kind: room.kind,
    name: room.name,
    isPublic: room.is_public,
    members: room.members.map((member) => known.get(member.id) ?? { ...member, ...unknown }),
    lastMessage: room.last_message,
    unseenCount: room.unseen_count,
    readSeq: room.read_seq,
    lastSeq: room.last_seq,
    createdAt: room.created_at,
    asOf: offset,
    history: before?.history,
    coming: before?.coming,
  };
}

/** Of members in a list nothing is known but who they are. */
const unknown = { role: "member", readSeq: 0, joinedAt: "" } as const;

/** Who is in it and how far they have seen. It may be older than what the feed has told: nothing goes backwards. */
export function putDetails(state: State, room: Room): State {
  return withRoom(state, room.id, (held) => {
    const known = new Map(room.members.map((member) => [member.id, member]));
    const members = held.members.map((member): MemberState => {
      const told = known.get(member.id);
      if (!told) return member;
      const readSeq = Math.max(member.readSeq, told.read_seq);
      return { ...member, role: told.role, readSeq, joinedAt: told.joined_at };
    });
    return { ...held, members, unseenCount: recounted(held, room) };
  });
}

/** A count is taken over only if it was made of the same messages and the same pointer. */
const recounted = (held: RoomState, room: Room): number =>
  held.lastSeq === room.last_seq && held.readSeq === room.read_seq ? room.unseen_count : held.unseenCount;

/** Somebody has asked for a page of the history: what is told from now on may not be in it. */
export const expectHistory = (state: State, roomId: number, asked: object): State =>
  withRoom(state, roomId, (room) => ({ ...room, coming: { asked, told: [] } }));

export const expectNothing = (state: State, roomId: number): State =>
  withRoom(state, roomId, (room) => ({ ...room, coming: undefined }));

/** A page of the history, the newest or one that is older than all that is held. */
export function putHistory(state: State, roomId: number, page: HistoryPage): State {
  return withRoom(state, roomId, (room) => {
    const held = room.history;
    // Of the newest page only what is new counts: how far back the history is held has not changed.
    const older = held && held.messages.length > 0 && isNewest(page, held) ? held.older : page.next;
    const known = merge(held?.messages ?? [], toldBeside(page, room.coming));
    return { ...room, history: { messages: merge(known, page.messages), older } };
  });
}

/** Each as it was told last; what is older than the page is not in it, and what lies between would be missing. */
function toldBeside(page: HistoryPage, coming: Coming | undefined): readonly Message[] {
  const oldest = page.next === null ? 0 : Math.min(...page.messages.map(({ seq }) => seq));
  const told = coming?.told.filter(({ seq }) => seq >= oldest) ?? [];
  return [...new Map(told.map((message) => [message.id, message])).values()];
}

function isNewest(page: HistoryPage, held: History): boolean {
  const oldest = held.messages[0]!.id;
  return page.messages.some((message) => message.id > oldest) && page.messages.every((message) => message.id >= oldest);
}

/** What is held is as new as the feed; a page may be older, so that it only adds. */
export function merge(held: readonly Message[], more: readonly Message[]): readonly Message[] {
  const known = new Set(held.map((message) => message.id));
  const added = more.filter((message) => !known.has(message.id));
  if (added.length === 0) return held;
  const last = held.at(-1);
  // Nearly always it is one message, and the latest.
  if (added.length === 1 && (!last || last.id < added[0]!.id)) return [...held, added[0]!];
  return [...held, ...added].sort((a, b) => (a.id < b.id ? -1 : 1));
}
