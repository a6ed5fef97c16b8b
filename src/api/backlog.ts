import type { Backend } from "../shared/backend.ts";
import type { Env } from "../shared/env.ts";
import { AppError } from "../shared/errors.ts";

/** How often the queue is counted; between two counts the sends of this process are added. */
const COUNT_EVERY_MS = 500;

/** Refuses sends while too much is waiting: an answer now is worth more than an ever longer queue. */
export class Backlog {
  readonly #backend: Backend;
  readonly #most: number;
  #waiting = 0;
  readonly #timer: NodeJS.Timeout;

  constructor({ backend, env }: { backend: Backend; env: Env }) {
    this.#backend = backend;
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
      const { wait = 0, delayed = 0 } = await this.#backend.queue.getJobCounts("wait", "delayed");
      this.#waiting = wait + delayed;
    } catch {
      // The queue is away: the send itself will say so.
    }
  }
}
