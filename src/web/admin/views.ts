import type { Message, UserRef } from "../../client/index.ts";

/** What the desk's routes answer, as it is written here; a test holds it against what the server says. */
export interface AdminUser {
  id: number;
  username: string;
  email: string | null;
  first_name: string;
  last_name: string;
  is_admin: boolean;
  state: "active" | "banned" | "deactivated";
  created_at: string;
  deactivated_at: string | null;
  banned_at: string | null;
  ban_reason: string | null;
  last_used_at: string | null;
  session_count: number;
  token_count: number;
}

export interface AdminUsers {
  users: AdminUser[];
  next: string | null;
}

export interface AdminUserWithAccess extends AdminUser {
  sessions: { id: string; user_agent: string; created_at: string; last_used_at: string; expires_at: string }[];
  tokens: { id: number; name: string; created_at: string; expires_at: string | null; last_used_at: string | null }[];
}

export interface AdminRoom {
  id: number;
  kind: "direct" | "group";
  name: string | null;
  is_public: boolean;
  created_at: string;
  last_message_at: string | null;
  message_count: number;
  member_count: number;
  members: (UserRef & { role: "owner" | "member"; joined_at: string })[];
}

export interface AdminRooms {
  rooms: AdminRoom[];
  next: string | null;
}

export interface GroupMessages {
  messages: Message[];
  next: string | null;
}

export interface Reported {
  id: string;
  room: { id: number; kind: "direct" | "group"; name: string | null };
  sender: UserRef;
  text: string | null;
  accepted_at: string;
  deleted_at: string | null;
}

export interface ApiClient {
  id: string;
  name: string;
  scopes: ("read" | "write" | "admin")[];
  created_by: number | null;
  created_at: string;
  last_used_at: string | null;
}

export interface NewApiClient extends ApiClient {
  api_key: string;
}

export interface FailedJob {
  id: string;
  kind: string;
  state: string;
  attempts: number;
  accepted_at: string;
  failed_at: string | null;
  reason: string | null;
  retryable: boolean;
}

export interface FailedJobs {
  jobs: FailedJob[];
  next: string | null;
}

export interface JobWithData extends FailedJob {
  data: Record<string, unknown>;
}

export interface Retried {
  retried: number;
  cancelled: number;
  left: number;
}

export interface Action {
  id: number;
  at: string;
  actor: UserRef;
  action: ActionName;
  target: string;
  detail: Record<string, unknown> | null;
  request_id: string;
}

export type ActionName =
  | "user.ban"
  | "user.unban"
  | "user.change"
  | "user.close"
  | "user.sign-out"
  | "room.delete"
  | "message.delete"
  | "client.create"
  | "client.revoke"
  | "job.retry"
  | "job.retry-all"
  | "queue.change";

export interface Actions {
  actions: Action[];
  next: string | null;
}

interface Check {
  ok: boolean;
  detail: string;
}

export interface Health {
  status: "ready" | "not ready";
  checks: Record<"postgres" | "queue" | "worker" | "backlog" | "tail", Check>;
  parked_reads: number;
  warnings: string[];
  version: string;
  node: string;
  process: { uptime_s: number; memory_bytes: number };
  queue: {
    carried_by: "redis" | "postgres";
    shards: number;
    waiting: number;
    active: number;
    delayed: number;
    failed: number;
    completed: number;
  } | null;
  database: {
    version: string;
    size_bytes: number;
    tables: { name: string; rows: number; size_bytes: number }[];
    log: { head: number; oldest: number | null; oldest_at: string | null };
  } | null;
}
