import { type AppError, problemOf } from "../shared/errors.ts";
import type { NewJob } from "../shared/jobs/catalog.ts";
import type { NewEntry } from "../shared/log/entry.ts";

/** A job that a worker holds, with how often one has begun it. */
export type TakenJob = NewJob & {
  readonly attempts: number;
  /** One of a group: what is refused here is refused for good by a job of its own. */
  readonly grouped?: boolean;
};

/** One job of a batch, parsed. */
export interface Task<Data> {
  readonly id: string;
  readonly data: Data;
}

/** How a task ended: a result, or a refusal that trying again would not change. */
export type Outcome =
  | { readonly result: unknown; readonly problem?: undefined }
  | { readonly problem: AppError; readonly result?: undefined };

/** Whether what a batch made of a send is its end: in a group anything but its own message, or having been cancelled, is not. */
export const isEnd = ({ id, grouped }: TakenJob, { problem, result }: Outcome): boolean =>
  !grouped || (problem ? problem.code === "cancelled" : (result as { message_id: string }).message_id === id);

/** What tells a task's sender, in their own log, that it could not be done. */
export function failureEntry({ id, name, data, attempts }: TakenJob, problem: AppError): NewEntry {
  const userId = name === "message.send" ? data.senderId : data.userId;
  const told = { task_id: id, kind: name, attempts, error: problemOf(problem, data.requestId) };
  return { type: "task.failed", userId, actorId: null, taskId: id, data: told };
}
