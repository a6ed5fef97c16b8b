import type { Job, Queue, Worker } from "bullmq";
import type { Closers } from "../shared/closers.ts";
import { inTransaction, rows } from "../shared/db/database.ts";
import type { Deps } from "../shared/deps.ts";
import { AppError } from "../shared/errors.ts";
import { SEND_GROUP } from "../shared/jobs/groups.ts";
import { append } from "../shared/log/append.ts";
import { channels } from "../shared/log/entry.ts";
import { Batcher } from "./batcher.ts";
import { startHeartbeat } from "./heartbeat.ts";
import { createProcessor, goOnAlone, membersOf, parseJob, Refusal } from "./run-job.ts";
import { startSweeping } from "./sweep/sweep.ts";
import { failureEntry, type TakenJob } from "./task.ts";
import { tellFailed } from "./task-log.ts";
import { WorkFigures } from "./work-figures.ts";

/** Running jobs get this long to end; what is left runs again elsewhere once its lock has run out. */
const DRAIN_MS = 7_000;

/** Takes jobs from the queue until it is closed. Answers how to ask whether it does. */
export async function startWorker(deps: Deps, closers: Closers): Promise<() => boolean> {
  const figures = new WorkFigures(deps.now);
  figures.tell(deps.metrics);
  const batcher = new Batcher({ ...deps, figures });
  const telling = new Set<Promise<void>>();
  const workers = deps.backend.queues.map((queue) => workerFor(queue, { ...deps, batcher, figures, telling }));
  closers.add("worker", async () => {
    await closeInTime(workers, batcher);
    // A database that is closed under a statement never says that it is.
    await Promise.all(telling);
  });
  await Promise.all(workers.map((worker) => worker.waitUntilReady()));
  for (const worker of workers) worker.run().catch((error: unknown) => deps.log.error({ error }, "the worker stopped"));
  const isWorking = (): boolean => workers.every((worker) => worker.isRunning());
  await startHeartbeat(deps, isWorking, closers);
  startSweeping(deps, closers);
  return isWorking;
}

interface WorkerDeps extends Deps {
  readonly batcher: Batcher;
  readonly figures: WorkFigures;
  /** Failures that are being told to their senders. */
  readonly telling: Set<Promise<void>>;
}

function workerFor(queue: Queue, deps: WorkerDeps): Worker {
  const { log, backend, batcher, figures, telling } = deps;
  const worker = backend.createWorker(queue, createProcessor({ batcher, queue, log }));
  worker.on("error", (error) => log.warn({ reason: error.message }, "worker"));
  worker.on("stalled", (id) => log.warn({ task: id }, "a job was left behind by a dead worker and runs again"));
  worker.on("failed", (job, error) => {
    if (!job) return;
    tellFailed(log, job, error);
    const isLast = job.finishedOn !== undefined;
    if (!(error instanceof Refusal)) figures.task(job.name, isLast ? "failed" : "retried");
    if (!isLast) return;
    const told = recordFailure(deps, queue, job, error);
    telling.add(told);
    void told.finally(() => telling.delete(told));
  });
  return worker;
}

async function closeInTime(workers: readonly Worker[], batcher: Batcher): Promise<void> {
  const late = setTimeout(() => batcher.stop(), DRAIN_MS - 2_000);
  const force = setTimeout(() => workers.forEach((worker) => void worker.close(true)), DRAIN_MS);
  await Promise.all(workers.map((worker) => worker.close()));
  clearTimeout(late);
  clearTimeout(force);
}

/**
 * A job that ran out of attempts is told in its sender's log too. One whose data nobody can read has no sender that
 * could be told; whoever waits for it looks again.
 */
async function recordFailure({ em, log }: Deps, queue: Queue, job: Job, error: Error): Promise<void> {
  if (error instanceof Refusal) return;
  try {
    // A group that was given up, because its workers died with it: what killed them is found among fewer.
    if (job.name === SEND_GROUP) return await goOnAlone(membersOf(job), queue);
    const parsed = tryToParse(job);
    if (parsed) await inTransaction(em, (tx) => append(tx, { entries: [failureEntry(parsed, givenUp())] }));
    else await rows(em, "select pg_notify($1, $2)", [channels.task, job.id]);
  } catch (cause) {
    log.error({ task: job.id, cause }, "could not tell the sender");
  }
}

const givenUp = (): AppError => new AppError("internal", "The task was tried several times and could not be done");

function tryToParse(job: Job): TakenJob | undefined {
  try {
    return parseJob(job);
  } catch {
    return undefined;
  }
}
