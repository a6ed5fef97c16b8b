import type { PostgreSqlConnection } from "@mikro-orm/postgresql";
import { createPostgresBackend, type PostgresConnectionOptions, Queue, runMigrations, Worker } from "bullmq";
import type pg from "pg";
import { RateLimiterPostgres } from "rate-limiter-flexible";
import { connect } from "../db/connect.ts";
import { oneRow, rows } from "../db/database.ts";
import { createPostgresStore } from "../store/postgres-store.ts";
import { within } from "../within.ts";
import {
  type Backend,
  type BackendOptions,
  defaultJobOptions,
  limiterOptions,
  telemetryOf,
  workerOptionsFor,
} from "./backend.ts";
import { Shards } from "./shards.ts";

const COUNT_WITHIN_MS = 500;
/** BullMQ's own schema lives beside ours, in a namespace of its own. */
const SCHEMA = "bullmq";

export async function openPostgres({ env, em, closers, log, tracing }: BackendOptions): Promise<Backend> {
  if (!env.DATABASE_URL) throw new Error("DATABASE_URL is not set");
  const connection: PostgresConnectionOptions = {
    connectionString: env.DATABASE_URL,
    schema: SCHEMA,
    // Each queue has connections of its own.
    max: Math.max(2, Math.ceil(env.DATABASE_POOL / env.QUEUE_SHARDS)),
    connectionTimeoutMillis: 2_000,
  };
  const telemetry = telemetryOf({ tracing });
  const queueOptions = { connection, defaultJobOptions, ...telemetry };
  const shards = new Shards({
    env,
    log,
    closers,
    open: (name) => new Queue(name, queueOptions, createPostgresBackend) as unknown as Queue,
    async holdingJobs(names) {
      return (await rows<{ name: string }>(em, holdingJobsSql, [names])).map(({ name }) => name);
    },
  });
  await shards.start();
  const pool = await (em.getConnection() as PostgreSqlConnection).getNativeClient();
  // Counting must not hang with the database: it goes on in memory.
  const counting = { query: (query: pg.QueryConfig) => within(COUNT_WITHIN_MS, pool.query(query)) };
  const inTable = { storeClient: counting, storeType: "client", tableName: "rate_limits", tableCreated: true };
  return {
    kind: "postgres",
    queues: shards.all,
    queueFor: (line) => shards.queueFor(line),
    onFound: (listener) => shards.onFound(listener),
    store: createPostgresStore(em),
    async sharedTime() {
      const row = await oneRow<{ ms: number }>(em, "select extract(epoch from clock_timestamp())::float8 * 1000 as ms");
      return row?.ms ?? Date.now();
    },
    async ping() {
      await oneRow(em, "select 1");
    },
    async nextAddedAt() {
      const names = shards.all.map(({ name }) => name);
      return (await oneRow<{ at: number | null }>(em, nextSql, [names]))?.at ?? undefined;
    },
    createLimiter: (options) => new RateLimiterPostgres({ ...inTable, ...limiterOptions(env, options) }),
    createWorker: ({ name }, process) =>
      new Worker(
        name,
        process,
        { connection, ...workerOptionsFor(env), ...telemetry },
        createPostgresBackend,
      ) as unknown as Worker,
  };
}

/** Here BullMQ's own question answers the newest first, whichever end is asked for. */
const nextSql = `
  select min(next.added_at_ms) as at from unnest($1::text[]) as q (name)
  cross join lateral (
    select added_at_ms from ${SCHEMA}.job where queue = q.name and state = 'waiting' order by priority, seq limit 1
  ) next`;

/** One question for each state, because each has an index of its own. */
const holdingJobsSql = `
  select q.name from unnest($1::text[]) as q (name)
  where ${["waiting", "active", "delayed", "failed", "completed"]
    .map((state) => `exists (select from ${SCHEMA}.job where queue = q.name and state = '${state}')`)
    .join(" or ")}`;

/** Brings BullMQ's schema up to date; needed only where Postgres carries the queue. */
export async function migrateQueue(databaseUrl: string): Promise<void> {
  const client = await connect(databaseUrl, "parley migrate");
  try {
    await runMigrations(client, SCHEMA);
  } finally {
    await client.end();
  }
}
