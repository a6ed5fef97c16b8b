import { pauseOrOnline } from "./events/online.ts";
import { backOffMs, type Patience } from "./patience.ts";
import { Problem } from "./problem.ts";

/** Asks until there is an answer: whatever passes by itself is waited for. `again` may say that it is enough. */
export async function persist<T>(
  ask: () => Promise<T>,
  { patience, signal, again = () => true }: { patience: Patience; signal: AbortSignal; again?: () => boolean },
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    signal.throwIfAborted();
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof Problem && error.isPassing) || !again()) throw error;
      await pauseOrOnline(backOffMs(attempt, error.retryAfterMs, patience), signal);
    }
  }
}
