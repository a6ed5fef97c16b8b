import { runsFor } from "./process-id.ts";
import { retryWhile } from "./within.ts";

interface Leftover {
  readonly pid: number;
  readonly program: RegExp;
  readonly dir: string;
  /** From kind to firm; SIGKILL follows by itself. */
  readonly signals: readonly NodeJS.Signals[];
}

// A clean end of Postgres writes everything out first; a killed one has to recover at its next start, which takes longer.
const PATIENCE_MS = 10_000;

/** Ends the server that a killed supervisor has left on its data, if `pid` still is that server. */
export async function endLeftover({ pid, program, dir, signals }: Leftover): Promise<void> {
  for (const signal of [...signals, "SIGKILL"] as const) {
    if (!(await runsFor(pid, program, dir))) return;
    try {
      process.kill(pid, signal);
    } catch {
      // ESRCH: it ended between the look and the signal.
    }
    if (await isGone(pid, program, dir)) return;
  }
  throw new Error(`process ${pid} still runs on ${dir} and cannot be ended`);
}

class StillThere extends Error {}

/** It is no child of ours, so nobody tells us when it ends: look until it does. */
const isGone = (pid: number, program: RegExp, dir: string): Promise<boolean> =>
  retryWhile(
    (error) => error instanceof StillThere,
    AbortSignal.timeout(PATIENCE_MS),
    async () => {
      if (await runsFor(pid, program, dir)) throw new StillThere();
      return true;
    },
  ).catch(() => false);
