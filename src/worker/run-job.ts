import { type Job, type Processor, type Queue, UnrecoverableError } from "bullmq";
import { z } from "zod";
import { problemOf } from "../shared/errors.ts";
import { type JobName, jobs } from "../shared/jobs/catalog.ts";
import { type GroupedSend, SEND_GROUP, sendGroup } from "../shared/jobs/groups.ts";
import type { Logger } from "../shared/logger.ts";
import type { Tracing } from "../shared/tracing/tracing.ts";
import type { Batcher } from "./batcher.ts";
import { isEnd, type Outcome, type TakenJob } from "./task.ts";
import { tellAlone } from "./task-log.ts";

/** The task was refused in the transaction, which has told its sender. */
export class Refusal extends UnrecoverableError {}

/** What runs a job needs besides it. */
interface Runs {
  readonly batcher: Batcher;
  readonly queue: Queue;
  readonly log: Logger;
  readonly tracing?: Tracing | undefined;
}

/** A refusal is an answer and therefore final; anything else is an accident and is tried again. */
export function createProcessor(runs: Runs): Processor {
  return async (job) => {
    if (job.name === SEND_GROUP) return runGroup(job, runs);
    const taken = parseJob(job);
    const outcome = await runTask(taken, runs);
    if (outcome.problem) throw new Refusal(JSON.stringify(problemOf(outcome.problem, taken.data.requestId)));
    return outcome.result;
  };
}

/** One that has travelled with others goes on with its own trace, and else with that of its job. */
function runTask(task: TakenJob, { batcher, tracing }: Runs): Promise<Outcome> {
  const trace = "trace" in task.data ? task.data.trace : undefined;
  return tracing && trace !== undefined ? tracing.within(trace, () => batcher.run(task)) : batcher.run(task);
}

/** Data that does not parse now will not parse in ten seconds either. */
export function parseJob(job: Job): TakenJob {
  const name = job.name as JobName;
  if (!Object.hasOwn(jobs, name)) throw new UnrecoverableError(`No job is called ${job.name}`);
  const data = jobs[name].safeParse(job.data);
  if (!data.success) throw new UnrecoverableError(`${name}: ${z.prettifyError(data.error)}`);
  return { id: job.id, name, data: data.data, attempts: job.attemptsStarted } as TakenJob;
}

/** What is not stored as it should be goes on alone, before the group ends: at any moment one of the two holds it. */
async function runGroup(job: Job, runs: Runs): Promise<void> {
  const sends = membersOf(job);
  const stored = await Promise.all(sends.map((send) => isStored(send, job.attemptsStarted, runs)));
  await goOnAlone(
    sends.filter((_, i) => !stored[i]),
    runs.queue,
  );
}

export const membersOf = (job: Job): GroupedSend[] => sendGroup.parse(job.data).sends;

export async function goOnAlone(sends: readonly GroupedSend[], queue: Queue): Promise<void> {
  if (sends.length === 0) return;
  await queue.addBulk(sends.map(({ id, ...data }) => ({ name: "message.send", data, opts: { jobId: id } })));
}

/** Under its own id; or cancelled, which is as final. */
async function isStored({ id, ...data }: GroupedSend, attempts: number, runs: Runs): Promise<boolean> {
  const task: TakenJob = { id, name: "message.send", data, attempts, grouped: true };
  try {
    const outcome = await runTask(task, runs);
    if (isEnd(task, outcome)) return true;
    tellAlone(runs.log, task, outcome.problem?.code ?? "stored before under its key");
  } catch (error) {
    tellAlone(runs.log, task, String(error));
  }
  return false;
}
