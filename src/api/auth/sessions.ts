import { type EntityManager, inTransaction, oneRow, rows } from "../../shared/db/database.ts";
import { AppError } from "../../shared/errors.ts";
import type { ApiDeps } from "../deps.ts";
import { isoTime } from "../http/schemas.ts";
import { presentOwnUser, type UserRow, userColumns } from "../users/present.ts";
import { ACCESS_TOKEN_S } from "./access-tokens.ts";
import { announceEnd, type CredentialName } from "./credentials.ts";
import { hashSecret, newSecret, prefixes } from "./secrets.ts";

/** A session ends this long after its last refresh. */
const SESSION_LIFE = "30 days";
/** Two tabs may refresh with the same token at the same moment; later than this it is somebody who stole it. */
const GRACE_MS = 10_000;

/** What a sign-in and a refresh answer. */
export async function signedIn(user: UserRow, sessionId: string, refreshToken: string, { accessTokens }: ApiDeps) {
  return {
    access_token: await accessTokens.sign({ userId: user.id, sessionId }),
    token_type: "Bearer" as const,
    expires_in: ACCESS_TOKEN_S,
    refresh_token: refreshToken,
    user: presentOwnUser(user),
  };
}

export async function openSession(user: UserRow, userAgent: string, deps: ApiDeps) {
  const sessionId = deps.newId();
  const refreshToken = newSecret(prefixes.refreshToken);
  await inTransaction(deps.em, async (tx) => {
    await rows(
      tx,
      `insert into sessions (id, user_id, user_agent, expires_at)
       values ($1, $2, $3, now() + interval '${SESSION_LIFE}')`,
      [sessionId, user.id, userAgent.slice(0, 200)],
    );
    await insertRefreshToken(tx, refreshToken, sessionId);
  });
  return signedIn(user, sessionId, refreshToken, deps);
}

const insertRefreshToken = (tx: EntityManager, token: string, sessionId: string) =>
  rows(tx, "insert into refresh_tokens (hash, session_id) values ($1, $2)", [hashSecret(token), sessionId]);

interface FoundToken {
  readonly session_id: string;
  readonly user_id: number;
  /** How long ago the token was used; null for one that was not. */
  readonly used_ms_ago: number | null;
  readonly is_over: boolean;
}

/**
 * Each refresh token is good for one use. A second use within a few seconds is two tabs at once and gets a token of
 * its own; a later one is a thief, or the victim of one, and ends the session for both.
 */
export async function refreshSession(refreshToken: string, deps: ApiDeps) {
  const next = newSecret(prefixes.refreshToken);
  const outcome = await inTransaction(deps.em, async (tx) => {
    const found = await oneRow<FoundToken>(tx, findTokenSql, [hashSecret(refreshToken)]);
    if (!found) return undefined;
    if (found.is_over) return "ended" as const;
    if (found.used_ms_ago !== null && found.used_ms_ago > GRACE_MS) {
      await endSessions(tx, "id = $1", [found.session_id]);
      return "ended" as const;
    }
    await rows(tx, "update refresh_tokens set used_at = coalesce(used_at, now()) where hash = $1", [
      hashSecret(refreshToken),
    ]);
    await rows(
      tx,
      `update sessions set last_used_at = now(), expires_at = now() + interval '${SESSION_LIFE}' where id = $1`,
      [found.session_id],
    );
    await insertRefreshToken(tx, next, found.session_id);
    const user = await oneRow<UserRow>(
      tx,
      `select ${userColumns} from users where id = $1 and deactivated_at is null`,
      [found.user_id],
    );
    return user ? { user, sessionId: found.session_id } : ("ended" as const);
  });
  if (outcome === undefined) throw new AppError("token_invalid", "The refresh token is not one of ours");
  if (outcome === "ended") throw new AppError("session_ended", "The session has ended; sign in again");
  return signedIn(outcome.user, outcome.sessionId, next, deps);
}

const findTokenSql = `
  select t.session_id, s.user_id, extract(epoch from now() - t.used_at)::float8 * 1000 as used_ms_ago,
    (s.ended_at is not null or s.expires_at <= now()) as is_over
  from refresh_tokens t join sessions s on s.id = t.session_id
  where t.hash = $1
  for update of t`;

/** Ends the sessions of a condition, and with their commit every request that runs in one of them. */
export async function endSessions(
  tx: EntityManager,
  where: string,
  parameters: readonly unknown[],
): Promise<CredentialName[]> {
  const ended = await rows<{ id: string }>(
    tx,
    `update sessions set ended_at = now() where ended_at is null and ${where} returning id`,
    parameters,
  );
  const names = ended.map(({ id }) => `session:${id}` as const);
  if (names.length > 0) await announceEnd(tx, names);
  return names;
}

export async function endSession(id: string, userId: number, { em, credentials }: ApiDeps): Promise<void> {
  const ended = await inTransaction(em, (tx) => endSessions(tx, "id = $1 and user_id = $2", [id, userId]));
  if (ended.length === 0) throw new AppError("session_not_found", `No session ${id} of yours is open`);
  // The tail will say so too; this process need not wait for it.
  for (const name of ended) credentials.forget(name);
}

export async function listSessions(userId: number, currentId: string | undefined, { em }: ApiDeps) {
  const found = await rows<{
    id: string;
    user_agent: string;
    created_at: string;
    last_used_at: string;
    expires_at: string;
  }>(
    em,
    `select id, user_agent, created_at, last_used_at, expires_at from sessions
     where user_id = $1 and ended_at is null and expires_at > now() order by id desc`,
    [userId],
  );
  return found.map((session) => ({
    ...session,
    created_at: isoTime(session.created_at),
    last_used_at: isoTime(session.last_used_at),
    expires_at: isoTime(session.expires_at),
    is_current: session.id === currentId,
  }));
}
