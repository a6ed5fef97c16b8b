import { setTimeout as sleep } from "node:timers/promises";

/** Whether `promise` settles before `ms` have passed; no timer stays behind to keep the process alive. */
export async function settlesWithin(ms: number, promise: Promise<unknown>): Promise<boolean> {
  const timer = new AbortController();
  const late = sleep(ms, false, { signal: timer.signal }).catch(() => false);
  const settled = promise.then(
    () => true,
    () => true,
  );
  try {
    return await Promise.race([settled, late]);
  } finally {
    timer.abort();
  }
}

// Short against what is waited for (a server's start, 100 ms and more), long enough to cost no CPU.
const RETRY_MS = 25;

/** Tries again while the failure is of the kind that goes away, until it works or `signal` calls it off. */
export async function retryWhile<T>(
  goesAway: (error: unknown) => boolean,
  signal: AbortSignal,
  attempt: () => Promise<T>,
): Promise<T> {
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (signal.aborted || !goesAway(error)) throw error;
    }
    await sleep(RETRY_MS, undefined, { signal });
  }
}

/** Starts all at once; when one fails the others are called off, and awaited so that none is left half-started. */
export async function together<T extends readonly unknown[]>(
  signal: AbortSignal,
  starts: { readonly [K in keyof T]: (signal: AbortSignal) => Promise<T[K]> },
): Promise<T> {
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  const running = starts.map(async (start) => {
    try {
      return await start(either);
    } catch (error) {
      // The first reason is the one to tell; what the others say afterwards is only its echo.
      failed.abort(error);
      throw error;
    }
  });
  await Promise.allSettled(running);
  if (failed.signal.aborted) throw failed.signal.reason;
  return (await Promise.all(running)) as unknown as T;
}
