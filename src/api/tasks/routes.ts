import { z } from "zod";
import { defineRoute, reply } from "../http/route.ts";
import { waitParam } from "../http/schemas.ts";
import { cancelTask } from "./cancel-task.ts";
import { getTask } from "./get-task.ts";
import { TaskView } from "./schemas.ts";

const params = z.object({ id: z.string().max(100) });

export const taskRoutes = [
  defineRoute({
    id: "getTask",
    method: "get",
    path: "/v1/tasks/:id",
    tag: "Tasks",
    summary: "What became of a send or a mark",
    description: "Only for who sent it. With `wait` the answer comes when the task ends, or when the time is up.",
    access: "caller",
    params,
    query: z.object({ wait: waitParam }),
    responses: { 200: { description: "The task", body: TaskView } },
    errors: ["validation_failed", "task_not_found", "queue_unavailable", "database_unavailable"],
    async handle({ params, query }, { deps, caller, gone }) {
      const id = params.id.toLowerCase();
      return reply(200, await getTask({ id, waitMs: query.wait * 1_000, senderId: caller.id, gone }, deps));
    },
  }),
  defineRoute({
    id: "cancelTask",
    method: "delete",
    path: "/v1/tasks/:id",
    tag: "Tasks",
    summary: "Cancel a message that is still queued",
    description:
      "The message is never stored, and its task ends `failed` with the code `cancelled`. Once a worker has begun it, " +
      "and for marks, the answer is 409. What is sent again under its key is that same task.",
    access: "caller",
    params,
    responses: { 200: { description: "The task, cancelled", body: TaskView } },
    errors: ["task_not_found", "task_not_cancellable", "queue_unavailable", "database_unavailable"],
    handle: async ({ params }, scope) => reply(200, await cancelTask(params.id.toLowerCase(), scope)),
  }),
];
