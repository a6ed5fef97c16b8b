import { performance } from "node:perf_hooks";

/** The part of its time that a process may be busy before entries begin to gather, and for how long at the most. */
const BUSY = 0.8;
const MOST_MS = 40;
/** A moment's work is no load. */
const WINDOW_MS = 200;

/** The part of the time since it was asked last that the event loop had something to do. */
function utilization(): () => number {
  let before = performance.eventLoopUtilization();
  return () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, before);
    before = now;
    return utilization;
  };
}

/**
 * How long entries are left to gather before they are read: not at all, until this process has hardly any time left.
 * Then those who wait are answered less often, and with more: what an answer costs does not depend on what is in it.
 */
export class Pace {
  readonly #busy: () => number;
  readonly #now: () => number;
  #lookedAt: number;
  #readAt = Number.NEGATIVE_INFINITY;
  #everyMs = 0;

  constructor(busy = utilization(), now = () => performance.now()) {
    this.#busy = busy;
    this.#now = now;
    this.#lookedAt = now();
  }

  /** From now to the next read. */
  get waitMs(): number {
    const now = this.#now();
    if (now - this.#lookedAt >= WINDOW_MS) {
      this.#everyMs = (MOST_MS * Math.max(0, this.#busy() - BUSY)) / (1 - BUSY);
      this.#lookedAt = now;
    }
    return Math.max(0, this.#readAt + this.#everyMs - now);
  }

  read(): void {
    this.#readAt = this.#now();
  }
}
