import { defineRoute, reply } from "../http/route.ts";
import { listFailedJobs, retryAllJobs, retryJob, showJob } from "./jobs.ts";
import { FailedJobsQuery, FailedJobsView, JobWithDataView, jobParams, RetriedView } from "./schemas.ts";

const tag = "Admin";
const access = "admin";
const errors = ["validation_failed", "queue_unavailable", "database_unavailable"] as const;

/** The same as `npm run jobs`, for who sits at the desk. */
export const jobRoutes = [
  defineRoute({
    id: "listFailedJobs",
    method: "get",
    path: "/v1/admin/jobs",
    tag,
    summary: "The jobs that have failed and why, the newest first",
    access,
    query: FailedJobsQuery,
    responses: { 200: { description: "A page of jobs", body: FailedJobsView } },
    errors,
    handle: async ({ query }, { deps }) => reply(200, await listFailedJobs(query, deps)),
  }),
  defineRoute({
    id: "retryAllJobs",
    method: "post",
    path: "/v1/admin/jobs/retry",
    tag,
    summary: "Another try for every job that has failed and was not cancelled",
    description: "A thousand at most; `left` says how many more there are.",
    access,
    responses: { 200: { description: "How many", body: RetriedView } },
    errors,
    handle: async (_, scope) => reply(200, await retryAllJobs(scope)),
  }),
  defineRoute({
    id: "showJob",
    method: "get",
    path: "/v1/admin/jobs/:id",
    tag,
    summary: "One job, in whatever state it is",
    access,
    params: jobParams,
    responses: { 200: { description: "The job", body: JobWithDataView } },
    errors: [...errors, "job_not_found"],
    handle: async ({ params: { id } }, { deps }) => reply(200, await showJob(id, deps)),
  }),
  defineRoute({
    id: "retryJob",
    method: "post",
    path: "/v1/admin/jobs/:id/retry",
    tag,
    summary: "Another try for a job that has failed",
    access,
    params: jobParams,
    responses: { 204: { description: "It is in the queue again" } },
    errors: [...errors, "job_not_found", "job_not_retryable"],
    async handle({ params: { id } }, scope) {
      await retryJob(id, scope);
      return reply(204);
    },
  }),
];
