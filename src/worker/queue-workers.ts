import type { Queue, Worker } from "bullmq";
import type { Deps } from "../shared/deps.ts";
import type { Batcher } from "./batcher.ts";
import { recordFailure } from "./record-failure.ts";
import { createProcessor, Refusal } from "./run-job.ts";
import { tellFailed } from "./task-log.ts";
import type { WorkFigures } from "./work-figures.ts";

/**
 * What waits for a database that is away gives up then and goes back to the queue. What still runs when the process ends
 * runs again elsewhere once its lock has run out.
 */
const WAIT_NO_LONGER_MS = 5_000;

interface WorkersDeps extends Deps {
  readonly batcher: Batcher;
  readonly figures: WorkFigures;
}

/** One for each queue; what they take is stored in the same batches. */
export class QueueWorkers {
  readonly #deps: WorkersDeps;
  readonly #workers: Worker[] = [];
  /** Failures that are being told to their senders. */
  readonly #telling = new Set<Promise<void>>();
  #closing = false;

  constructor(deps: WorkersDeps) {
    this.#deps = deps;
  }

  async take(queue: Queue): Promise<void> {
    if (this.#closing) return;
    const worker = this.#open(queue);
    this.#workers.push(worker);
    await worker.waitUntilReady();
    worker.run().catch((error: unknown) => this.#deps.log.error({ error }, "the worker stopped"));
  }

  areRunning(): boolean {
    return this.#workers.every((worker) => worker.isRunning());
  }

  async close(): Promise<void> {
    this.#closing = true;
    const late = setTimeout(() => this.#deps.batcher.stop(), WAIT_NO_LONGER_MS);
    await Promise.all(this.#workers.map((worker) => worker.close()));
    clearTimeout(late);
    // A database that is closed under a statement never says that it is.
    await Promise.all(this.#telling);
  }

  #open(queue: Queue): Worker {
    const { log, backend, batcher, figures, tracing } = this.#deps;
    const worker = backend.createWorker(queue, createProcessor({ batcher, queue, log, tracing }));
    worker.on("error", (error) => log.warn({ reason: error.message }, "worker"));
    worker.on("stalled", (id) => log.warn({ task: id }, "a job was left behind by a dead worker and runs again"));
    worker.on("failed", (job, error) => {
      if (!job) return;
      tellFailed(log, job, error);
      const isLast = job.finishedOn !== undefined;
      if (!(error instanceof Refusal)) figures.task(job.name, isLast ? "failed" : "retried");
      if (isLast) this.#keep(recordFailure(this.#deps, queue, job, error));
    });
    return worker;
  }

  #keep(told: Promise<void>): void {
    this.#telling.add(told);
    void told.finally(() => this.#telling.delete(told));
  }
}
