import { type EntityManager, rows } from "../../shared/db/database.ts";
import { AppError } from "../../shared/errors.ts";
import { userNotFound } from "../../shared/policies.ts";
import { announceEnd, announceReturn, type CredentialName } from "../auth/credentials.ts";
import { endSessions } from "../auth/sessions.ts";
import type { Scope } from "../http/route.ts";
import { changeUsers } from "../users/create-user.ts";
import { recordAction } from "./actions.ts";

/**
 * Nobody asks in their name any more, from now on and in every process. What they said stays, and what was accepted
 * from them before is stored: a 202 is a promise to those they wrote to as well.
 */
export async function banUser(id: number, reason: string | undefined, scope: Scope): Promise<void> {
  const { caller, deps } = scope;
  if (id === caller.id) throw new AppError("not_allowed", "You can't ban yourself");
  let ended: CredentialName[] = [];
  await changeUsers(deps, async (tx) => {
    await holdBoth(tx, id, caller.id);
    await rows(tx, "update users set banned_at = coalesce(banned_at, now()), ban_reason = $2 where id = $1", [
      id,
      reason || null,
    ]);
    ended = await endAccess(tx, id);
    // Heard from the tail here too: unlike the others it may be taken back, and what is heard is heard in order.
    await announceEnd(tx, [`user:${id}`]);
    await recordAction(tx, { action: "user.ban", target: id, ...(reason && { detail: { reason } }) }, scope);
    return id;
  });
  for (const name of ended) deps.credentials.forget(name);
}

/** They may sign in again; what was ended stays so. */
export async function unbanUser(id: number, scope: Scope): Promise<void> {
  const { caller, deps } = scope;
  await changeUsers(deps, async (tx) => {
    const { banned } = await holdBoth(tx, id, caller.id);
    if (!banned) return id;
    await rows(tx, "update users set banned_at = null, ban_reason = null where id = $1", [id]);
    // One that began in the very moment of the ban, and has been good for nothing since.
    await endAccess(tx, id);
    await announceReturn(tx, id);
    await recordAction(tx, { action: "user.unban", target: id }, scope);
    return id;
  });
}

/** Ends every session, and every token of a bot; the account stays as it is. */
export async function signOutEverywhere(id: number, scope: Scope): Promise<void> {
  const { deps } = scope;
  let ended: CredentialName[] = [];
  await changeUsers(deps, async (tx) => {
    await holdBoth(tx, id, scope.caller.id);
    ended = await endAccess(tx, id);
    await recordAction(tx, { action: "user.sign-out", target: id }, scope);
    return id;
  });
  for (const name of ended) deps.credentials.forget(name);
}

interface Held {
  readonly id: number;
  readonly is_admin: boolean;
  readonly banned: boolean;
}

/** In the order of their ids: of two admins who ban each other at the same moment the second is no admin any more. */
async function holdBoth(tx: EntityManager, userId: number, callerId: number): Promise<Held> {
  const held = await rows<Held>(
    tx,
    `select id, is_admin, banned_at is not null as banned from users
     where id = any($1::bigint[]) and deactivated_at is null order by id for no key update`,
    [[userId, callerId]],
  );
  const caller = held.find(({ id }) => id === callerId);
  if (!caller?.is_admin || caller.banned) throw new AppError("not_allowed", "Only an admin may do this");
  const user = held.find(({ id }) => id === userId);
  if (!user) throw userNotFound(userId);
  return user;
}

async function endAccess(tx: EntityManager, userId: number): Promise<CredentialName[]> {
  const sessions = await endSessions(tx, "user_id = $1", [userId]);
  const revoked = await rows<{ id: number }>(
    tx,
    "update api_tokens set revoked_at = now() where user_id = $1 and revoked_at is null returning id",
    [userId],
  );
  const tokens = revoked.map(({ id }) => `token:${id}` as const);
  if (tokens.length > 0) await announceEnd(tx, tokens);
  return [...sessions, ...tokens];
}
