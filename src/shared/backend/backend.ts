import type { Processor, Queue, QueueOptions, Worker } from "bullmq";
import { type RateLimiterAbstract, RateLimiterMemory } from "rate-limiter-flexible";
import type { Closers } from "../closers.ts";
import type { EntityManager } from "../db/database.ts";
import type { Env } from "../env.ts";
import { jobOptions, workerOptions } from "../jobs/catalog.ts";
import type { Logger } from "../logger.ts";
import type { Store } from "../store/store.ts";
import type { Tracing } from "../tracing/tracing.ts";

/** What carries the queue and the key-value needs. Nothing outside this folder knows which one it is. */
export interface Backend {
  readonly kind: "redis" | "postgres";
  /** Each may hold jobs: whoever counts or looks for them asks all. More may be found while the process runs. */
  readonly queues: readonly Queue[];
  /** Where a new job goes: the same queue for the same number, so that what has one number stays in order. */
  queueFor(line: number): Queue;
  /** Tells of each queue that is found later. */
  onFound(listener: (queue: Queue) => void): void;
  readonly store: Store;
  /** The time that all processes share. */
  sharedTime(): Promise<number>;
  /** Fails if the queue can't be reached now. */
  ping(): Promise<void>;
  /** When the job that is next to be taken was added; undefined if none waits. */
  nextAddedAt(): Promise<number | undefined>;
  createWorker(queue: Queue, process: Processor): Worker;
  /** Counts what is done in a window of time, over all processes; in this one alone while the store is away. */
  createLimiter(options: LimiterOptions): Limiter;
}

export type Limiter = RateLimiterAbstract;

export interface LimiterOptions {
  readonly name: string;
  readonly points: number;
  readonly windowS: number;
}

export const limiterOptions = (env: Env, { name, points, windowS }: LimiterOptions) => ({
  keyPrefix: `${env.QUEUE_NAME}:limit:${name}`,
  points,
  duration: windowS,
  insuranceLimiter: new RateLimiterMemory({ points, duration: windowS }),
});

export interface BackendOptions {
  readonly env: Env;
  readonly em: EntityManager;
  readonly closers: Closers;
  readonly log: Logger;
  readonly tracing?: Tracing | undefined;
}

/** For queues and workers: they ask whether there is any for whatever they do. */
export const telemetryOf = ({ tracing }: Pick<BackendOptions, "tracing">) =>
  tracing ? { telemetry: tracing.telemetry } : {};

export const defaultJobOptions: NonNullable<QueueOptions["defaultJobOptions"]> = jobOptions;

/** What one worker may hold at once is shared out among its queues. */
export const workerOptionsFor = ({ QUEUE_SHARDS }: Env) => ({
  autorun: false,
  ...workerOptions,
  concurrency: Math.ceil(workerOptions.concurrency / QUEUE_SHARDS),
});
