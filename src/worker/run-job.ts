import { type Job, type Processor, UnrecoverableError } from "bullmq";
import { z } from "zod";
import { problemOf } from "../shared/errors.ts";
import { type JobName, jobs } from "../shared/jobs/catalog.ts";
import type { Batcher } from "./batcher.ts";
import type { TakenJob } from "./task.ts";

/** The task was refused in the transaction, which has told its sender. */
export class Refusal extends UnrecoverableError {}

/** A refusal is an answer and therefore final; anything else is an accident and is tried again. */
export function createProcessor(batcher: Batcher): Processor {
  return async (job) => {
    const outcome = await batcher.run(parseJob(job));
    if (outcome.problem) throw new Refusal(JSON.stringify(problemOf(outcome.problem)));
    return outcome.result;
  };
}

/** Data that does not parse now will not parse in ten seconds either. */
export function parseJob(job: Job): TakenJob {
  const name = job.name as JobName;
  if (!Object.hasOwn(jobs, name)) throw new UnrecoverableError(`No job is called ${job.name}`);
  const data = jobs[name].safeParse(job.data);
  if (!data.success) throw new UnrecoverableError(`${name}: ${z.prettifyError(data.error)}`);
  return { id: job.id, name, data: data.data, attempts: job.attemptsStarted } as TakenJob;
}
