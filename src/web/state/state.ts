import type { Message, Problem, UserRef } from "../../client/index.ts";

/** All that the page shows of the chat. It is changed by `apply.ts` and by nothing else; the views only read it. */
export interface State {
  readonly meId: number;
  readonly rooms: ReadonlyMap<number, RoomState>;
  /** What I have sent and the feed has not told yet, in the order of sending. */
  readonly outbox: readonly Outgoing[];
  readonly online: ReadonlySet<number>;
  /** By room: who types, and until when that is to be believed. */
  readonly typing: ReadonlyMap<number, ReadonlyMap<number, number>>;
  /** The feed goes on from here. */
  readonly offset: string;
}

export interface RoomState {
  readonly id: number;
  readonly kind: "direct" | "group";
  readonly name: string | null;
  readonly isPublic: boolean;
  readonly members: readonly MemberState[];
  readonly lastMessage: Message | null;
  readonly unseenCount: number;
  readonly readSeq: number;
  readonly lastSeq: number;
  /** Orders rooms in which nothing was said yet. */
  readonly createdAt: string;
  /** This room is as it was at this offset; entries up to it are in here already. */
  readonly asOf: string;
  /** Undefined until somebody looks at it. */
  readonly history: History | undefined;
  /** A page of it that is on its way. */
  readonly coming: Coming | undefined;
}

export interface Coming {
  /** Of whoever has asked for it, and nobody else's. */
  readonly asked: object;
  /** What the feed tells meanwhile: the page may have been read before. */
  readonly told: readonly Message[];
}

export interface MemberState extends UserRef {
  readonly role: "owner" | "member";
  /** How far they have seen, and only of what was said after they came. */
  readonly readSeq: number;
  readonly joinedAt: string;
}

/** The newest part of what was said, without gaps, in the order of the ids. */
export interface History {
  readonly messages: readonly Message[];
  /** Where the part before this one is; null at the beginning of the room. */
  readonly older: string | null;
}

export type Target = { readonly room: number } | { readonly to: number };

export interface Outgoing {
  readonly key: string;
  readonly target: Target;
  readonly text: string;
  readonly at: string;
  readonly state: "sending" | "accepted" | "failed";
  readonly problem?: Problem | undefined;
}

export const emptyState = (meId: number): State => ({
  meId,
  rooms: new Map(),
  outbox: [],
  online: new Set(),
  typing: new Map(),
  offset: "now",
});

export function withRoom(state: State, id: number, change: (room: RoomState) => RoomState): State {
  const room = state.rooms.get(id);
  if (!room) return state;
  const changed = change(room);
  return changed === room ? state : { ...state, rooms: new Map(state.rooms).set(id, changed) };
}
