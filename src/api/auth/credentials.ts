import { type EntityManager, oneRow, rows } from "../../shared/db/database.ts";
import { AppError } from "../../shared/errors.ts";
import { channels } from "../../shared/log/entry.ts";
import type { Logger } from "../../shared/logger.ts";
import { Memory } from "../memory.ts";

export const scopes = ["read", "write", "admin"] as const;
export type Scopes = readonly (typeof scopes)[number][];

interface KnownSession {
  readonly userId: number;
  readonly expiresAt: Date;
}

interface KnownToken {
  readonly id: number;
  readonly userId: number;
  readonly expiresAt: Date | null;
}

export interface KnownClient {
  readonly id: string;
  readonly secretHash: Uint8Array;
  readonly scopes: Scopes;
}

/** What a credential is called, where one has to be named: in the log, and when it ends. */
export type CredentialName = `session:${string}` | `token:${string}` | `client:${string}` | `user:${string}`;

/** What runs in the name of a credential, and ends with it. */
interface Endable {
  abort(reason: unknown): void;
}

const TOUCH_EVERY_MS = 60_000;
const MOST_TOUCHED = 50_000;

/**
 * What shows who is asking, remembered until the database says that it has ended. A request that is running when its
 * credential ends is ended with it.
 */
export class Credentials {
  readonly #em: EntityManager;
  readonly #log: Logger;
  readonly #sessions: Memory<string, KnownSession>;
  readonly #tokens: Memory<string, KnownToken>;
  readonly #clients: Memory<string, KnownClient>;
  readonly #running = new Map<CredentialName, Set<Endable>>();
  readonly #touched = new Map<CredentialName, number>();
  /** What has ended since this process started; nothing of it comes back. */
  readonly #ended = new Set<CredentialName>();

  constructor({ em, log }: { em: EntityManager; log: Logger }) {
    this.#em = em;
    this.#log = log;
    this.#sessions = new Memory((id) => oneRow(em, sessionSql, [id]).then(withDate<KnownSession>));
    this.#tokens = new Memory((hash) => oneRow(em, tokenSql, [Buffer.from(hash, "hex")]).then(withDate<KnownToken>));
    this.#clients = new Memory((id) => oneRow<KnownClient>(em, clientSql, [id]));
  }

