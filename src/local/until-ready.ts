import { type Child, tellExit } from "./child.ts";

/** A start that failed for a reason the user can understand: its message is all there is to print. */
export class StartError extends Error {}

export interface Start {
  readonly name: string;
  readonly withinMs: number;
  readonly signal?: AbortSignal | undefined;
  /** What the process said last, for the message. */
  readonly lastWords: () => string;
}

// What failed to start has nothing to finish.
const FAILED_START_GRACE_MS = 2_000;

/** Comes back when `probe` does: the child serves. Whatever goes wrong before that, the child is gone when this rejects. */
export const untilReady = <T>(child: Child, start: Start, probe: (signal: AbortSignal) => Promise<T>): Promise<T> =>
  guarded(child, start, (signal) => Promise.race([probe(signal), diesEarly(child, start)]));

/** Comes back when the child has done its one piece of work and ended well. */
export const untilDone = (child: Child, start: Start): Promise<void> =>
  guarded(child, start, async () => {
    const exit = await child.exited;
    if (exit.code !== 0) throw failure(start, `failed (${tellExit(exit)})`);
  });

async function guarded<T>(child: Child, start: Start, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const settled = new AbortController();
  const tooLate = AbortSignal.timeout(start.withinMs);
  const over = AbortSignal.any([settled.signal, tooLate, ...(start.signal ? [start.signal] : [])]);
  try {
    return await Promise.race([work(over), aborted(over)]);
  } catch (error) {
    await child.end(FAILED_START_GRACE_MS);
    throw error === tooLate.reason ? failure(start, `was not ready within ${start.withinMs / 1000} s`) : error;
  } finally {
    settled.abort();
  }
}

async function diesEarly(child: Child, start: Start): Promise<never> {
  throw failure(start, `did not start (${tellExit(await child.exited)})`);
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

function failure({ name, lastWords }: Start, what: string): StartError {
  const words = lastWords().trim();
  return new StartError(`${name} ${what}${words && `:\n${words.replaceAll(/^/gm, "  | ")}`}`);
}
