import type { Entry, Message } from "../../client/index.ts";
import { merge } from "./snapshots.ts";
import { type RoomState, type State, withRoom } from "./state.ts";

type EntryOfType<Type extends Entry["type"]> = Extract<Entry, { type: Type }>;

/** The state after one entry of the feed. To apply an entry twice, or one that a snapshot holds already, changes nothing. */
export function applyEntry(state: State, entry: Entry): State {
  const after = isNew(state, entry) ? change(state, entry) : state;
  return { ...after, offset: entry.offset };
}

function isNew(state: State, { room_id, offset }: Entry): boolean {
  if (offset <= state.offset) return false;
  const room = room_id === null ? undefined : state.rooms.get(room_id);
  return !room || offset > room.asOf;
}

function change(state: State, entry: Entry): State {
  switch (entry.type) {
    case "message.created":
      return applyMessage(state, entry.data);
    case "message.edited":
    case "message.deleted":
      return replaceMessage(state, entry.data);
    case "messages.seen":
      return applySeen(state, entry);
    case "room.created":
      return addRoom(state, entry);
    case "room.updated":
      return withRoom(state, entry.room_id, (room) => updateRoom(room, entry.data));
    case "room.deleted":
      return dropRoom(state, entry.room_id);
    case "member.joined":
      return withRoom(state, entry.room_id, (room) => addMember(room, entry));
    case "member.left":
      return entry.data.user_id === state.meId
        ? dropRoom(state, entry.room_id)
        : withRoom(state, entry.room_id, (room) => ({ ...room, members: without(room, entry.data.user_id) }));
    default:
      // A failed task is told by the send itself; of types to come nothing is known.
      return state;
  }
}

/** Whether this is about a room that nothing is known of: joined just now, so that a snapshot has to tell what is in it. */
export const needsSnapshot = (state: State, { type, room_id }: Entry): boolean =>
  room_id !== null &&
  type !== "room.created" &&
  type !== "room.deleted" &&
  type !== "member.left" &&
  !state.rooms.has(room_id);

export function applyMessage(state: State, message: Message): State {
  const outbox = message.client_key ? withoutKey(state.outbox, message.client_key) : state.outbox;
  const next = outbox === state.outbox ? state : { ...state, outbox };
  const quiet = stopTyping(next, message.room_id, message.sender.id);
  return withRoom(quiet, message.room_id, (room) => addMessage(room, message, state.meId));
}

function addMessage(room: RoomState, message: Message, meId: number): RoomState {
  const history = room.history && { ...room.history, messages: merge(room.history.messages, [message]) };
  const isUnseen = message.sender.id !== meId && message.seq > room.readSeq;
  const isLatest = message.seq > (room.lastMessage?.seq ?? 0);
  return {
    ...noted(room, message),
    history,
    lastSeq: Math.max(room.lastSeq, message.seq),
    lastMessage: isLatest ? message : room.lastMessage,
    unseenCount: room.unseenCount + (isUnseen ? 1 : 0),
  };
}

/** A page that is on its way may know nothing of it. */
const noted = (room: RoomState, message: Message): RoomState =>
  room.coming ? { ...room, coming: { ...room.coming, told: [...room.coming.told, message] } } : room;

function replaceMessage(state: State, message: Message): State {
  return withRoom(state, message.room_id, (room) => {
    const wasUnseen = message.deleted_at !== null && message.seq > room.readSeq && message.sender.id !== state.meId;
    const messages = room.history?.messages.map((held) => (held.id === message.id ? message : held));
    return {
      ...noted(room, message),
      unseenCount: Math.max(0, room.unseenCount - (wasUnseen ? 1 : 0)),
      lastMessage: room.lastMessage?.id === message.id ? message : room.lastMessage,
      history: room.history && messages && { ...room.history, messages },
    };
  });
}

function applySeen(state: State, { room_id, data }: EntryOfType<"messages.seen">): State {
  return withRoom(state, room_id, (room) => {
    const members = room.members.map((member) =>
      member.id === data.user_id ? { ...member, readSeq: Math.max(member.readSeq, data.up_to_seq) } : member,
    );
    if (data.user_id !== state.meId || data.up_to_seq <= room.readSeq) return { ...room, members };
    return { ...room, members, readSeq: data.up_to_seq, unseenCount: unseenAfter(room, data.up_to_seq, state.meId) };
  });
}

