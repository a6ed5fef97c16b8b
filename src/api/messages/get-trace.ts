import type { Job } from "bullmq";
import type { z } from "zod";
import { oneRow } from "../../shared/db/database.ts";
import { seenByCount } from "../../shared/db/message-row.ts";
import { AppError } from "../../shared/errors.ts";
import { timeOfId } from "../../shared/ids.ts";
import { messageNotFound } from "../../shared/policies.ts";
import type { Scope } from "../http/route.ts";
import { isoTime, isoTimeOrNull } from "../http/schemas.ts";
import { findJob, getTask } from "../tasks/get-task.ts";
import type { TraceView } from "../tasks/schemas.ts";

/** The way of one message, from the request that sent it to whoever has seen it; for its sender, and for admins. */
export async function getTrace(id: string, scope: Scope): Promise<z.input<typeof TraceView>> {
  const { caller, deps } = scope;
  const task = await taskOf(id, scope);
  const messageId = task.result && "text" in task.result ? task.result.id : id;
  // With the queue away a message that is stored has its trace all the same.
  const [stored, found] = await Promise.all([findStored(messageId, scope), findJob(id, deps).catch(() => undefined)]);
  const job = found?.job;
  return {
    message_id: messageId,
    task_id: id,
    request_id: job?.data.requestId ?? stored?.request_id ?? task.error?.request_id ?? null,
    // It may have been stored between the two looks.
    state: stored ? "done" : task.state,
    accepted_at: task.created_at,
    attempts: stored ? Math.max(task.attempts, 1) : task.attempts,
    // A queue in Postgres dates it by the transaction that waited for it.
    begun_at: job?.processedOn ? isoTime(new Date(Math.max(job.processedOn, timeOfId(id).getTime()))) : null,
    reasons: caller.isAdmin ? reasonsOf(job) : null,
    stored_at: isoTimeOrNull(stored?.stored_at ?? null),
    first_delivered_at: isoTimeOrNull(stored?.first_delivered_at ?? null),
    first_seen_at: isoTimeOrNull(stored?.first_seen_at ?? null),
    seen_by_count: stored?.seen_by_count ?? 0,
    error: stored ? null : task.error,
  };
}

/** A task that is not theirs, or is no send, is a message that is not there. */
async function taskOf(id: string, { caller, deps, gone }: Scope) {
  const senderId = caller.isAdmin ? undefined : caller.id;
  const task = await getTask({ id, waitMs: 0, senderId, gone }, deps).catch((error: unknown) => {
    throw error instanceof AppError && error.code === "task_not_found" ? messageNotFound(id) : error;
  });
  if (task.kind !== "message.send") throw messageNotFound(id);
  return task;
}

/** What was thrown is for those who run the system, without where in the source that was. */
const reasonsOf = (job: Pick<Job, "stacktrace"> | undefined): string[] =>
  (job?.stacktrace ?? []).map((trace) => trace.split(/\n\s+at /, 1)[0]!);

const findStored = (id: string, { deps }: Scope): Promise<Stored | undefined> =>
  oneRow<Stored>(deps.em, storedSql, [id]);

interface Stored {
  readonly request_id: string | null;
  readonly stored_at: string;
  readonly first_delivered_at: string | null;
  readonly first_seen_at: string | null;
  readonly seen_by_count: number;
}

/**
 * Nobody has seen what was not delivered, and nothing is delivered before it is stored: where a delivery was not
 * recorded, or by a clock that is a moment behind, the next thing that is known holds.
 */
const storedSql = `
  select l.data->>'request_id' as request_id, m.created_at as stored_at, seen.at as first_seen_at, ${seenByCount},
    least(greatest(d.at, case when d.at is not null then m.created_at end), seen.at) as first_delivered_at
  from messages m
  left join log l on l.pos = m.pos and l.message_id = m.id
  left join deliveries d on d.message_id = m.id
  left join lateral (
    select min(s.at) as at from receipts s
    where s.room_id = m.room_id and s.seq >= m.seq and s.from_seq < m.seq and s.user_id <> m.sender_id
  ) seen on true
  where m.id = $1`;
