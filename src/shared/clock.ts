import type { Clock } from "./ids.ts";

/** How often the offset to the shared time is measured again: crystals drift by some ms in a minute. */
const MEASURE_EVERY_MS = 30_000;

/**
 * One clock for all processes: each follows the time of the store they share. Between two measurements it runs on the
 * monotonic timer, so that a step of this machine's wall clock moves nothing.
 */
export class SharedClock {
  readonly #readShared: () => Promise<number>;
  #offsetMs = Date.now() - performance.now();
  #timer: NodeJS.Timeout | undefined;

  constructor(readShared: () => Promise<number>) {
    this.#readShared = readShared;
  }

  readonly now: Clock = () => Math.floor(performance.now() + this.#offsetMs);

  /** Measures now and from time to time; a store that is away leaves the last offset in force. */
  async start(): Promise<void> {
    await this.#measure();
    this.#timer = setInterval(() => void this.#measure(), MEASURE_EVERY_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #measure(): Promise<void> {
    const before = performance.now();
    try {
      const shared = await this.#readShared();
      // The answer was made about half a round trip ago.
      this.#offsetMs = shared - (before + performance.now()) / 2;
    } catch {
      // The store is away: its absence is told where it matters, and the last offset still holds.
    }
  }
}