/** Exact where the messages in question are held, and at the end of the room; else a guess that `isGuessed` tells of. */
function unseenAfter(room: RoomState, upToSeq: number, meId: number): number {
  if (upToSeq >= room.lastSeq) return 0;
  if (!isGuessed(room, upToSeq)) {
    const isUnseen = (message: Message): boolean =>
      message.seq > upToSeq && message.sender.id !== meId && message.deleted_at === null;
    return room.history?.messages.filter(isUnseen).length ?? 0;
  }
  return Math.min(room.unseenCount, room.lastSeq - upToSeq);
}

/** Whether what is unseen after this seq can't be counted from what is held here. */
export function isGuessed(room: RoomState, upToSeq: number): boolean {
  const later = room.history?.messages.filter((message) => message.seq > upToSeq).length ?? 0;
  return later < room.lastSeq - upToSeq;
}

function addRoom(state: State, { data, offset, at }: EntryOfType<"room.created">): State {
  if (state.rooms.has(data.id)) return state;
  const owner = data.kind === "group" ? data.members[0]?.id : undefined;
  const room: RoomState = {
    id: data.id,
    kind: data.kind,
    name: data.name,
    isPublic: data.is_public,
    members: data.members.map((member) => ({
      ...member,
      role: member.id === owner ? "owner" : "member",
      readSeq: 0,
      joinedAt: at,
    })),
    lastMessage: null,
    unseenCount: 0,
    readSeq: 0,
    lastSeq: 0,
    createdAt: at,
    asOf: offset,
    // It begins here: nothing needs to be fetched.
    history: { messages: [], older: null },
    coming: undefined,
  };
  return { ...state, rooms: new Map(state.rooms).set(room.id, room) };
}

function updateRoom(room: RoomState, data: EntryOfType<"room.updated">["data"]): RoomState {
  const { owner_id } = data;
  const members =
    owner_id === undefined
      ? room.members
      : room.members.map((member) => ({ ...member, role: member.id === owner_id ? "owner" : "member" }) as const);
  return { ...room, members, name: data.name ?? room.name, isPublic: data.is_public ?? room.isPublic };
}

function addMember(room: RoomState, { data, at }: EntryOfType<"member.joined">): RoomState {
  const member = { id: data.user_id, username: data.username, role: data.role, readSeq: 0, joinedAt: at };
  return { ...room, members: [...without(room, data.user_id), member] };
}

const without = (room: RoomState, userId: number) => room.members.filter((member) => member.id !== userId);

function dropRoom(state: State, id: number): State {
  const rooms = new Map(state.rooms);
  rooms.delete(id);
  return { ...state, rooms };
}

function withoutKey(outbox: State["outbox"], key: string): State["outbox"] {
  return outbox.some((outgoing) => outgoing.key === key) ? outbox.filter((outgoing) => outgoing.key !== key) : outbox;
}

/** Typing is told once in two seconds while it lasts. */
const TYPING_MS = 5_000;

export function startTyping(state: State, roomId: number, userId: number, nowMs: number): State {
  if (userId === state.meId) return state;
  const room = new Map(state.typing.get(roomId)).set(userId, nowMs + TYPING_MS);
  return { ...state, typing: new Map(state.typing).set(roomId, room) };
}

/** Whoever has sent it has stopped typing it. */
function stopTyping(state: State, roomId: number, userId: number): State {
  const room = state.typing.get(roomId);
  if (!room?.has(userId)) return state;
  const rest = new Map(room);
  rest.delete(userId);
  return { ...state, typing: new Map(state.typing).set(roomId, rest) };
}

export function forgetTyping(state: State, nowMs: number): State {
  const typing = new Map<number, ReadonlyMap<number, number>>();
  for (const [roomId, room] of state.typing) {
    const rest = new Map([...room].filter(([, untilMs]) => untilMs > nowMs));
    if (rest.size > 0) typing.set(roomId, rest);
  }
  return { ...state, typing };
}

export function setOnline(state: State, presence: readonly { user_id: number; online: boolean }[]): State {
  const online = new Set(state.online);
  for (const { user_id, online: isOnline } of presence) isOnline ? online.add(user_id) : online.delete(user_id);
  return { ...state, online };
}
