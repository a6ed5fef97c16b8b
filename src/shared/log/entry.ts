import type { MessageRow } from "../db/message-row.ts";

/** What can happen to something a member sees; each is one row of the log. */
export const entryTypes = [
  "message.created",
  "message.edited",
  "message.deleted",
  "messages.seen",
  "room.created",
  "room.updated",
  "room.deleted",
  "member.joined",
  "member.left",
  "task.failed",
] as const;
export type EntryType = (typeof entryTypes)[number];

export type EntryData = Readonly<Record<string, unknown>>;

/** An entry before it has a position: it concerns a room, or one user alone. */
export type NewEntry = {
  readonly type: EntryType;
  readonly actorId: number | null;
  readonly messageId?: string | undefined;
  readonly taskId?: string | undefined;
  readonly data?: EntryData | undefined;
} & (
  | { readonly roomId: number; readonly userId?: undefined }
  | { readonly userId: number; readonly roomId?: undefined }
);

export interface Entry {
  readonly pos: number;
  readonly type: EntryType;
  readonly roomId: number | null;
  readonly userId: number | null;
  readonly actorId: number | null;
  readonly taskId: string | null;
  readonly data: EntryData | null;
  readonly at: string;
  /** The message of a `message.*` entry, as it was when the entry was read. */
  readonly message: MessageRow | null;
  /** Whether anybody who waits here has had it. */
  handedOut: boolean;
  /** What was made of it to be sent: made once however many read it. */
  readonly texts: EntryTexts;
}

export interface EntryTexts {
  message?: string;
  entry?: string;
  /** Once more for the sender, who sees their key. */
  entryForSender?: string;
}

/** An entry as SQL returns it: a row of the log, and its message. */
export interface EntryRow {
  readonly pos: number;
  readonly room_id: number | null;
  readonly user_id: number | null;
  readonly type: EntryType;
  readonly actor_id: number | null;
  readonly message_id: string | null;
  readonly task_id: string | null;
  readonly data: EntryData | null;
  readonly at: Date | string;
  readonly message: MessageRow | null;
}

export const toEntry = (row: EntryRow): Entry => ({
  pos: row.pos,
  type: row.type,
  roomId: row.room_id,
  userId: row.user_id,
  actorId: row.actor_id,
  // The task that sends a message has the message's id.
  taskId: row.task_id ?? row.message_id,
  data: row.data,
  at: new Date(row.at).toISOString(),
  message: row.message,
  handedOut: false,
  texts: {},
});

/** Channels of NOTIFY. The payload of `log` is the new head; nothing depends on it being delivered. */
export const channels = {
  log: "parley_log",
  /** A task ended without leaving an entry behind: payload = task id. */
  task: "parley_task",
  /** A user was added, changed or deactivated: payload = user id. */
  users: "parley_users",
  /** Who types and who is online: payload = what happened, as JSON. */
  ephemeral: "parley_ephemeral",
  /** A session, token, client or account has ended, or an account is back: payload = its kind and id. */
  credentials: "parley_credentials",
} as const;
