import type { Closers } from "../shared/closers.ts";
import type { Deps } from "../shared/deps.ts";
import { keys, ttl } from "../shared/store/store.ts";

/** Several of them go into the time after which nobody counts as seen. */
const BEAT_EVERY_MS = ttl.workerSeenMs / 5;

/** Lets the API tell whether there is anybody to do the work: one key for all workers, which the last to beat holds. */
export async function startHeartbeat(
  { backend, now }: Deps,
  isWorking: () => boolean,
  closers: Closers,
): Promise<void> {
  const beat = async (): Promise<void> => {
    // A store that is away hears nothing; the next beat is soon.
    if (isWorking()) await backend.store.set(keys.workerSeen(), String(now()), ttl.workerSeenMs).catch(() => undefined);
  };
  const timer = setInterval(() => void beat(), BEAT_EVERY_MS).unref();
  closers.add("heartbeat", async () => clearInterval(timer));
  await beat();
}
