import type { Entry } from "../../shared/log/entry.ts";
import type { Gone } from "../http/gone.ts";

/** How a task ended: the entry it left, or `silent` for one that left none. */
export type Settled = Entry | "silent";

/** Who waits for a task's end. Registered before the state is looked up, so that an end in between is not missed. */
export class TaskWaiters {
  readonly #waiting = new Map<string, Set<(settled: Settled) => void>>();

  /** Undefined when the time is up, or the client gone. */
  wait(taskId: string, waitMs: number, gone: Gone): { settled: Promise<Settled | undefined>; cancel(): void } {
    const { promise, resolve } = Promise.withResolvers<Settled | undefined>();
    const waiters = this.#waiting.get(taskId) ?? new Set();
    this.#waiting.set(taskId, waiters);
    const end = (settled?: Settled): void => {
      clearTimeout(timer);
      forget();
      waiters.delete(end);
      if (waiters.size === 0 && this.#waiting.get(taskId) === waiters) this.#waiting.delete(taskId);
      resolve(settled);
    };
    const cancel = (): void => end();
    const timer = setTimeout(cancel, waitMs);
    waiters.add(end);
    const forget = gone.onAbort(cancel);
    return { settled: promise, cancel };
  }

  settle(entries: readonly Entry[]): void {
    if (this.#waiting.size === 0) return;
    for (const entry of entries) {
      if (entry.taskId !== null) this.#tell(entry.taskId, entry);
    }
  }

  settleSilently(taskId: string): void {
    this.#tell(taskId, "silent");
  }

  /** The process stops: whoever waits gets the state as it is. */
  close(): void {
    for (const waiters of [...this.#waiting.values()]) for (const end of [...waiters]) (end as () => void)();
  }

  #tell(taskId: string, settled: Settled): void {
    for (const end of [...(this.#waiting.get(taskId) ?? [])]) end(settled);
  }
}
