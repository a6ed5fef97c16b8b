import { SpanStatusCode } from "@opentelemetry/api";
import type { Middleware } from "koa";
import type { Tracing } from "../../shared/tracing/tracing.ts";
import type { Gone } from "./gone.ts";
import type { Route } from "./route.ts";

/** Asked every few seconds, by machines. */
const NOT_TRACED = new Set(["/healthz", "/readyz", "/metrics"]);

/** A span for each request, its waiting included; it goes on with the trace that its client names. */
export function traceRequests(tracing: Tracing, routes: readonly Route[]): Middleware {
  const paths = new Map(routes.map(({ id, path }) => [id, path]));
  return (ctx, next) => {
    if (NOT_TRACED.has(ctx.path)) return next();
    return tracing.serve(ctx.method, ctx.headers, async (span) => {
      await next();
      const { requestId, route, userId, gone } = ctx.state as State;
      const path = paths.get(route ?? "");
      if (path) span.updateName(`${ctx.method} ${path}`).setAttribute("http.route", path);
      if (userId !== undefined) span.setAttribute("enduser.id", String(userId));
      if (gone?.parkedMs) span.setAttribute("parley.parked_ms", Math.round(gone.parkedMs));
      span.setAttributes({
        "http.request.method": ctx.method,
        "http.response.status_code": ctx.status,
        "parley.request_id": requestId,
      });
      if (ctx.status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
    });
  };
}

interface State {
  readonly requestId: string;
  readonly route?: string;
  readonly userId?: number;
  readonly gone?: Gone;
}
