import type { Job } from "bullmq";
import type { Closers } from "../shared/closers.ts";
import { inTransaction } from "../shared/db/database.ts";
import type { Deps } from "../shared/deps.ts";
import { AppError, problemOf } from "../shared/errors.ts";
import { append } from "../shared/log/append.ts";
import { Batcher } from "./batcher.ts";
import { createProcessor, parseJob } from "./run-job.ts";

/** Running jobs get this long to end; what is left runs again elsewhere once its lock has run out. */
const DRAIN_MS = 7_000;

/** Takes jobs from the queue until it is closed. */
export async function startWorker(deps: Deps, closers: Closers): Promise<void> {
  const { em, log, backend } = deps;
  const batcher = new Batcher({ em, log });
  const worker = backend.createWorker(createProcessor(batcher));
  worker.on("error", (error) => log.warn({ reason: error.message }, "worker"));
  worker.on("stalled", (id) => log.warn({ task: id }, "a job was left behind by a dead worker and runs again"));
  worker.on("failed", (job, error) => {
    if (job && job.finishedOn !== undefined) void recordFailure(deps, job, error);
  });
  closers.add("worker", () => closeInTime(worker, batcher));
  await worker.waitUntilReady();
  worker.run().catch((error: unknown) => log.error({ error }, "the worker stopped"));
}

async function closeInTime(worker: { close(force?: boolean): Promise<void> }, batcher: Batcher): Promise<void> {
  const late = setTimeout(() => batcher.stop(), DRAIN_MS - 2_000);
  const force = setTimeout(() => void worker.close(true), DRAIN_MS);
  await worker.close();
  clearTimeout(late);
  clearTimeout(force);
}

/** A job that ran out of attempts is told in its sender's feed too; a refusal has told it already (store-batch.ts). */
async function recordFailure({ em, log }: Deps, job: Job, error: Error): Promise<void> {
  log.error({ task: job.id, kind: job.name, attempts: job.attemptsMade, reason: error.message }, "a task failed");
  if (error.name === "UnrecoverableError") return;
  try {
    const { id: taskId, name, data } = parseJob(job);
    const userId = name === "message.send" ? data.senderId : data.userId;
    const problem = problemOf(new AppError("internal", "The task was tried several times and could not be done"));
    const failed = { task_id: taskId, kind: name, error: problem };
    const entry = { type: "task.failed", userId, actorId: null, taskId, data: failed } as const;
    await inTransaction(em, (tx) => append(tx, { entries: [entry] }));
  } catch (cause) {
    log.error({ task: job.id, cause }, "could not tell the sender");
  }
}
