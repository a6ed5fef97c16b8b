import Koa, { type Middleware } from "koa";
import { adminQueues } from "./admin/queues.ts";
import { classicPaths } from "./classic/paths.ts";
import type { ApiDeps } from "./deps.ts";
import { docs } from "./docs/docs.ts";
import { parseBody } from "./http/body.ts";
import { answerErrors, answerUnknownPath } from "./http/errors.ts";
import { mount } from "./http/mount.ts";
import { requestLog } from "./http/request-log.ts";
import { allowOrigins, assertFromHere, securityHeaders } from "./http/security.ts";
import { traceRequests } from "./http/trace-requests.ts";
import { answerMetrics } from "./metrics/answer-metrics.ts";
import { routes } from "./routes.ts";
import { webPage } from "./web/page.ts";

/** The same value serves production and tests. */
export function createApp(deps: ApiDeps): Koa {
  const app = new Koa();
  app.proxy = deps.env.TRUST_PROXY;
  app.maxIpsCount = 1; // the address that the proxy itself saw: what stands before it anybody may have made up
  app.silent = true; // what goes wrong is logged once, by answerErrors
  app.use(requestLog(deps)); // first: every answer has a request id, is counted, and has a line in the log
  if (deps.tracing) app.use(traceRequests(deps.tracing, routes)); // what is below is a part of the request's trace
  app.use(securityHeaders()); // also on what is answered as an error
  if (deps.env.CORS_ORIGINS.length > 0) app.use(allowOrigins(deps.env.CORS_ORIGINS)); // pages of these may call
  app.use(answerErrors(deps.log)); // what throws below is answered in one shape
  app.use(answerMetrics(deps)); // for Prometheus; before all that asks who is asking
  if (deps.env.AUTH_MODE === "demo") app.use(onlyFromHere(deps)); // pages of elsewhere are no user of this machine
  if (deps.env.AUTH_MODE === "demo") app.use(classicPaths(deps));
  app.use(parseBody({ forms: false })); // JSON, and nothing else
  app.use(mount(routes, deps)); // a known path with another method is refused here
  app.use(adminQueues(deps)); // Bull Board, for admins
  app.use(webPage({ mode: deps.env.AUTH_MODE })); // the chat page at /, the admin's desk at /admin
  app.use(docs(routes)); // /openapi.json, /docs and the page's own files
  app.use(answerUnknownPath); // last: nothing above has answered
  return app;
}

const onlyFromHere =
  ({ env }: ApiDeps): Middleware =>
  (ctx, next) => {
    assertFromHere(ctx, env);
    return next();
  };
