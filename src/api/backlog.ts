import type { Backend } from "../shared/backend/backend.ts";
import type { Env } from "../shared/env.ts";
import { AppError } from "../shared/errors.ts";
import { countJobs } from "../shared/jobs/find.ts";
import type { SendGroups } from "./messages/send-groups.ts";

/** How often the queue is counted; between two counts the sends of this process are added. */
const COUNT_EVERY_MS = 500;

/** Refuses sends while too much is waiting: an answer now is worth more than an ever longer queue. */
export class Backlog {
  /** Sends that were. */
  refused = 0;
  readonly #backend: Backend;
  /** The queue counts jobs; what waits there is taken to be as large as what was put there last. */
  readonly #sends: Pick<SendGroups, "size">;
  readonly #most: number;
  #waiting = 0;
  readonly #timer: NodeJS.Timeout;

  constructor({ backend, env, sends }: { backend: Backend; env: Env; sends: Pick<SendGroups, "size"> }) {
    this.#backend = backend;
    this.#sends = sends;
    this.#most = env.MAX_BACKLOG;
    this.#timer = setInterval(() => void this.#count(), COUNT_EVERY_MS).unref();
    void this.#count();
  }

  get waiting(): number {
    return this.#waiting;
  }

  /** Called for each send before it is put on the queue. */
  admit(): void {
    if (this.#waiting >= this.#most) {
      this.refused++;
      throw new AppError("overloaded", `${this.#waiting} messages are waiting to be stored; try again soon`, {
        headers: { "Retry-After": "2" },
      });
    }
    this.#waiting++;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #count(): Promise<void> {
    try {
      const { wait = 0, delayed = 0 } = await countJobs(this.#backend.queues, "wait", "delayed");
      this.#waiting = Math.round(wait * this.#sends.size) + delayed;
    } catch {
      // The queue is away: the send itself will say so.
    }
  }
}
