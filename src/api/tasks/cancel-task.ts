import { type EntityManager, inTransaction, oneRow, rows } from "../../shared/db/database.ts";
import { AppError, problemOf } from "../../shared/errors.ts";
import { append } from "../../shared/log/append.ts";
import { CANCEL_LOCK, sendCancelled } from "../../shared/sends.ts";
import type { Scope } from "../http/route.ts";
import { getTask } from "./get-task.ts";
import type { TaskView } from "./schemas.ts";

/** Ends a send that no worker has begun. Asked again, it answers the same again. */
export async function cancelTask(id: string, { caller, deps, gone }: Scope): Promise<TaskView> {
  const look = () => getTask({ id, waitMs: 0, senderId: caller.id, gone }, deps);
  const task = await look();
  if (task.kind !== "message.send") throw notCancellable("Only a message that waits to be stored can be cancelled");
  if (task.state === "queued" && (await inTransaction(deps.em, (tx) => writeDown(id, caller.id, tx)))) {
    await dropJob(id, deps);
  }
  const after = await look();
  if (after.error?.code !== "cancelled") throw notCancellable(`It is too late: the task is ${after.state}`);
  return after;
}

const notCancellable = (detail: string): AppError => new AppError("task_not_cancellable", detail);

/** The queue only hints at what is still waiting. This is where it is settled; false if a worker was quicker. */
async function writeDown(id: string, userId: number, tx: EntityManager): Promise<boolean> {
  await rows(tx, "select pg_advisory_xact_lock($1)", [CANCEL_LOCK]);
  if (await oneRow(tx, endedSql, [id])) return false;
  const data = { task_id: id, kind: "message.send", attempts: 0, error: problemOf(sendCancelled()) };
  await append(tx, { entries: [{ type: "task.failed", userId, actorId: userId, taskId: id, data }] });
  return true;
}

export const endedSql = `
  select from messages where id = $1 union all select from log where task_id = $1 and type = 'task.failed' limit 1`;

/** A job that is left behind, or taken this very moment, is refused by its worker; without it there is nothing to do. */
async function dropJob(id: string, { backend, log }: Scope["deps"]): Promise<void> {
  const removing = Promise.all(backend.queues.map((queue) => queue.remove(id)));
  await removing.catch((error: unknown) => log.warn({ task: id, reason: String(error) }, "job kept"));
}
