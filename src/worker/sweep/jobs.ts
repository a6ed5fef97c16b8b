import type { Queue } from "bullmq";
import { jobOptions } from "../../shared/jobs/catalog.ts";

const MOST = 1_000;

/**
 * A queue drops finished jobs when another one finishes, so that one where nothing happens any more keeps them, and the
 * texts that are in them, for ever.
 */
export async function removeFinishedJobs(queues: readonly Queue[], signal: AbortSignal): Promise<number> {
  let removed = 0;
  for (const queue of queues) {
    removed += await clean(queue, "completed", jobOptions.removeOnComplete.age, signal);
    removed += await clean(queue, "failed", jobOptions.removeOnFail.age, signal);
  }
  return removed;
}

async function clean(queue: Queue, state: "completed" | "failed", ageS: number, signal: AbortSignal): Promise<number> {
  for (let removed = 0; ; ) {
    const ids = await queue.clean(ageS * 1_000, MOST, state);
    removed += ids.length;
    if (ids.length < MOST || signal.aborted) return removed;
  }
}
