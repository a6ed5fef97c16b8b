import { randomBytes } from "node:crypto";
import { type ApiDeps, openApiDeps } from "../src/api/deps.ts";
import { listen } from "../src/api/listen.ts";
import { Closers } from "../src/shared/closers.ts";
import { type Env, readEnv } from "../src/shared/env.ts";
import { createLogger } from "../src/shared/logger.ts";
import { openWorkerDeps } from "../src/worker/deps.ts";
import { startWorker } from "../src/worker/worker.ts";
import { freshDatabase, hasRedis, services } from "./services.ts";

export type BackendKind = "redis" | "postgres";

/** Both ways to carry the queue, for what must hold on either: `for (const kind of backends) describe(kind, …)`. */
export const backends: readonly BackendKind[] = ["redis", "postgres"];

export interface Api {
  readonly url: string;
  readonly deps: ApiDeps;
  /** Every statement that it has sent to Postgres for somebody who asked, in order. */
  readonly statements: string[];
  /** Those that nobody asked for. */
  readonly chores: string[];
  close(): Promise<void>;
}

/** The first API is the world's own; it closes with the world. */
export interface World extends Api {
  readonly env: Env;
  /** A worker in this process; call it again for a second one. Answers how to close it. */
  startWorker(overrides?: Record<string, string>): Promise<() => Promise<void>>;
  /** Another API on the same database and queue. */
  startApi(overrides?: Record<string, string>): Promise<Api>;
}

export interface WorldOptions {
  readonly backend?: BackendKind;
  readonly worker?: boolean;
  readonly env?: Record<string, string>;
}

/** A system of its own: a database, a queue, an API and a worker, all real, in this process. */
export async function buildWorld({ backend, worker = true, env: extra = {} }: WorldOptions = {}): Promise<World> {
  const closers = new Closers();
  const database = await freshDatabase();
  closers.add("database", () => database.drop());
  const kind = backend ?? (hasRedis() ? "redis" : "postgres");
  const settings = {
    NODE_ENV: "test",
    HOST: "127.0.0.1",
    PORT: "0",
    AUTH_MODE: "demo",
    LOG_LEVEL: process.env["TEST_LOG"] ?? "silent",
    DATABASE_URL: database.url,
    ...(kind === "redis" && { REDIS_URL: services().redisUrl }),
    QUEUE_NAME: `test-${randomBytes(6).toString("hex")}`,
    ...extra,
  };
  const env = readEnv(settings);
  const startApi = async (overrides: Record<string, string> = {}): Promise<Api> => {
    const statements: string[] = [];
    const chores: string[] = [];
    const onStatement = (sql: string) => (isChore(sql) ? chores : statements).push(sql);
    const own = new Closers();
    const apiEnv = readEnv({ ...settings, ...overrides });
    const deps = await openApiDeps({ env: apiEnv, log: createLogger(apiEnv, "api"), closers: own, onStatement });
    const url = await listen(deps, own);
    const close = once(() => own.closeAll(failToClose));
    closers.add("api", close);
    return { url, deps, statements, chores, close };
  };
  const start = async (overrides: Record<string, string> = {}) => {
    const own = new Closers();
    const workerEnv = readEnv({ ...settings, ...overrides });
    const deps = await openWorkerDeps({ env: workerEnv, log: createLogger(workerEnv, "worker"), closers: own });
    await startWorker(deps, own);
    const close = once(() => own.closeAll(failToClose));
    closers.add("worker", close);
    return close;
  };
  const api = await startApi();
  if (worker) await start();
  // Once, when the file is through: what can't be closed fails it.
  return { ...api, env, startApi, startWorker: start, close: () => closers.closeAll(failToClose) };
}

/** What was delivered is written down every now and then, whoever asks meanwhile. */
const isChore = (sql: string): boolean => sql.includes("insert into deliveries");

function failToClose(name: string, cause: unknown): never {
  throw new Error(`could not close ${name}`, { cause });
}

function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => {
    done ??= work();
    return done;
  };
}
