import { createHash, randomUUID } from "node:crypto";
import { type EntityManager, rows } from "../../shared/db/database.ts";
import { channels } from "../../shared/log/entry.ts";
import type { Logger } from "../../shared/logger.ts";
import { keys, type Store, ttl } from "../../shared/store/store.ts";
import type { Lookups } from "../memory.ts";

export interface CachedPage {
  readonly page: Page;
  readonly hit: boolean;
}

/** A page as it goes out. */
export interface Page {
  readonly json: Buffer;
  readonly etag: string;
}

/** What this process keeps of the store: at most so many pages, none larger than this. */
const AT_HAND = { most: 16, bytes: 1_000_000 };
/** By their keys in the store: under one key there is never another page. */
const atHand = new Map<string, { readonly page: Page; readonly until: number }>();

interface UsersCacheDeps {
  readonly backend: { readonly store: Store };
  readonly log: Logger;
}

/**
 * A page of the users list, from the store or made anew. Pages are kept under a version; a change to any user drops
 * the version after its commit. A page that was read just before the change may still be written just after it, but
 * under the old version, where nobody looks any more. The store is asked for the version each time, and for a page once.
 */
export async function cachedPage(
  query: object,
  make: () => Promise<string>,
  deps: UsersCacheDeps & { readonly usersPages: Lookups },
): Promise<CachedPage> {
  const found = await pageOf(query, make, deps);
  deps.usersPages.count(found.hit);
  return found;
}

async function pageOf(
  query: object,
  make: () => Promise<string>,
  { backend, log }: UsersCacheDeps,
): Promise<CachedPage> {
  const { store } = backend;
  const without = (error: unknown): undefined =>
    void log.warn({ reason: String(error) }, "the users list is served without its cache");
  const key = await pageKey(query, store).catch(without);
  const kept = key === undefined ? undefined : atHand.get(key);
  if (kept && kept.until > performance.now()) return { page: kept.page, hit: true };
  const cached = key === undefined ? null : await store.get(key).catch(without);
  const json = cached ?? (await make());
  const page = { json: Buffer.from(json), etag: etagOf(json) };
  if (key !== undefined) keepAtHand(key, page);
  if (key !== undefined && !cached) await store.set(key, json, ttl.usersPageMs).catch(without);
  return { page, hit: Boolean(cached) };
}

const etagOf = (json: string): string => `"${createHash("sha256").update(json).digest("base64url").slice(0, 27)}"`;

function keepAtHand(key: string, page: Page): void {
  if (page.json.length > AT_HAND.bytes) return;
  // The oldest goes: a map remembers the order in which it was filled.
  if (atHand.size >= AT_HAND.most) atHand.delete(atHand.keys().next().value!);
  atHand.set(key, { page, until: performance.now() + ttl.usersPageMs });
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
