import type { FeedEntry } from "../../../bench/load/transports.ts";

export interface ListedMessage {
  readonly id: string;
  readonly seq: number;
  readonly text: string;
  readonly sender: { readonly id: number; readonly username: string };
}

/** A room as GET /v1/rooms shows it, as far as the feed tells of it. */
export interface ListedRoom {
  readonly id: number;
  readonly kind: string;
  readonly name: string | null;
  readonly is_public: boolean;
  readonly members: readonly { readonly id: number; readonly username: string }[];
  readonly last_message: ListedMessage | null;
  readonly unseen_count: number;
  readonly read_seq: number;
  readonly last_seq: number;
}

/** Rooms as they were at a position of the log. */
export interface RoomList {
  readonly offset: string;
  readonly rooms: readonly ListedRoom[];
}

export interface FirstSight extends RoomList {
  readonly userId: number;
  /** What had been said in these rooms. */
  readonly messages: readonly (ListedMessage & { readonly room_id: number })[];
  /** Whoever is let into a room asks what is in it: the answer, by the offset of the entry that told of it. */
  readonly lookups: ReadonlyMap<string, RoomList>;
}

type Room = Omit<ListedRoom, "unseen_count" | "members"> & { readonly members: ReadonlyMap<number, string> };

interface State {
  readonly rooms: Map<number, Room>;
  /** What was looked up is true as of here. */
  readonly asOf: Map<number, string>;
  /** Who said what is known to have been said: room, seq, sender. */
  readonly senders: Map<number, Map<number, number>>;
}

/** The first snapshot with all entries applied: what the last snapshot must show. */
export function replay(first: FirstSight, entries: readonly FeedEntry[]): ListedRoom[] {
  const state: State = { rooms: new Map(), asOf: new Map(), senders: new Map() };
  for (const room of first.rooms) state.rooms.set(room.id, toRoom(room));
  for (const { room_id, seq, sender } of first.messages) hear(state, room_id, seq, sender.id);
  for (const entry of entries) apply(state, entry, first);
  return [...state.rooms.values()].map((room) => listed(room, state, first.userId)).sort((a, b) => a.id - b.id);
}

/** What of the last snapshot can be compared. */
export const comparable = ({ rooms }: RoomList): ListedRoom[] =>
  rooms.map((room) => ({ ...show(toRoom(room)), unseen_count: room.unseen_count })).sort((a, b) => a.id - b.id);

function apply(state: State, entry: FeedEntry, { userId, lookups }: FirstSight): void {
  const { type, room_id: id, data, offset } = entry;
  if (id === null) return;
  if (type === "message.created") hear(state, id, data["seq"], data["sender"].id);
  if (offset <= (state.asOf.get(id) ?? "")) return;
  if (type === "room.created") state.rooms.set(id, createdRoom(data));
  if (type === "room.deleted" || (type === "member.left" && data["user_id"] === userId)) state.rooms.delete(id);
  if (type === "member.joined" && data["user_id"] === userId) lookUp(state, id, lookups.get(offset)!);
  const room = state.rooms.get(id);
  if (room) state.rooms.set(id, changed(room, entry, userId));
}

function changed(room: Room, { type, data }: FeedEntry, userId: number): Room {
  if (type === "message.created") return { ...room, last_message: data as ListedMessage, last_seq: data["seq"] };
  if (type === "messages.seen" && data["user_id"] === userId) return { ...room, read_seq: data["up_to_seq"] };
  if (type === "room.updated") {
    return { ...room, name: data["name"] ?? room.name, is_public: data["is_public"] ?? room.is_public };
  }
  if (type === "member.joined") {
    return { ...room, members: new Map([...room.members, [data["user_id"], data["username"]]]) };
  }
  if (type === "member.left") {
    return { ...room, members: new Map([...room.members].filter(([id]) => id !== data["user_id"])) };
  }
  return room;
}

function lookUp(state: State, roomId: number, { offset, rooms }: RoomList): void {
  state.asOf.set(roomId, offset);
  const found = rooms.find(({ id }) => id === roomId);
  if (found) state.rooms.set(roomId, toRoom(found));
  else state.rooms.delete(roomId);
}

function hear({ senders }: State, roomId: number, seq: number, senderId: number): void {
  const known = senders.get(roomId) ?? new Map<number, number>();
  senders.set(roomId, known.set(seq, senderId));
}

const createdRoom = (data: FeedEntry["data"]): Room => ({
  id: data["id"],
  kind: data["kind"],
  name: data["name"],
  is_public: data["is_public"],
  members: membersOf(data["members"]),
  last_message: null,
  read_seq: 0,
  last_seq: 0,
});

const membersOf = (members: ListedRoom["members"]) => new Map(members.map(({ id, username }) => [id, username]));
const toRoom = (room: ListedRoom): Room => ({ ...room, members: membersOf(room.members) });

function listed(room: Room, { senders }: State, userId: number): ListedRoom {
  const unseen = [...(senders.get(room.id) ?? [])].filter(
    ([seq, sender]) => seq > room.read_seq && seq <= room.last_seq && sender !== userId,
  );
  return { ...show(room), unseen_count: unseen.length };
}

function show({ id, kind, name, is_public, members, last_message, read_seq, last_seq }: Room) {
  const list = [...members].map(([id, username]) => ({ id, username })).sort((a, b) => a.id - b.id);
  const last = last_message && {
    id: last_message.id,
    seq: last_message.seq,
    text: last_message.text,
    sender: last_message.sender,
  };
  return { id, kind, name, is_public, members: list, last_message: last, read_seq, last_seq };
}
