import { Timings } from "../../shared/metrics/timings.ts";
import type { Gone } from "../http/gone.ts";

/** What somebody waits in: reads that wait once, for messages, entries or a task's end, and what stays open. */
export type WaitKind = "unseen" | "events" | "task" | "sse" | "ws";
/** How a long poll ended; `behind` is one that must read on from the database. */
export type PollOutcome = "data" | "timeout" | "superseded" | "drain" | "gone" | "behind";

/** Of a wait that brought nothing. */
export const outcomeOf = (why: Exclude<PollOutcome, "data" | "drain"> | "closing"): PollOutcome =>
  why === "closing" ? "drain" : why;

/** Counts who waits here and how that ends. */
export class Waits {
  readonly parked: Record<WaitKind, number> = { unseen: 0, events: 0, task: 0, sse: 0, ws: 0 };
  readonly outcomes: Record<PollOutcome, number> = {
    data: 0,
    timeout: 0,
    superseded: 0,
    drain: 0,
    gone: 0,
    behind: 0,
  };
  /** From the moment that the tail heard of growth until the answer that it led to was written. */
  readonly wakeups = new Timings();

  woke(heardAt: number): void {
    this.wakeups.observeMs(performance.now() - heardAt);
  }

  /** For waits that are a promise already. One that follows on a wake-up is no part of how long that took. */
  async during<T>(kind: WaitKind, waiter: Pick<Gone, "parkedMs" | "wokenBy">, work: Promise<T>): Promise<T> {
    const since = performance.now();
    this.parked[kind]++;
    try {
      return await work;
    } finally {
      this.parked[kind]--;
      const ms = performance.now() - since;
      waiter.parkedMs += ms;
      if (waiter.wokenBy !== undefined) waiter.wokenBy += ms;
    }
  }
}
