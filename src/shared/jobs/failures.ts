import type { Job, Queue } from "bullmq";

const PAGE = 500;

/** The failed jobs that the queues still keep, the newest first. */
export async function allFailed(queues: readonly Queue[]): Promise<Job[]> {
  const jobs = await Promise.all(queues.map(failedIn));
  return jobs.length === 1 ? jobs[0]! : jobs.flat().sort((a, b) => (b.finishedOn ?? 0) - (a.finishedOn ?? 0));
}

async function failedIn(queue: Queue): Promise<Job[]> {
  const jobs: Job[] = [];
  for (let page: Job[]; ; ) {
    page = await queue.getJobs(["failed"], jobs.length, jobs.length + PAGE - 1, false);
    jobs.push(...page);
    if (page.length < PAGE) return jobs;
  }
}

/** When a job failed, and which it was. */
interface Place {
  readonly ms: number;
  readonly id: string;
}

const placeOf = ({ finishedOn = 0, id = "" }: Job): Place => ({ ms: finishedOn, id });
/** Negative where `a` failed later: the newest come first. */
const newestFirst = (a: Place, b: Place): number => b.ms - a.ms || (a.id < b.id ? 1 : a.id > b.id ? -1 : 0);

/** So many of them that failed before this one, the newest first; no more are read than it takes. */
export async function failedAfter(queues: readonly Queue[], after: Place | undefined, most: number): Promise<Job[]> {
  const found = await Promise.all(queues.map((queue) => someFailed(queue, after, most)));
  return found
    .flat()
    .sort((a, b) => newestFirst(placeOf(a), placeOf(b)))
    .slice(0, most);
}

async function someFailed(queue: Queue, after: Place | undefined, most: number): Promise<Job[]> {
  const found: Job[] = [];
  for (let start = 0; ; start += PAGE) {
    const page = await queue.getJobs(["failed"], start, start + PAGE - 1, false);
    found.push(...page.filter((job) => after === undefined || newestFirst(after, placeOf(job)) < 0));
    if (page.length < PAGE || found.length >= most) return found;
  }
}

/** A job for those who run the system. */
export function describeJob(job: Job, state: string) {
  return {
    id: job.id!,
    kind: job.name,
    state,
    attempts: job.attemptsStarted,
    accepted_at: timeOf(job.timestamp)!,
    failed_at: state === "failed" ? timeOf(job.finishedOn) : null,
    reason: state === "failed" ? reasonOf(job) : null,
  };
}

const timeOf = (ms: number | undefined): string | null => (ms ? new Date(ms).toISOString() : null);

/** A refusal is a problem; anything else is what was thrown. */
function reasonOf({ failedReason = "" }: Job): string {
  const problem = problemIn(failedReason);
  return problem ? `${problem.code}: ${problem.detail}` : failedReason.split("\n")[0]!;
}

export const isCancelled = ({ failedReason = "" }: Job): boolean => problemIn(failedReason)?.code === "cancelled";

/** What a refusal says; undefined for any other reason. */
export function problemIn(reason: string): { code: string; detail: string } | undefined {
  try {
    const { code, detail } = JSON.parse(reason) as { code?: string; detail?: string };
    return code !== undefined && detail !== undefined ? { code, detail } : undefined;
  } catch {
    return undefined;
  }
}

/**
 * How often it was begun is kept: that is how its task tells a new try from the old end. False if it is failed no more:
 * somebody else was quicker.
 */
export const putBack = (job: Job): Promise<boolean> =>
  job.retry("failed", { resetAttemptsMade: true }).then(
    () => true,
    (error: { code?: unknown }) => {
      // The queue's own refusals are numbered; whatever else fails is an accident.
      if (typeof error.code === "number") return false;
      throw error;
    },
  );
