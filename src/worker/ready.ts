import { oneRow } from "../shared/db/database.ts";
import type { Deps } from "../shared/deps.ts";
import { within } from "../shared/within.ts";

const ANSWER_WITHIN_MS = 1_800;

/** A worker, and whether it takes jobs. */
export interface Watched extends Deps {
  readonly isWorking: () => boolean;
}

interface Check {
  readonly ok: boolean;
  readonly detail: string;
}

/** Whether it takes jobs and can store what they hold; if not, what is missing. */
export async function ready({ em, backend, isWorking }: Pick<Watched, "em" | "backend" | "isWorking">) {
  const [postgres, queue] = await Promise.all([check(() => oneRow(em, "select 1")), check(() => backend.ping())]);
  const worker: Check = isWorking() ? { ok: true, detail: "ok" } : { ok: false, detail: "takes no jobs" };
  const checks = { postgres, queue, worker };
  const isReady = Object.values(checks).every(({ ok }) => ok);
  return { status: isReady ? "ready" : "not ready", checks };
}

async function check(look: () => Promise<unknown>): Promise<Check> {
  try {
    await within(ANSWER_WITHIN_MS, look());
    return { ok: true, detail: "ok" };
  } catch {
    // How it failed, with addresses and names of users, is for the log.
    return { ok: false, detail: "can't be reached" };
  }
}
