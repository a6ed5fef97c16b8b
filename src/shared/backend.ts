import type { PostgreSqlConnection } from "@mikro-orm/postgresql";
import {
  createPostgresBackend,
  type PostgresConnectionOptions,
  type Processor,
  Queue,
  type QueueOptions,
  runMigrations,
  Worker,
} from "bullmq";
import { Redis } from "ioredis";
import pg from "pg";
import {
  type RateLimiterAbstract,
  RateLimiterMemory,
  RateLimiterPostgres,
  RateLimiterRedis,
} from "rate-limiter-flexible";
import type { Closers } from "./closers.ts";
import { type EntityManager, oneRow } from "./db/database.ts";
import type { Env } from "./env.ts";
import { jobOptions, workerOptions } from "./jobs/catalog.ts";
import type { Logger } from "./logger.ts";
import { createPostgresStore } from "./store/postgres-store.ts";
import { createRedisStore } from "./store/redis-store.ts";
import type { Store } from "./store/store.ts";
import { within } from "./within.ts";

/** What carries the queue and the key-value needs. Nothing outside this module knows which one it is. */
export interface Backend {
  readonly kind: "redis" | "postgres";
  readonly queue: Queue;
  readonly store: Store;
  /** The time that all processes share. */
  sharedTime(): Promise<number>;
  /** Fails if the queue can't be reached now. */
  ping(): Promise<void>;
  /** When the job that is next to be taken was added; undefined if none waits. */
  nextAddedAt(): Promise<number | undefined>;
  createWorker(process: Processor): Worker;
  /** Counts what is done in a window of time, over all processes; in this one alone while the store is away. */
  createLimiter(options: LimiterOptions): Limiter;
}

export type Limiter = RateLimiterAbstract;

export interface LimiterOptions {
  readonly name: string;
  readonly points: number;
  readonly windowS: number;
}

const limiterOptions = (env: Env, { name, points, windowS }: LimiterOptions) => ({
  keyPrefix: `${env.QUEUE_NAME}:limit:${name}`,
  points,
  duration: windowS,
  insuranceLimiter: new RateLimiterMemory({ points, duration: windowS }),
});

interface BackendOptions {
  readonly env: Env;
  readonly em: EntityManager;
  readonly closers: Closers;
  readonly log: Logger;
}

/** Redis where REDIS_URL says so, else Postgres; said in one log line. */
export async function openBackend(options: BackendOptions): Promise<Backend> {
  const { env, log } = options;
  const backend = env.REDIS_URL ? await openRedis(env.REDIS_URL, options) : await openPostgres(options);
  backend.queue.on("error", (error) => log.warn({ reason: error.message }, "queue"));
  log.info(
    { queue: backend.kind },
    backend.kind === "redis" ? "Redis carries the queue" : "Postgres carries the queue",
  );
  return backend;
}

const defaultJobOptions: NonNullable<QueueOptions["defaultJobOptions"]> = jobOptions;

// ── Redis ────────────────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * A request must get its answer now: while Redis is away a command fails at once, and one that hangs fails soon. After
 * the first that hung the connection is given up, so that the next ones do not wait as well.
 */
const forRequests = {
  enableOfflineQueue: false,
  maxRetriesPerRequest: 1,
  commandTimeout: 1_200,
  socketTimeout: 1_000,
  connectTimeout: 2_000,
};
/**
 * A worker has nobody waiting: it stays until Redis is back. A connection that has silently gone dead it gives up; what
 * waits for a job is silent by itself, but not for half of this.
 */
const forWorkers = { maxRetriesPerRequest: null, socketTimeout: 20_000 };
const retryStrategy = (times: number): number => Math.min(times * 100, 1_000);

async function openRedis(url: string, { env, closers, log }: BackendOptions): Promise<Backend> {
  const open = (options: object): Redis => {
    const redis = new Redis(url, { ...options, retryStrategy });
    redis.on("error", (error) => log.warn({ reason: error.message || String(error) }, "Redis"));
    closers.add("redis", async () => redis.disconnect());
    return redis;
  };
  const redis = open(forRequests);
  await ready(redis);
  // The hash tag keeps every key of the queue on one node of a cluster.
  const prefix = `{${env.QUEUE_NAME}}`;
  const queue = new Queue(env.QUEUE_NAME, { connection: redis, prefix, defaultJobOptions, skipWaitingForReady: true });
  closers.add("queue", () => queue.close());
  return {
    kind: "redis",
    queue,
    store: createRedisStore(redis, env.QUEUE_NAME),
    async sharedTime() {
      const [seconds, micros] = await redis.time();
      return Number(seconds) * 1_000 + Number(micros) / 1_000;
    },
    async ping() {
      await redis.ping();
    },
    async nextAddedAt() {
      const [next] = await queue.getJobs(["wait"], 0, 0, true);
      return next?.timestamp;
    },
    createLimiter: (options) => new RateLimiterRedis({ storeClient: redis, ...limiterOptions(env, options) }),
    createWorker: (process) =>
      new Worker(env.QUEUE_NAME, process, { connection: open(forWorkers), prefix, autorun: false, ...workerOptions }),
  };
}

/** Waits as long as it takes: a process that starts before Redis is there is early, not wrong. */
const ready = (redis: Redis): Promise<void> =>
  redis.status === "ready" ? Promise.resolve() : new Promise((resolve) => redis.once("ready", () => resolve()));

// ── Postgres ─────────────────────────────────────────────────────────────────────────────────────────────────────────

const COUNT_WITHIN_MS = 500;
/** BullMQ's own schema lives beside ours, in a namespace of its own. */
const SCHEMA = "bullmq";

async function openPostgres({ env, em, closers }: BackendOptions): Promise<Backend> {
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
    queue: queue as unknown as Queue,
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
    createWorker: (process) =>
      new Worker(
        env.QUEUE_NAME,
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
