import type { Backend } from "../backend.ts";
import { AppError } from "../errors.ts";
import type { Logger } from "../logger.ts";
import { within } from "../within.ts";
import type { NewJob } from "./catalog.ts";

/** Longer than this nobody is left waiting for a queue that does not answer. */
const ANSWER_WITHIN_MS = 1_800;

/**
 * Puts a job on the queue. Once this resolves the job is kept by the queue; the same id again changes nothing. Until
 * then nothing was promised.
 */
export async function enqueue({ backend, log }: { backend: Backend; log: Logger }, job: NewJob): Promise<void> {
  try {
    await within(ANSWER_WITHIN_MS, backend.queue.add(job.name, job.data, { jobId: job.id }));
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
