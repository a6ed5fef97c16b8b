import type { z } from "zod";
import { oneRow } from "../../shared/db/database.ts";
import { AppError } from "../../shared/errors.ts";
import { queueUnavailable } from "../../shared/jobs/enqueue.ts";
import { keys } from "../../shared/store/store.ts";
import type { Scope } from "../http/route.ts";
import { getTask } from "../tasks/get-task.ts";
import type { SentView, TaskView } from "../tasks/schemas.ts";

/** What was sent under a key, for whoever has lost the answer; it is found in whatever state it is. */
export async function findSent(clientKey: string, scope: Scope): Promise<z.input<typeof SentView>> {
  const id = (await storedUnder(clientKey, scope)) ?? (await rememberedUnder(clientKey, scope));
  const task = id === undefined ? null : await taskOrNull(id, scope);
  const message = task?.result && "text" in task.result ? task.result : undefined;
  return { messages: message ? [message] : [], task };
}

async function storedUnder(clientKey: string, { caller, deps }: Scope): Promise<string | undefined> {
  const sql = "select id from messages where sender_id = $1 and client_key = $2";
  return (await oneRow<{ id: string }>(deps.em, sql, [caller.id, clientKey]))?.id;
}

async function rememberedUnder(clientKey: string, { caller, deps }: Scope): Promise<string | undefined> {
  try {
    return (await deps.backend.store.get(keys.sendKey(caller.id, clientKey)))?.split(" ")[0];
  } catch (cause) {
    throw queueUnavailable(deps.log, cause);
  }
}

/** A key that was remembered for a job that never came to be promised nothing to anybody. */
async function taskOrNull(id: string, { caller, deps, gone }: Scope): Promise<TaskView | null> {
  try {
    return await getTask({ id, waitMs: 0, senderId: caller.id, gone }, deps);
  } catch (error) {
    if (error instanceof AppError && error.code === "task_not_found") return null;
    throw error;
  }
}
