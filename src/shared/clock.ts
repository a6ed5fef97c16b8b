import type { Clock } from "./ids.ts";

/** How often the offset to the shared time is measured again: crystals drift by some ms in a minute. */
const MEASURE_EVERY_MS = 30_000;
/** One look may have been held up on its way; of several the quickest is the best. */
const LOOKS = 8;
/** What a crystal may be off by, at the worst, in each ms. */
const DRIFT = 1e-4;

/**
 * One clock for all processes: each follows the time of the store they share. Between two measurements it runs on the
 * monotonic timer, so that a step of this machine's wall clock moves nothing. An answer is believed as far as its round
 * trip was short: what was asked in a bad moment does not spoil what was known before.
 */
export class SharedClock {
  readonly #readShared: () => Promise<number>;
  #offsetMs = Date.now() - performance.now();
  /** How far the offset may have been off when it was measured. */
  #errorMs = Number.POSITIVE_INFINITY;
  #measuredAt = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(readShared: () => Promise<number>) {
    this.#readShared = readShared;
  }

  readonly now: Clock = () => Math.floor(performance.now() + this.#offsetMs);

  /** Measures now and from time to time; a store that is away leaves the last offset in force. */
  async start(): Promise<void> {
    await this.measure();
    this.#timer = setInterval(() => void this.measure(), MEASURE_EVERY_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async measure(): Promise<void> {
    try {
      for (let look = 0; look < LOOKS; look++) await this.#look();
    } catch {
      // The store is away: its absence is told where it matters, and the last offset still holds.
    }
  }

  async #look(): Promise<void> {
    const before = performance.now();
    const shared = await this.#readShared();
    const after = performance.now();
    // The answer was made somewhere between.
    const errorMs = (after - before) / 2;
    if (errorMs > this.#errorMs + (after - this.#measuredAt) * DRIFT) return;
    this.#offsetMs = shared - (before + after) / 2;
    this.#errorMs = errorMs;
    this.#measuredAt = after;
  }
}
