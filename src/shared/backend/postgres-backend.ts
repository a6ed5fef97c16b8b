import type { PostgreSqlConnection } from "@mikro-orm/postgresql";
import { createPostgresBackend, type PostgresConnectionOptions, Queue, runMigrations, Worker } from "bullmq";
import pg from "pg";
import { RateLimiterPostgres } from "rate-limiter-flexible";
import { oneRow } from "../db/database.ts";
import { workerOptions } from "../jobs/catalog.ts";
import { createPostgresStore } from "../store/postgres-store.ts";
import { within } from "../within.ts";
import { type Backend, type BackendOptions, defaultJobOptions, limiterOptions } from "./backend.ts";

const COUNT_WITHIN_MS = 500;
/** BullMQ's own schema lives beside ours, in a namespace of its own. */
const SCHEMA = "bullmq";

export async function openPostgres({ env, em, closers }: BackendOptions): Promise<Backend> {
  if (!env.DATABASE_URL) throw new Error("DATABASE_URL is not set");
  const connection: PostgresConnectionOptions = {
    connectionString: env.DATABASE_URL,
    schema: SCHEMA,
    max: env.DATABASE_POOL,
    connectionTimeoutMillis: 2_000,
  };
  const queue = new Queue(env.QUEUE_NAME, { connection, defaultJobOptions }, createPostgresBackend);
  closers.add("queue", () => queue.close());
  const pool = await (em.getConnection() as PostgreSqlConnection).getNativeClient();
  // Counting must not hang with the database: it goes on in memory.
  const counting = { query: (query: pg.QueryConfig) => within(COUNT_WITHIN_MS, pool.query(query)) };
  const inTable = { storeClient: counting, storeType: "client", tableName: "rate_limits", tableCreated: true };
  return {
    kind: "postgres",
    queues: [queue as unknown as Queue],
    store: createPostgresStore(em),
    async sharedTime() {
      const row = await oneRow<{ ms: number }>(em, "select extract(epoch from clock_timestamp())::float8 * 1000 as ms");
      return row?.ms ?? Date.now();
    },
    async ping() {
      await oneRow(em, "select 1");
    },
    async nextAddedAt() {
      // Here BullMQ's own question answers the newest first, whichever end is asked for.
      const sql = `select added_at_ms as at from ${SCHEMA}.job where queue = $1 and state = 'waiting' order by priority, seq limit 1`;
      return (await oneRow<{ at: number }>(em, sql, [env.QUEUE_NAME]))?.at;
    },
    createLimiter: (options) => new RateLimiterPostgres({ ...inTable, ...limiterOptions(env, options) }),
    createWorker: ({ name }, process) =>
      new Worker(
        name,
        process,
        { connection, autorun: false, ...workerOptions },
        createPostgresBackend,
      ) as unknown as Worker,
  };
}

/** Brings BullMQ's schema up to date; needed only where Postgres carries the queue. */
export async function migrateQueue(databaseUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await runMigrations(client, SCHEMA);
  } finally {
    await client.end();
  }
}
