import { setTimeout as sleep } from "node:timers/promises";
import type { Backend } from "../shared/backend/backend.ts";
import { Closers } from "../shared/closers.ts";
import { openDeps } from "../shared/deps.ts";
import type { Env } from "../shared/env.ts";
import { createLogger } from "../shared/logger.ts";

/** Somebody looks at the screen: a queue that is away is told, not waited for. */
const REACH_MS = 10_000;
const LOOK_EVERY_MS = 100;

/** Has the queue open for as long as the work takes. */
export async function withQueue<T>(env: Env, work: (backend: Backend) => Promise<T>): Promise<T> {
  const closers = new Closers();
  const log = createLogger({ LOG_LEVEL: "silent" }, "backup");
  const late = sleep(REACH_MS, undefined, { ref: false }).then(() => {
    throw new Error("The queue can't be reached at REDIS_URL (or DATABASE_URL, where Postgres carries it)");
  });
  late.catch(() => undefined);
  try {
    const { backend } = await Promise.race([openDeps({ env, log, closers }), late]);
    return await work(backend);
  } finally {
    await closers.closeAll(() => {});
  }
}

/** How many jobs are yet to be done: what they carry is accepted, and not in the database. */
export async function waitingJobs({ queues }: Backend): Promise<number> {
  const states = ["waiting", "active", "delayed", "prioritized"] as const;
  const counts = await Promise.all(queues.map((queue) => queue.getJobCounts(...states)));
  return counts.flatMap((count) => Object.values(count)).reduce((sum, count) => sum + count, 0);
}

export async function untilDrained(backend: Backend): Promise<void> {
  for (let told = -1; ; ) {
    const waiting = await waitingJobs(backend);
    if (waiting === 0) return;
    if (waiting !== told) process.stderr.write(`${waiting} jobs to be done before the backup\n`);
    told = waiting;
    await sleep(LOOK_EVERY_MS);
  }
}

/** Finished jobs as well, and what the store remembers: all of it is about what was replaced. */
export async function forgetEverything({ queues, store }: Backend): Promise<void> {
  for (const queue of queues) await queue.obliterate({ force: true });
  await store.clear();
}
