import type { Job } from "bullmq";
import { problemIn } from "../shared/jobs/failures.ts";
import type { Logger } from "../shared/logger.ts";
import type { TakenJob } from "./task.ts";

/** Collectors cut lines of more than 16 KiB. */
const MOST_IN_LINE = 100;

/** What a batch has done, each task with the request that it came from: a line for each would be felt. */
export function tellDone(log: Logger, done: readonly TakenJob[], startedAt: number): void {
  if (!log.isLevelEnabled("info")) return;
  const ms = Math.round((performance.now() - startedAt) * 10) / 10;
  for (let from = 0; from < done.length; from += MOST_IN_LINE) {
    const tasks: Record<string, string | null> = {};
    for (const { id, data } of done.slice(from, from + MOST_IN_LINE)) tasks[id] = data.requestId ?? null;
    log.info({ batch: done.length, ms, tasks }, "done");
  }
}

/** A refusal is nobody's fault; what is given up is somebody's work. */
export function tellFailed(log: Logger, job: Job, error: Error): void {
  const problem = problemIn(error.message);
  const what = about(job);
  const why = { ...what, reason: error.message };
  if (problem) log.info({ ...what, code: problem.code }, "refused");
  else if (job.finishedOn === undefined) log.warn(why, "a task is tried again");
  else log.error(why, "a task failed");
}

/** Of a group: its own job is the one that is tried again. */
export function tellAlone(log: Logger, { id, name, data }: TakenJob, reason: string): void {
  log.info({ requestId: data.requestId, task: id, kind: name, reason }, "a task of a group goes on alone");
}

/** Of a job that nobody may have been able to read. */
function about({ id, name, data, attemptsStarted }: Job) {
  const { requestId } = (data ?? {}) as { requestId?: unknown };
  return {
    requestId: typeof requestId === "string" ? requestId : undefined,
    task: id,
    kind: name,
    attempts: attemptsStarted,
  };
}
