import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import { RateLimiterRedis } from "rate-limiter-flexible";
import { workerOptions } from "../jobs/catalog.ts";
import { createRedisStore } from "../store/redis-store.ts";
import { type Backend, type BackendOptions, defaultJobOptions, limiterOptions } from "./backend.ts";

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

export async function openRedis(url: string, { env, closers, log }: BackendOptions): Promise<Backend> {
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
    queues: [queue],
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
    createWorker: ({ name }, process) =>
      new Worker(name, process, { connection: open(forWorkers), prefix, autorun: false, ...workerOptions }),
  };
}

/** Waits as long as it takes: a process that starts before Redis is there is early, not wrong. */
const ready = (redis: Redis): Promise<void> =>
  redis.status === "ready" ? Promise.resolve() : new Promise((resolve) => redis.once("ready", () => resolve()));
