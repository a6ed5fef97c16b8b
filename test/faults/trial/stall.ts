/** The longest time between two ticks. */
export class Stall {
  longestMs = 0;
  #last: number | undefined;

  start(): void {
    this.#last = performance.now();
  }

  tick(): void {
    if (this.#last === undefined) return;
    const now = performance.now();
    this.longestMs = Math.max(this.longestMs, now - this.#last);
    this.#last = now;
  }

  stop(): void {
    this.tick();
    this.#last = undefined;
  }
}
