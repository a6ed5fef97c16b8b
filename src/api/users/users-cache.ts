import { createHash, randomUUID } from "node:crypto";
import { type EntityManager, rows } from "../../shared/db/database.ts";
import { channels } from "../../shared/log/entry.ts";
import type { Logger } from "../../shared/logger.ts";
import { keys, type Store, ttl } from "../../shared/store/store.ts";

export interface CachedPage {
  readonly json: string;
  readonly hit: boolean;
}

interface UsersCacheDeps {
  readonly backend: { readonly store: Store };
  readonly log: Logger;
}

/**
 * A page of the users list, from the store or made anew. Pages are kept under a version; a change to any user drops
 * the version after its commit. A page that was read just before the change may still be written just after it, but
 * under the old version, where nobody looks any more.
 */
export async function cachedPage(
  query: object,
  make: () => Promise<string>,
  { backend, log }: UsersCacheDeps,
): Promise<CachedPage> {
  const { store } = backend;
  const without = (error: unknown): undefined =>
    void log.warn({ reason: String(error) }, "the users list is served without its cache");
  const key = await pageKey(query, store).catch(without);
  const cached = key === undefined ? null : await store.get(key).catch(without);
  if (cached) return { json: cached, hit: true };
  const json = await make();
  if (key !== undefined) await store.set(key, json, ttl.usersPageMs).catch(without);
  return { json, hit: false };
}

async function pageKey(query: object, store: Store): Promise<string> {
  const version =
    (await store.get(keys.usersVersion())) ??
    (await store.setIfAbsent(keys.usersVersion(), randomUUID(), ttl.usersVersionMs));
  return keys.usersPage(version, createHash("sha256").update(JSON.stringify(query)).digest("base64url"));
}

/** After the commit, and before the answer: whoever changed a user reads the change. */
export async function dropUsersCache({ backend, log }: UsersCacheDeps): Promise<void> {
  try {
    await backend.store.delete(keys.usersVersion());
  } catch (error) {
    log.warn({ reason: String(error) }, "the users cache could not be dropped");
  }
}

/** Inside the transaction: every process forgets what it knows of this user once it commits. */
export async function announceUser(tx: EntityManager, userId: number): Promise<void> {
  await rows(tx, "select pg_notify($1, $2)", [channels.users, String(userId)]);
}