  get lookups() {
    return { sessions: this.#sessions.lookups, tokens: this.#tokens.lookups, clients: this.#clients.lookups };
  }

  async session(id: string): Promise<KnownSession> {
    let session = await this.#sessions.get(id);
    if (session && isOver(session)) {
      // It may have been refreshed through another process since this one looked.
      this.#sessions.forget(id);
      session = await this.#sessions.get(id);
    }
    if (!session || isOver(session)) throw ended();
    this.#touch(`session:${id}`, "update sessions set last_used_at = now() where id = $1", id);
    return session;
  }

  async token(hash: Buffer): Promise<KnownToken> {
    const token = await this.#tokens.get(hash.toString("hex"));
    if (!token) throw new AppError("token_invalid", "The token is not one of ours, or was revoked");
    if (token.expiresAt && token.expiresAt.getTime() <= Date.now()) {
      throw new AppError("token_expired", "The token has expired");
    }
    this.#touch(`token:${token.id}`, "update api_tokens set last_used_at = now() where id = $1", token.id);
    return token;
  }

  async client(id: string): Promise<KnownClient | undefined> {
    return this.#clients.get(id);
  }

  /** For what was shown a moment ago and is used only now. */
  async assertHolds(name: CredentialName): Promise<void> {
    const id = name.slice(name.indexOf(":") + 1);
    if (name.startsWith("session:")) await this.session(id);
    const gone =
      this.#ended.has(name) ||
      (name.startsWith("client:") && !(await this.client(id))) ||
      (name.startsWith("token:") && !(await oneRow(this.#em, tokenHoldsSql, [id])));
    if (gone) throw new AppError("token_invalid", "What this stood for was revoked meanwhile");
  }

  touchClient(id: string): void {
    this.#touch(`client:${id}`, "update api_clients set last_used_at = now() where id = $1", id);
  }

  /** From here to the call of what it returns, the end of one of these credentials ends the request. */
  attach(names: readonly CredentialName[], request: Endable): () => void {
    for (const name of names) {
      // It ended after it was looked at and before this: nobody would tell the request any more.
      if (this.#ended.has(name)) request.abort(ended());
      const running = this.#running.get(name);
      if (running) running.add(request);
      else this.#running.set(name, new Set([request]));
    }
    return () => {
      for (const name of names) {
        const running = this.#running.get(name);
        running?.delete(request);
        if (running?.size === 0) this.#running.delete(name);
      }
    };
  }

  /** From the tail: what was announced, or nothing where something may have been announced unheard. */
  hear(announced: string | undefined): void {
    if (announced?.startsWith(RETURN)) this.#ended.delete(announced.slice(RETURN.length) as CredentialName);
    else this.forget(announced as CredentialName | undefined);
  }

  /** This credential has ended, or all may have, unheard. */
  forget(name: CredentialName | undefined): void {
    if (name === undefined) {
      this.#forgetAll();
      return;
    }
    if (this.#ended.size >= MOST_TOUCHED) this.#ended.clear();
    this.#ended.add(name);
    const id = name.slice(name.indexOf(":") + 1);
    if (name.startsWith("session:")) this.#sessions.forget(id);
    else if (name.startsWith("client:")) this.#clients.forget(id);
    // Tokens are remembered by their hash, which nobody tells; one is seldom revoked.
    else this.#tokens.clear();
    this.#end(name);
  }

  #forgetAll(): void {
    for (const memory of [this.#sessions, this.#tokens, this.#clients]) memory.clear();
    // Who was banned may be back, and who was not may be banned: the directory asks again, and so does this.
    for (const name of this.#ended) if (name.startsWith("user:")) this.#ended.delete(name);
    this.#endThoseOfNobody().catch((error: unknown) =>
      this.#log.warn({ reason: String(error) }, "could not look who is still there"),
    );
    for (const name of this.#running.keys()) {
      // What ended unheard ends its running requests now.
      this.assertHolds(name).catch((error: unknown) => {
        if (error instanceof AppError) this.#end(name);
      });
    }
  }

  /** In one question, however many wait here: what they showed may hold while they themselves may not ask any more. */
  async #endThoseOfNobody(): Promise<void> {
    const ids = [...this.#running.keys()].filter((name) => name.startsWith("user:")).map((name) => name.slice(5));
    if (ids.length === 0) return;
    for (const { id } of await rows<{ id: number }>(this.#em, nobodySql, [ids])) this.#end(`user:${id}`);
  }

  #end(name: CredentialName): void {
    for (const request of [...(this.#running.get(name) ?? [])]) request.abort(ended());
  }

  /** Once a minute is enough to tell when something was last used. */
  #touch(name: CredentialName, sql: string, id: string | number): void {
    const now = Date.now();
    if (now - (this.#touched.get(name) ?? 0) < TOUCH_EVERY_MS) return;
    // Forgetting all of them now and then costs a write each, and keeps those of ended sessions from piling up.
    if (this.#touched.size >= MOST_TOUCHED) this.#touched.clear();
    this.#touched.set(name, now);
    rows(this.#em, sql, [id]).catch((error: unknown) =>
      this.#log.warn({ reason: String(error) }, "last use not noted"),
    );
  }
}

const isOver = ({ expiresAt }: KnownSession): boolean => expiresAt.getTime() <= Date.now();

const ended = (): AppError => new AppError("session_ended", "The session has ended; sign in again");

const withDate = <T>(row: unknown): T | undefined => {
  if (row === undefined) return undefined;
  const { expiresAt, ...rest } = row as { expiresAt: string | null };
  return { ...rest, expiresAt: expiresAt === null ? null : new Date(expiresAt) } as T;
};

/** Inside the transaction that ends a credential: every process hears of it once it commits. */
export async function announceEnd(tx: EntityManager, names: readonly CredentialName[]): Promise<void> {
  await rows(tx, "select pg_notify($1, name) from unnest($2::text[]) as t (name)", [channels.credentials, names]);
}

const RETURN = "return:";

/** Inside the transaction that lets a user in again: what is begun in their name from then on is not ended any more. */
export async function announceReturn(tx: EntityManager, userId: number): Promise<void> {
  await rows(tx, "select pg_notify($1, $2)", [channels.credentials, `${RETURN}user:${userId}`]);
}

const sessionSql = `
  select user_id as "userId", expires_at as "expiresAt" from sessions where id = $1 and ended_at is null`;
const tokenSql = `
  select id, user_id as "userId", expires_at as "expiresAt" from api_tokens where hash = $1 and revoked_at is null`;
const tokenHoldsSql = "select id from api_tokens where id = $1 and revoked_at is null";
const nobodySql = `
  select id from users where id = any($1::bigint[]) and (deactivated_at is not null or banned_at is not null)`;
const clientSql = `
  select id, secret_hash as "secretHash", scopes from api_clients where id = $1 and revoked_at is null`;
