import { z } from "zod";
import { errorCodes } from "../../shared/errors.ts";
import { count, id, time } from "../http/schemas.ts";
import { MessageView } from "../messages/schemas.ts";

export const ProblemView = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    detail: z.string(),
    code: z.enum(Object.keys(errorCodes)).meta({ description: "For programs: stable" }),
    errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
    request_id: z.string().optional(),
  })
  .meta({ id: "Problem" });

export const SeenResultView = z
  .object({ rooms: z.array(z.object({ room_id: id, read_seq: count })) })
  .meta({ id: "SeenResult" });

export const TaskState = z.enum(["queued", "running", "retrying", "done", "failed"]);

export const TaskView = z
  .object({
    id: z.uuid(),
    kind: z.enum(["message.send", "messages.seen"]),
    state: TaskState,
    attempts: count,
    created_at: time,
    finished_at: time.nullable(),
    result: z.union([MessageView, SeenResultView]).nullable(),
    error: ProblemView.nullable(),
  })
  .meta({ id: "Task" });
export type TaskView = z.output<typeof TaskView>;

export const SentView = z
  .object({
    messages: z.array(MessageView).meta({ description: "The message, once it is stored" }),
    task: TaskView.nullable().meta({ description: "Null: nothing is known under this key, and sending it is safe" }),
  })
  .meta({ id: "Sent" });

export const TraceView = z
  .object({
    message_id: z.uuid().meta({ description: "Another than the task's if its key had stored the message before" }),
    task_id: z.uuid(),
    request_id: z
      .string()
      .nullable()
      .meta({ description: "Of the request that sent it: the log lines of API and worker carry it" }),
    state: TaskState,
    accepted_at: time,
    attempts: count,
    begun_at: time.nullable().meta({ description: "When a worker last began it; null once the queue has forgotten" }),
    reasons: z
      .array(z.string())
      .nullable()
      .meta({ description: "Why attempts have failed, as far as the queue still knows; to an admin only" }),
    stored_at: time.nullable(),
    first_delivered_at: time
      .nullable()
      .meta({ description: "First handed to somebody else than its sender, by whatever way they read" }),
    first_seen_at: time.nullable(),
    seen_by_count: count,
    error: ProblemView.nullable(),
  })
  .meta({ id: "Trace" });
