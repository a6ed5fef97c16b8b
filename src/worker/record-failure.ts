import type { Job, Queue } from "bullmq";
import { inTransaction, rows } from "../shared/db/database.ts";
import type { Deps } from "../shared/deps.ts";
import { AppError } from "../shared/errors.ts";
import { SEND_GROUP } from "../shared/jobs/groups.ts";
import { append } from "../shared/log/append.ts";
import { channels } from "../shared/log/entry.ts";
import { goOnAlone, membersOf, parseJob, Refusal } from "./run-job.ts";
import { failureEntry, type TakenJob } from "./task.ts";

/**
 * A job that ran out of attempts is told in its sender's log too. One whose data nobody can read has no sender that
 * could be told; whoever waits for it looks again.
 */
export async function recordFailure({ em, log }: Deps, queue: Queue, job: Job, error: Error): Promise<void> {
  if (error instanceof Refusal) return;
  try {
    // A group that was given up, because its workers died with it: what killed them is found among fewer.
    if (job.name === SEND_GROUP) return await goOnAlone(membersOf(job), queue);
    const parsed = tryToParse(job);
    if (parsed) await inTransaction(em, (tx) => append(tx, { entries: [failureEntry(parsed, givenUp())] }));
    else await rows(em, "select pg_notify($1, $2)", [channels.task, job.id]);
  } catch (cause) {
    log.error({ task: job.id, cause }, "could not tell the sender");
  }
}

const givenUp = (): AppError => new AppError("internal", "The task was tried several times and could not be done");

function tryToParse(job: Job): TakenJob | undefined {
  try {
    return parseJob(job);
  } catch {
    return undefined;
  }
}
