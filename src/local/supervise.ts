import { setTimeout as sleep } from "node:timers/promises";
import { type Running, tellExit } from "./child.ts";

export interface Backoff {
  readonly firstMs: number;
  readonly mostMs: number;
  /** After so long a life a death is a new misfortune, not the old one again. */
  readonly goodLifeMs: number;
}

const usual: Backoff = { firstMs: 200, mostMs: 5_000, goodLifeMs: 30_000 };

interface Options<R> {
  readonly name: string;
  /** `before` is what ran until now: its successor takes its place (the same port). */
  readonly start: (signal: AbortSignal, before?: R) => Promise<R>;
  readonly signal: AbortSignal;
  readonly tell: (line: string) => void;
  readonly backoff?: Backoff;
}

/** What is kept running until it is told to stop. */
export interface Kept {
  /** From now on its end is its end. */
  letGo(): void;
  stop(graceMs?: number): Promise<void>;
}

/** Starts it, and starts it again whenever it ends. Only the first start may fail: that one rejects. */
export async function supervise<R extends Running>(options: Options<R>): Promise<Supervised<R>> {
  return new Supervised(options, await options.start(options.signal));
}

export class Supervised<R extends Running> implements Kept {
  /** The one that runs now, or ran last. */
  current: R;
  readonly #options: Options<R>;
  readonly #backoff: Backoff;
  readonly #over = new AbortController();
  readonly #loop: Promise<void>;
  #pauseMs: number;

  constructor(options: Options<R>, first: R) {
    this.#options = options;
    this.#backoff = options.backoff ?? usual;
    this.#pauseMs = this.#backoff.firstMs;
    this.current = first;
    this.#loop = this.#keepAlive();
  }

  letGo(): void {
    this.#over.abort();
  }

  /** Comes back when it has ended and nothing starts it again. */
  async stop(graceMs?: number): Promise<void> {
    this.letGo();
    await this.current.stop(graceMs);
    await this.#loop;
    // A new start may have come true in the very moment in which it was called off.
    await this.current.stop(graceMs);
  }

  async #keepAlive(): Promise<void> {
    while (!this.#over.signal.aborted) {
      const since = performance.now();
      const exit = await this.current.exited;
      if (performance.now() - since >= this.#backoff.goodLifeMs) this.#pauseMs = this.#backoff.firstMs;
      await this.#startAgain(`it ended (${tellExit(exit)})`);
    }
  }

  async #startAgain(why: string): Promise<void> {
    const { name, start, tell } = this.#options;
    const over = this.#over.signal;
    for (let reason = why; !over.aborted; ) {
      tell(`Starting ${name} again in ${this.#pauseMs / 1000} s: ${reason}`);
      try {
        await sleep(this.#pauseMs, undefined, { signal: over });
        this.#pauseMs = Math.min(this.#pauseMs * 2, this.#backoff.mostMs);
        this.current = await start(over, this.current);
        tell(`${name} runs again`);
        return;
      } catch (error) {
        reason = error instanceof Error ? error.message : String(error);
      }
    }
  }
}
