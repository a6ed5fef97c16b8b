import { oneRow, rows } from "../../shared/db/database.ts";
import { userNotFound } from "../../shared/policies.ts";
import { listSessions } from "../auth/sessions.ts";
import { listTokens } from "../auth/tokens.ts";
import type { ApiDeps } from "../deps.ts";
import { isoTime, isoTimeOrNull } from "../http/schemas.ts";
import { escapeLike } from "../users/list-users.ts";
import type { AdminUserView, ListAdminUsers } from "./schemas.ts";

interface AdminUserRow {
  readonly id: number;
  readonly username: string;
  readonly email: string | null;
  readonly first_name: string;
  readonly last_name: string;
  readonly is_admin: boolean;
  readonly created_at: string;
  readonly deactivated_at: string | null;
  readonly banned_at: string | null;
  readonly ban_reason: string | null;
  readonly last_used_at: string | null;
  readonly session_count: number;
  readonly token_count: number;
}

/** Everybody there is and was, the newest first. */
export async function listAdminUsers({ q, state, limit, after }: ListAdminUsers, { em }: ApiDeps) {
  const found = await rows<AdminUserRow>(em, listSql(state), [
    after ?? null,
    limit + 1,
    q ? `%${escapeLike(q)}%` : null,
    q && /^\d{1,15}$/.test(q) ? q : null,
  ]);
  const users = found.slice(0, limit).map(present);
  return { users, next: found.length > limit ? String(users.at(-1)!.id) : null };
}

export async function getAdminUser(id: number, deps: ApiDeps): Promise<AdminUserView> {
  const row = await oneRow<AdminUserRow>(deps.em, `${userSql} where u.id = $1`, [id]);
  if (!row) throw userNotFound(id);
  return present(row);
}

/** Also where they are signed in, and the tokens of their bots. */
export async function getAdminUserWithAccess(id: number, deps: ApiDeps) {
  const [user, sessions, tokens] = await Promise.all([
    getAdminUser(id, deps),
    listSessions(id, undefined, deps),
    listTokens(id, deps),
  ]);
  return { ...user, sessions: sessions.map(({ is_current: _, ...session }) => session), tokens };
}

const present = (row: AdminUserRow): AdminUserView => ({
  ...row,
  state: row.deactivated_at !== null ? "deactivated" : row.banned_at !== null ? "banned" : "active",
  created_at: isoTime(row.created_at),
  deactivated_at: isoTimeOrNull(row.deactivated_at),
  banned_at: isoTimeOrNull(row.banned_at),
  last_used_at: isoTimeOrNull(row.last_used_at),
});

const userSql = `
  select u.id, u.username, u.email, u.first_name, u.last_name, u.is_admin, u.created_at, u.deactivated_at, u.banned_at,
    u.ban_reason, s.last_used_at, s.session_count, t.token_count
  from users u
  cross join lateral (
    select max(last_used_at) as last_used_at, count(*) filter (where expires_at > now()) as session_count
    from sessions where user_id = u.id and ended_at is null
  ) s
  cross join lateral (
    select count(*) as token_count from api_tokens where user_id = u.id and revoked_at is null
  ) t`;

const inState = {
  active: "u.deactivated_at is null and u.banned_at is null",
  banned: "u.deactivated_at is null and u.banned_at is not null",
  deactivated: "u.deactivated_at is not null",
  admin: "u.is_admin and u.deactivated_at is null",
} as const;

const listSql = (state: keyof typeof inState | undefined): string => `
  ${userSql}
  where ($1::bigint is null or u.id < $1) ${state ? `and ${inState[state]}` : ""}
    and ($3::text is null or u.username ilike $3 or u.email ilike $3 or u.first_name || ' ' || u.last_name ilike $3
      or u.id = $4::bigint)
  order by u.id desc
  limit $2`;
