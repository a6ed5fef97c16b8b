import type { Backend } from "./backend/backend.ts";
import { openBackend } from "./backend/open-backend.ts";
import { SharedClock } from "./clock.ts";
import type { Closers } from "./closers.ts";
import { type EntityManager, oneRow, openDatabase } from "./db/database.ts";
import type { PoolManners } from "./db/pool.ts";
import type { Env } from "./env.ts";
import { createIds } from "./ids.ts";
import type { Logger } from "./logger.ts";
import { Metrics } from "./metrics/metrics.ts";
import { tellShared } from "./metrics/shared-figures.ts";
import { openTracing, type Tracing } from "./tracing/tracing.ts";

/** What every process has: settings, database, queue and store, time and ids. */
export interface Deps {
  readonly env: Env;
  readonly log: Logger;
  /** Of no request and no transaction: `rows` and `inTransaction` take it, nothing is ever loaded into it. */
  readonly em: EntityManager;
  readonly backend: Backend;
  /** Milliseconds on the clock that all processes share. */
  readonly now: () => number;
  /** A UUIDv7; never goes backwards. */
  readonly newId: () => string;
  /** What is told to Prometheus. */
  readonly metrics: Metrics;
  /** Undefined where no traces are wanted. */
  readonly tracing?: Tracing | undefined;
}

export interface DepsOptions extends Omit<PoolManners, "tracing"> {
  readonly env: Env;
  readonly log: Logger;
  readonly closers: Closers;
  /** What its traces call it. */
  readonly service?: string;
}

export async function openDeps({ env, log, closers, service = "parley", ...manners }: DepsOptions): Promise<Deps> {
  if (!env.DATABASE_URL) throw new Error("DATABASE_URL is not set");
  // First, so that it is closed last and tells of all that happens until then.
  const tracing = await openTracing({ env, log, closers, service });
  const database = { url: env.DATABASE_URL, poolSize: env.DATABASE_POOL, log, tracing };
  const orm = await openDatabase({ ...database, ...manners });
  closers.add("database", () => orm.close());
  await databaseReady(orm.em, log);
  const backend = await openBackend({ env, em: orm.em, closers, log, tracing });
  const clock = new SharedClock(() => backend.sharedTime());
  await clock.start();
  closers.add("clock", async () => clock.stop());
  const metrics = new Metrics();
  tellShared(metrics, { em: orm.em, backend, now: clock.now });
  return { env, log, em: orm.em, backend, now: clock.now, newId: createIds(clock.now), metrics, tracing };
}

const WAIT_MS = { first: 200, most: 1_000 };

/** Waits as long as it takes: a process that starts before Postgres is there is early, not wrong. */
async function databaseReady(em: EntityManager, log: Logger): Promise<void> {
  for (let waitMs = WAIT_MS.first; ; waitMs = Math.min(waitMs * 2, WAIT_MS.most)) {
    try {
      await oneRow(em, "select 1");
      return;
    } catch (error) {
      log.warn({ reason: error instanceof Error ? error.message : String(error) }, "waiting for Postgres");
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }
}
