import type { Closers } from "../../shared/closers.ts";
import type { Deps } from "../../shared/deps.ts";
import { inBatches } from "./batches.ts";
import { removeFinishedJobs } from "./jobs.ts";
import { removeOldEntries } from "./log.ts";
import { removeOver } from "./rows.ts";

const SWEEP_EVERY_MS = 10 * 60_000;

/** Removes what is kept no longer, when the worker starts and from time to time. */
export function startSweeping(deps: Deps, closers: Closers): void {
  const stopping = new AbortController();
  let sweeping: Promise<void> | undefined;
  const next = (): void => {
    // One that takes longer than the time between two is not begun a second time beside itself.
    sweeping ??= sweep(deps, stopping.signal).finally(() => {
      sweeping = undefined;
    });
  };
  const timer = setInterval(next, SWEEP_EVERY_MS).unref();
  closers.add("sweeper", async () => {
    clearInterval(timer);
    stopping.abort();
    await sweeping;
  });
  next();
}

/** Everything once. What can't be swept now is swept the next time, and keeps nothing else from it. */
export async function sweep({ em, backend, env, log }: Deps, signal: AbortSignal): Promise<void> {
  const sweeps: { what: string; run: () => Promise<number> }[] = [
    ...(env.LOG_DAYS > 0 ? [{ what: "log", run: () => inBatches(em, signal, removeOldEntries(env.LOG_DAYS)) }] : []),
    ...removeOver.map(({ what, remove }) => ({ what, run: () => inBatches(em, signal, remove) })),
    { what: "finished jobs", run: () => removeFinishedJobs(backend.queues, signal) },
  ];
  for (const { what, run } of sweeps) {
    if (signal.aborted) return;
    const since = performance.now();
    try {
      const removed = await run();
      if (removed > 0) log.info({ what, removed, ms: Math.round(performance.now() - since) }, "swept");
    } catch (error) {
      log.warn({ what, reason: String(error) }, "could not sweep");
    }
  }
}
