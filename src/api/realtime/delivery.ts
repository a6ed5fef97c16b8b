import type { Clock } from "../../shared/ids.ts";
import type { Entry } from "../../shared/log/entry.ts";
import { Timings } from "../../shared/metrics/timings.ts";

/**
 * How long messages had been on their way when the first of those who wait here was handed them. Who comes later, or
 * polls once in a while, says nothing about how quick we are.
 */
export class Delivery {
  readonly fromSend = new Timings();
  readonly fromStore = new Timings();
  /** Entries, as often as each was handed to somebody who waits. */
  handed = 0;
  readonly #now: Clock;
  #last: readonly Entry[] | undefined;

  constructor(now: Clock) {
    this.#now = now;
  }

  /** Called for each reader; those who see the same come with the same list, one after the other. */
  handedOut(entries: readonly Entry[]): void {
    this.handed += entries.length;
    if (entries === this.#last) return;
    this.#last = entries;
    const now = this.#now();
    for (const entry of entries) {
      if (entry.handedOut) continue;
      entry.handedOut = true;
      if (entry.type === "message.created" && entry.message) this.#measure(entry.message, now);
    }
  }

  #measure({ accepted_at, created_at }: NonNullable<Entry["message"]>, now: number): void {
    this.fromSend.observeMs(now - Date.parse(accepted_at));
    this.fromStore.observeMs(now - Date.parse(created_at));
  }
}
