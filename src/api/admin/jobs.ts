import { AppError } from "../../shared/errors.ts";
import { queueUnavailable } from "../../shared/jobs/enqueue.ts";
import { allFailed, describeJob, failedAfter, isCancelled, putBack } from "../../shared/jobs/failures.ts";
import { type FoundJob, findJobs } from "../../shared/jobs/find.ts";
import { within } from "../../shared/within.ts";
import type { ApiDeps } from "../deps.ts";
import type { Scope } from "../http/route.ts";
import { recordAction } from "./actions.ts";
import { withoutText } from "./without-text.ts";

/** Longer than this nobody is left waiting for a queue that does not answer. */
const ANSWER_WITHIN_MS = 5_000;
/** So many are put back by one request, so many at once; whoever wants the rest asks again. */
const MOST_RETRIED = 1_000;
const AT_ONCE = 50;
const JOB_ID = /^[\w.-]{1,128}$/;

/** The newest first; the cursor says when the last of a page failed, and which it was. */
export async function listFailedJobs({ after, limit }: { after?: string | undefined; limit: number }, deps: ApiDeps) {
  const [ms, id] =
    after === undefined ? [] : [Number(after.slice(0, after.indexOf("-"))), after.slice(after.indexOf("-") + 1)];
  const cursor = ms === undefined ? undefined : { ms, id: id! };
  const found = await ask(deps, failedAfter(deps.backend.queues, cursor, limit + 1));
  const page = found.slice(0, limit);
  const last = page.at(-1);
  const jobs = page.map((job) => ({ ...describeJob(job, "failed"), retryable: !isCancelled(job) }));
  return { jobs, next: found.length > limit && last ? `${last.finishedOn ?? 0}-${last.id}` : null };
}

export async function showJob(id: string, deps: ApiDeps) {
  const { job, state } = await find(id, deps);
  const retryable = state === "failed" && !isCancelled(job);
  return { ...describeJob(job, state), retryable, data: withoutText(job.data) as Record<string, unknown> };
}

export async function retryJob(id: string, scope: Scope): Promise<void> {
  const { deps } = scope;
  const { job, state } = await find(id, deps);
  if (state !== "failed") throw notRetryable(`Job ${id} is ${state}: only a failed one can be retried`);
  if (isCancelled(job)) throw notRetryable(`Job ${id} was cancelled by its sender, and stays so`);
  if (!(await ask(deps, putBack(job)))) throw notRetryable(`Job ${id} was put back by somebody else just now`);
  await recordAction(deps.em, { action: "job.retry", target: id, detail: { kind: job.name } }, scope);
}

/** Each that has failed and was not cancelled; one that somebody else has just put back is no reason to stop. */
export async function retryAllJobs(scope: Scope) {
  const { deps } = scope;
  const failed = await ask(deps, allFailed(deps.backend.queues));
  const others = failed.filter((job) => !isCancelled(job));
  const chosen = others.slice(0, MOST_RETRIED);
  let retried = 0;
  try {
    for (let i = 0; i < chosen.length; i += AT_ONCE) {
      const isBack = await ask(deps, Promise.all(chosen.slice(i, i + AT_ONCE).map(putBack)));
      retried += isBack.filter(Boolean).length;
    }
  } finally {
    if (retried > 0)
      await recordAction(deps.em, { action: "job.retry-all", target: "failed", detail: { retried } }, scope);
  }
  return { retried, cancelled: failed.length - others.length, left: others.length - chosen.length };
}

async function find(id: string, deps: ApiDeps): Promise<FoundJob> {
  // What no id of a job looks like is the id of none.
  const [found] = JOB_ID.test(id) ? await ask(deps, findJobs(deps.backend.queues, id)) : [];
  if (!found) {
    throw new AppError("job_not_found", `No job ${id} is in the queue: it never was, or it ended too long ago`);
  }
  return found;
}

const notRetryable = (detail: string): AppError => new AppError("job_not_retryable", detail);

const ask = <T>({ log }: ApiDeps, asking: Promise<T>): Promise<T> =>
  within(ANSWER_WITHIN_MS, asking).catch((cause: unknown) => {
    throw queueUnavailable(log, cause);
  });
