import { AppError, isErrorCode, type Problem } from "../../shared/errors.ts";
import type { Scope } from "../http/route.ts";
import type { MessageView } from "../messages/schemas.ts";
import { getTask } from "./get-task.ts";

/** The message once it is stored; undefined if that takes longer; a refusal is thrown as what it is. */
export async function waitForMessage(
  id: string,
  waitMs: number,
  { caller, deps, gone }: Scope,
): Promise<MessageView | undefined> {
  const task = await getTask({ id, waitMs, senderId: caller.id, gone }, deps);
  if (task.state === "failed") throw errorOfProblem(task.error as Problem);
  return task.state === "done" ? (task.result as MessageView) : undefined;
}

/** A problem that came back from a task, as an error of ours again. */
function errorOfProblem({ code, detail }: Problem): AppError {
  return new AppError(isErrorCode(code) ? code : "internal", detail);
}
