import { Queue, Worker } from "bullmq";
import { RateLimiterRedis } from "rate-limiter-flexible";
import { createRedisStore } from "../store/redis-store.ts";
import {
  type Backend,
  type BackendOptions,
  defaultJobOptions,
  limiterOptions,
  telemetryOf,
  workerOptionsFor,
} from "./backend.ts";
import {
  connectRedis,
  forRequests,
  forWorkers,
  keepConnected,
  type Manners,
  type RedisClient,
} from "./redis-connections.ts";
import { parseRedisUrl } from "./redis-url.ts";
import { Shards } from "./shards.ts";

/** What the server that has this key says the time is. */
const TIME = 'return redis.call("TIME")';
const PROBE_MS = 10_000;
const HOLDING = ["wait", "active", "delayed", "prioritized", "paused", "failed", "completed"];

/** The hash tag keeps every key of a queue on one node of a cluster. */
const tagOf = (queueName: string): string => `{${queueName}}`;

export async function openRedis(url: string, { env, closers, log, tracing }: BackendOptions): Promise<Backend> {
  const place = parseRedisUrl(url);
  const open = (manners: Manners): RedisClient => {
    const redis = connectRedis(place, manners);
    redis.on("error", (error) => log.warn({ reason: error.message || String(error) }, "Redis"));
    const end = keepConnected(redis);
    closers.add("redis", async () => end());
    return redis;
  };
  const redis = open(forRequests);
  await ready(redis);
  const telemetry = telemetryOf({ tracing });
  const queueOptions = { connection: redis, defaultJobOptions, skipWaitingForReady: true, ...telemetry };
  const shards = new Shards({
    env,
    log,
    closers,
    open: (name) => new Queue(name, { ...queueOptions, prefix: tagOf(name) }),
    holdingJobs: (names) => holdingJobs(redis, names),
  });
  await shards.start();
  let forAllWorkers: RedisClient | undefined;
  return {
    kind: "redis",
    queues: shards.all,
    queueFor: (line) => shards.queueFor(line),
    onFound: (listener) => shards.onFound(listener),
    store: createRedisStore(redis, env.QUEUE_NAME),
    async sharedTime() {
      // Of a cluster all ask the same server: the one that has this key.
      const [seconds, micros] = (await redis.eval(TIME, 1, `${tagOf(env.QUEUE_NAME)}:clock`)) as [string, string];
      return Number(seconds) * 1_000 + Number(micros) / 1_000;
    },
    async ping() {
      // Written, because a server may answer and take nothing: full, a replica, a cluster with a part of it away.
      await Promise.all(shards.all.map(({ name }) => redis.set(`${tagOf(name)}:probe`, "", "PX", PROBE_MS)));
    },
    async nextAddedAt() {
      const next = await Promise.all(shards.all.map((queue) => queue.getJobs(["wait"], 0, 0, true)));
      const times = next.flat().map(({ timestamp }) => timestamp);
      return times.length > 0 ? Math.min(...times) : undefined;
    },
    createLimiter: (options) => new RateLimiterRedis({ storeClient: redis, ...limiterOptions(env, options) }),
    createWorker({ name }, process) {
      // What waits for jobs has a connection of its own besides, for each queue.
      forAllWorkers ??= open(forWorkers);
      const options = { ...workerOptionsFor(env), ...telemetry };
      return new Worker(name, process, { connection: forAllWorkers, prefix: tagOf(name), ...options });
    },
  };
}

/** Empty lists are not there in Redis. */
async function holdingJobs(redis: RedisClient, names: readonly string[]): Promise<string[]> {
  const there = await Promise.all(
    names.map((name) => redis.exists(HOLDING.map((state) => `${tagOf(name)}:${name}:${state}`))),
  );
  return names.filter((_, i) => there[i]! > 0);
}

/** Waits as long as it takes: a process that starts before Redis is there is early, not wrong. */
const ready = (redis: RedisClient): Promise<void> =>
  redis.status === "ready" ? Promise.resolve() : new Promise((resolve) => redis.once("ready", () => resolve()));
