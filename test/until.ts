import { setImmediate as nextTurn } from "node:timers/promises";

/** Looks in each turn of the loop until it is so; a test that waits for ever is ended by mocha. */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await nextTurn();
}
