import { setTimeout as sleep } from "node:timers/promises";
import { type EntityManager, isDatabaseAway, violatedConstraint } from "../shared/db/database.ts";
import type { Logger } from "../shared/logger.ts";
import type { Tracing } from "../shared/tracing/tracing.ts";
import { type StoredBatch, storeBatch } from "./store-batch.ts";
import { isEnd, type Outcome, type TakenJob } from "./task.ts";
import { tellDone } from "./task-log.ts";
import type { WorkFigures } from "./work-figures.ts";

/** Beyond this a batch gains nothing and holds its locks for longer. */
const MOST = 500;
const AWAY_WAIT_MS = { first: 50, most: 1_000 };

interface Waiting {
  readonly job: TakenJob;
  /** The trace that it is a part of. */
  readonly trace: unknown;
  settle(outcome: Outcome): void;
  fail(error: unknown): void;
}

interface BatcherOptions {
  readonly em: EntityManager;
  readonly log: Logger;
  readonly figures: WorkFigures;
  readonly tracing?: Tracing | undefined;
}

/**
 * Makes batches of jobs without a timer: while one transaction runs, what arrives waits for the next. A lone job is
 * stored at once; under load batches grow by themselves.
 */
export class Batcher {
  readonly #em: EntityManager;
  readonly #log: Logger;
  readonly #figures: WorkFigures;
  readonly #tracing: Tracing | undefined;
  #waiting: Waiting[] = [];
  #running = false;
  #stopped = false;

  constructor(options: BatcherOptions) {
    this.#em = options.em;
    this.#log = options.log;
    this.#figures = options.figures;
    this.#tracing = options.tracing;
  }

  run(job: TakenJob): Promise<Outcome> {
    return new Promise((settle, fail) => {
      this.#waiting.push({ job, trace: this.#tracing?.active(), settle, fail });
      if (!this.#running) void this.#drain();
    });
  }

  /** Gives up waiting for a database that is away: the jobs stay in the queue and run again elsewhere. */
  stop(): void {
    this.#stopped = true;
  }

  async #drain(): Promise<void> {
    this.#running = true;
    while (this.#waiting.length > 0) await this.#store(this.#waiting.splice(0, MOST));
    this.#running = false;
  }

  /** All together; if that fails for the sake of one, in halves, until that one fails alone. */
  async #store(batch: readonly Waiting[]): Promise<void> {
    const startedAt = performance.now();
    const jobs = batch.map(({ job }) => job);
    try {
      const { outcomes, messages } = await this.#storeTraced(batch, jobs);
      this.#figures.batch(jobs, outcomes, messages);
      for (const { job, settle } of batch) settle(outcomes.get(job.id)!);
      const isDone = (job: TakenJob, outcome: Outcome): boolean => !outcome.problem && isEnd(job, outcome);
      const done = jobs.filter((job) => isDone(job, outcomes.get(job.id)!));
      tellDone(this.#log, done, startedAt);
    } catch (error) {
      if (batch.length === 1) return batch[0]!.fail(error);
      const middle = Math.ceil(batch.length / 2);
      await this.#store(batch.slice(0, middle));
      await this.#store(batch.slice(middle));
    }
  }

  #storeTraced(batch: readonly Waiting[], jobs: readonly TakenJob[]): Promise<StoredBatch> {
    const store = () => this.#storeWhenPossible(jobs);
    if (!this.#tracing) return store();
    return this.#tracing.batch(
      batch.map(({ trace }) => trace),
      store,
    );
  }

  /** A database that is away, or full, is nobody's fault and costs no attempt: the batch waits for it, locks renewed. */
  async #storeWhenPossible(jobs: readonly TakenJob[]): Promise<StoredBatch> {
    for (let waitMs = AWAY_WAIT_MS.first; ; waitMs = Math.min(waitMs * 2, AWAY_WAIT_MS.most)) {
      try {
        return await storeBatch(this.#em, jobs);
      } catch (error) {
        // The same key, stored by another worker between our look and our insert: the next look finds it.
        if (violatedConstraint(error) === "messages_sender_id_client_key_unique" && waitMs === AWAY_WAIT_MS.first)
          continue;
        if (!isDatabaseAway(error) || this.#stopped) throw error;
        this.#log.warn({ jobs: jobs.length, reason: String(error) }, "waiting for Postgres");
        await sleep(waitMs);
      }
    }
  }
}
