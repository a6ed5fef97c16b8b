import type { Clock } from "../shared/ids.ts";
import { jobs } from "../shared/jobs/catalog.ts";
import { SEND_GROUP } from "../shared/jobs/groups.ts";
import type { PlacedMessage } from "../shared/log/append.ts";
import type { Metrics, Sample } from "../shared/metrics/metrics.ts";
import { orMake } from "../shared/metrics/or-make.ts";
import { Timings } from "../shared/metrics/timings.ts";
import { isEnd, type Outcome, type TakenJob } from "./task.ts";

/** Jobs in a batch, up to the most that there may be. */
const BATCH_BOUNDS = [1, 2, 5, 10, 25, 50, 100, 200, 350, 500];

/** `retried` is no end: it will be tried again. `failed` is one that nobody could do. */
const taskOutcomes = ["done", "refused", "cancelled", "failed", "retried"] as const;
type TaskOutcome = (typeof taskOutcomes)[number];
/** A group is no task of anybody's, and counts where it went wrong. */
const groupOutcomes: readonly TaskOutcome[] = ["failed", "retried"];

/** What a worker has done. */
export class WorkFigures {
  readonly #batches = new Timings(BATCH_BOUNDS);
  readonly #sendToStored = new Timings();
  readonly #tasks = new Map<string, Map<TaskOutcome, number>>();
  readonly #now: Clock;

  constructor(now: Clock) {
    this.#now = now;
    // A counter that is not there before its first event can't be seen to grow by it.
    for (const kind of [...Object.keys(jobs), SEND_GROUP]) {
      const outcomes = kind === SEND_GROUP ? groupOutcomes : taskOutcomes;
      this.#tasks.set(kind, new Map(outcomes.map((outcome) => [outcome, 0])));
    }
  }

  tell(metrics: Metrics): void {
    metrics.histogram({ name: "parley_batch_jobs", help: "Jobs stored in one transaction", timings: this.#batches });
    metrics.histogram({
      name: "parley_send_to_stored_seconds",
      help: "From the acceptance of a message until the transaction that stored it was through",
      timings: this.#sendToStored,
    });
    metrics.counter({
      name: "parley_tasks_total",
      help: "How tasks ended, by kind; `retried` counts attempts that were not the last",
      labels: ["kind", "outcome"],
      read: () => [...this.#taskSamples()],
    });
  }

  batch(jobs: readonly TakenJob[], outcomes: ReadonlyMap<string, Outcome>, messages: readonly PlacedMessage[]): void {
    this.#batches.observe(jobs.length);
    const now = this.#now();
    for (const { acceptedAt } of messages) this.#sendToStored.observeMs(now - Date.parse(acceptedAt));
    for (const job of jobs) {
      const outcome = outcomes.get(job.id)!;
      // Of what goes on alone a job of its own says what becomes of it.
      if (isEnd(job, outcome)) this.task(job.name, nameOf(outcome));
    }
  }

  task(kind: string, outcome: TaskOutcome): void {
    const outcomes = orMake(this.#tasks, kind, () => new Map<TaskOutcome, number>());
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }

  *#taskSamples(): Iterable<Sample> {
    for (const [kind, outcomes] of this.#tasks)
      for (const [outcome, count] of outcomes) yield [{ kind, outcome }, count];
  }
}

const nameOf = ({ problem }: Outcome): TaskOutcome =>
  problem ? (problem.code === "cancelled" ? "cancelled" : "refused") : "done";
