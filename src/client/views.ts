/**
 * What the API answers and takes, written out, so that whoever uses the client needs nothing of the server's. A test
 * holds every one of these against the server's own schema: they are the same, or nothing is built.
 */

export type UserStatus = "Online" | "Busy" | "Offline";

export interface UserRef {
  id: number;
  username: string;
}

export interface User extends UserRef {
  first_name: string;
  last_name: string;
  status: UserStatus;
  status_message: string | null;
  created_at: string;
}

/** What people see of themselves, and nobody else does. */
export interface OwnUser extends User {
  email: string | null;
  is_admin: boolean;
}

interface UserFields {
  email?: string | null | undefined;
  first_name?: string | undefined;
  last_name?: string | undefined;
  status?: UserStatus | undefined;
  status_message?: string | null | undefined;
}

export interface NewUser extends UserFields {
  username: string;
  password: string;
}

export interface UserChange extends UserFields {
  username?: string | undefined;
  password?: string | undefined;
  /** Needed for a new password, which ends all other sessions. */
  current_password?: string | undefined;
  /** By admins only. */
  is_admin?: boolean | undefined;
}

export interface Users {
  users: User[];
  next: string | null;
}

export interface SignedIn {
  access_token: string;
  token_type: "Bearer";
  /** Seconds. */
  expires_in: number;
  refresh_token: string;
  user: OwnUser;
}

export interface Message {
  id: string;
  room_id: number;
  /** 1, 2, 3… in its room, in the order in which they were stored. */
  seq: number;
  sender: UserRef;
  text: string;
  accepted_at: string;
  created_at: string;
  edited_at: string | null;
  deleted_at: string | null;
  /** Only to its sender. */
  client_key?: string | undefined;
  seen_by_count: number;
}

export interface Accepted {
  task_id: string;
  message_id: string;
  status: "queued";
}

export interface History {
  messages: Message[];
  /** `before` this for the older page. */
  next: string | null;
  /** `after` this for what has come since. */
  prev: string | null;
}

export interface Unseen {
  messages: Message[];
  unseen_count: number;
  /** Send it with the next question: it marks exactly what this answer held as seen. */
  ack: string;
  more: boolean;
  explain?: { rooms: UnseenRoom[] } | undefined;
}

export interface UnseenRoom {
  room_id: number;
  unseen_count: number;
  read_seq: number;
  last_seq: number;
  message_ids: string[];
}

export interface Receipts {
  receipts: { user_id: number; username: string; seen_at: string }[];
  unseen_by: UserRef[];
}

interface RoomFields {
  id: number;
  kind: "direct" | "group";
  /** null for a direct room. */
  name: string | null;
  is_public: boolean;
  created_at: string;
  last_message: Message | null;
  unseen_count: number;
  /** How far I have seen. */
  read_seq: number;
  last_seq: number;
}

export interface Member extends UserRef {
  role: "owner" | "member";
  read_seq: number;
  joined_at: string;
}

export interface Room extends RoomFields {
  members: Member[];
}

export interface RoomInList extends RoomFields {
  members: UserRef[];
}

export interface Rooms {
  rooms: RoomInList[];
  next: string | null;
}

export interface PublicRooms {
  rooms: { id: number; name: string; member_count: number }[];
  next: string | null;
}

export interface NewRoom {
  name: string;
  is_public?: boolean | undefined;
  member_ids?: number[] | undefined;
  member_usernames?: string[] | undefined;
}

export interface RoomChange {
  name?: string | undefined;
  is_public?: boolean | undefined;
}

export interface Presence {
  presence: { user_id: number; online: boolean }[];
}

export interface Task {
  id: string;
  kind: "message.send" | "messages.seen";
  state: "queued" | "running" | "retrying" | "done" | "failed";
  attempts: number;
  created_at: string;
  finished_at: string | null;
  result: Message | { rooms: { room_id: number; read_seq: number }[] } | null;
  error: ProblemDocument | null;
}

/** RFC 9457, with our `code` and the fields that are wrong. */
export interface ProblemDocument {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: ErrorCode;
  errors?: { path: string; message: string }[] | undefined;
  request_id?: string | undefined;
}

export type ErrorCode =
  | "malformed_request"
  | "malformed_json"
  | "validation_failed"
  | "not_signed_in"
  | "wrong_credentials"
  | "token_invalid"
  | "token_expired"
  | "session_ended"
  | "wrong_password"
  | "account_banned"
  | "insufficient_scope"
  | "not_allowed"
  | "not_a_member"
  | "route_not_found"
  | "user_not_found"
  | "room_not_found"
  | "member_not_found"
  | "message_not_found"
  | "task_not_found"
  | "session_not_found"
  | "token_not_found"
  | "client_not_found"
  | "job_not_found"
  | "method_not_allowed"
  | "username_taken"
  | "email_taken"
  | "room_name_taken"
  | "room_is_direct"
  | "cancelled"
  | "job_not_retryable"
  | "last_admin"
  | "task_not_cancellable"
  | "offset_gone"
  | "body_too_large"
  | "unsupported_media_type"
  | "message_to_self"
  | "rate_limited"
  | "headers_too_large"
  | "idempotency_mismatch"
  | "internal"
  | "queue_unavailable"
  | "database_unavailable"
  | "overloaded"
  | "shutting_down";
