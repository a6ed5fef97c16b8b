import { z } from "zod";

const userId = z.number().int().positive();
const roomId = z.number().int().positive();

/** Of the request that the job comes from. Jobs from before it was told are kept for a week, when they have failed. */
const requestId = z.string().optional();

/** Every job there is: the API adds by these values, the worker is typed by them. */
export const jobs = {
  "message.send": z.object({
    senderId: userId,
    // One of the two: a direct message may be the first, and then its room does not exist yet.
    roomId: roomId.optional(),
    recipientId: userId.optional(),
    text: z.string(),
    clientKey: z.string().nullable(),
    acceptedAt: z.iso.datetime(),
    requestId,
    // The trace of a send that travels with others; that of a job is BullMQ's.
    trace: z.string().optional(),
  }),
  "messages.seen": z.object({
    userId,
    marks: z.array(z.object({ roomId, upToSeq: z.number().int().nonnegative() })),
    at: z.iso.datetime(),
    requestId,
  }),
} as const;

export type JobName = keyof typeof jobs;
export type JobData<N extends JobName> = z.output<(typeof jobs)[N]>;
export type SendJob = JobData<"message.send">;
export type SeenJob = JobData<"messages.seen">;

/** A job as it waits: its id is the task id, chosen by whoever accepted it. */
export type NewJob = { [N in JobName]: { readonly id: string; readonly name: N; readonly data: JobData<N> } }[JobName];

const HOUR_S = 3_600;

export const jobOptions = {
  // With the waits below: about a minute and a half, longer than a failover of the database. A database that is away
  // altogether costs no attempt (worker/batcher.ts waits for it).
  attempts: 10,
  backoff: { type: "exponential", delay: 200, jitter: 0.5 },
  removeOnComplete: { age: 24 * HOUR_S, count: 10_000 },
  // A week for a person to read why.
  removeOnFail: { age: 7 * 24 * HOUR_S },
} as const;

export const workerOptions = {
  // As many as one batch may hold: what waits is fetched while the batch before is being stored.
  concurrency: 500,
  // A killed worker's jobs run again once its locks have run out and a check has found them so: at most
  // 4 s + 2 checks of 2 s, and the supervisor's restart.
  lockDuration: 4_000,
  stalledInterval: 2_000,
  // Being killed is not the job's fault: it takes many deaths of the worker to blame the job.
  maxStalledCount: 20,
  // How soon it asks again when Redis has refused it (out of memory): nobody else will take its place.
  runRetryDelay: 1_000,
} as const;
