import type { Queue } from "bullmq";
import { AppError } from "../errors.ts";
import type { Logger } from "../logger.ts";
import { within } from "../within.ts";
import type { NewJob } from "./catalog.ts";
import { type GroupedSend, groupOptions, SEND_GROUP } from "./groups.ts";

/** Longer than this nobody is left waiting for a queue that does not answer. */
const ANSWER_WITHIN_MS = 1_800;

/**
 * Puts a job on the queue. Once this resolves the job is kept by the queue; the same id again changes nothing. Until
 * then nothing was promised.
 */
export const enqueue = (log: Logger, queue: Queue, { id, name, data }: NewJob): Promise<void> =>
  kept(log, queue.add(name, data, { jobId: id }));

/** The same for sends that arrived together. */
export const enqueueGroup = (log: Logger, queue: Queue, id: string, sends: readonly GroupedSend[]): Promise<void> =>
  kept(log, queue.add(SEND_GROUP, { sends }, { jobId: id, ...groupOptions }));

async function kept(log: Logger, adding: Promise<unknown>): Promise<void> {
  try {
    await within(ANSWER_WITHIN_MS, adding);
  } catch (cause) {
    throw queueUnavailable(log, cause);
  }
}

export function queueUnavailable(log: Logger, cause: unknown): AppError {
  log.warn({ reason: cause instanceof Error ? cause.message : String(cause) }, "the queue can't be reached");
  return new AppError("queue_unavailable", DETAIL, { cause });
}

/** A queue that hangs, or breaks off, may have taken the job without having said so. */
const DETAIL = "The queue can't be reached at the moment: this may be sent again, with the same key if it had one";
