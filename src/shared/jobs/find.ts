import type { Job, JobType, Queue } from "bullmq";

export interface FoundJob {
  readonly job: Job;
  /** As the queue calls it. */
  readonly state: string;
}

/** The jobs of this id, wherever they are. Several only if the messages of a group were sorted into several queues. */
export async function findJobs(queues: readonly Queue[], id: string): Promise<FoundJob[]> {
  const found = await Promise.all(queues.map((queue) => findJob(queue, id)));
  return found.filter((one) => one !== undefined);
}

/** State and job are two questions: where the job has gone on between them, both are asked again. */
async function findJob(queue: Queue, id: string): Promise<FoundJob | undefined> {
  for (;;) {
    const state = await queue.getJobState(id);
    const job = state === "unknown" ? undefined : await queue.getJob(id);
    if (!job) return undefined;
    if (!mayHaveGoneOn(state, job) || (await queue.getJobState(id)) === state) return { job, state };
  }
}

/** A job that was waiting, or running, when asked, and is begun, or has ended, now. */
const mayHaveGoneOn = (state: string, { attemptsStarted, finishedOn }: Job): boolean =>
  state === "active" ? Boolean(finishedOn) : state !== "completed" && state !== "failed" && attemptsStarted > 0;

/** How many jobs are in these states, over all queues. */
export async function countJobs<State extends JobType>(
  queues: readonly Queue[],
  ...states: State[]
): Promise<Partial<Record<State, number>>> {
  const counts = await Promise.all(queues.map((queue) => queue.getJobCounts(...states)));
  return Object.fromEntries(
    states.map((state) => [state, counts.reduce((sum, one) => sum + (one[state] ?? 0), 0)]),
  ) as Partial<Record<State, number>>;
}
