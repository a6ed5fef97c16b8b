import type { Message, ProblemDocument, UserRef } from "./views.ts";

interface Placed {
  /** Go on from here, once what came with it is kept. Texts; a later one is the greater. */
  offset: string;
  /** Who did it; null where nobody in particular did. */
  actor_id: number | null;
  at: string;
}

/** `room_id` is null for what concerns the reader alone. */
type EntryOf<Type extends string, Data, RoomId = number> = Type extends string
  ? Placed & { type: Type; room_id: RoomId; data: Data }
  : never;

interface RoomRef {
  id: number;
  kind: "direct" | "group";
  name: string | null;
  is_public: boolean;
}

/** One entry of the log, as the feed tells it: each comes once, in the order of the log. */
export type Entry =
  | EntryOf<"message.created" | "message.edited" | "message.deleted", Message>
  | EntryOf<"messages.seen", { user_id: number; up_to_seq: number }>
  | EntryOf<"room.created", RoomRef & { members: UserRef[] }>
  | EntryOf<"room.updated", { name?: string; is_public?: boolean; owner_id?: number }>
  | EntryOf<"room.deleted", Record<string, never>>
  | EntryOf<"member.joined", { user_id: number; username: string; role: "owner" | "member"; room: RoomRef }>
  | EntryOf<"member.left", { user_id: number }>
  | EntryOf<"task.failed", { task_id: string; kind: string; attempts: number; error: ProblemDocument }, number | null>;

/** Told to those who are there, and missed by the rest. */
export type Ephemeral =
  | { type: "typing"; room_id: number; user_id: number }
  | { type: "presence"; user_id: number; online: boolean };

/** What was missed can't be told: load your snapshots again. What comes after `offset` follows by itself. */
export interface Resync {
  type: "resync";
  offset: string;
}

export type ClientEvent = Entry | Ephemeral | Resync;
