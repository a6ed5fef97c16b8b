import { setTimeout as sleep } from "node:timers/promises";
import { type EntityManager, inTransaction, oneRow } from "../../shared/db/database.ts";

/** Any number of its own: whoever holds it sweeps. */
const SWEEP_LOCK = 7_275_341;
/** Some tens of milliseconds of work, which is how long anybody could wait for a row of it. */
export const BATCH = 2_000;

/** Removes so many at most; answers how many that were. */
export type RemoveBatch = (tx: EntityManager, most: number) => Promise<number>;

/**
 * In small transactions, until a batch finds less than it may remove. Of several workers one sweeps, and between two
 * batches it rests for as long as the last one took: whatever there is to remove, half of the time is the traffic's.
 */
export async function inBatches(em: EntityManager, signal: AbortSignal, remove: RemoveBatch): Promise<number> {
  for (let removed = 0; ; ) {
    const since = performance.now();
    const count = await inTransaction(em, async (tx) => ((await isMine(tx)) ? remove(tx, BATCH) : 0));
    removed += count;
    if (count < BATCH || signal.aborted) return removed;
    await sleep(performance.now() - since, undefined, { signal }).catch(() => undefined);
  }
}

/** Held by the transaction, so that whoever is killed in the middle of it leaves neither lock nor half a batch. */
async function isMine(tx: EntityManager): Promise<boolean> {
  const row = await oneRow<{ mine: boolean }>(tx, "select pg_try_advisory_xact_lock($1) as mine", [SWEEP_LOCK]);
  return row!.mine;
}
