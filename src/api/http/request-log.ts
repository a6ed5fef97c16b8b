import type { Middleware } from "koa";
import type { ApiDeps } from "../deps.ts";
import { requestIdOf } from "./request-id.ts";

/**
 * Counts each request, and writes a line for it, with neither body nor query: they hold what people say and who they
 * are.
 */
export function requestLog({ log, hub, traffic }: Pick<ApiDeps, "log" | "hub" | "traffic">): Middleware {
  return async (ctx, next) => {
    const requestId = requestIdOf(ctx.headers["x-request-id"]);
    ctx.state["requestId"] = requestId;
    ctx.res.setHeader("X-Request-Id", requestId);
    const startedAt = performance.now();
    await next();
    // A connection that is kept would keep the process: it stops.
    if (hub.closing) ctx.set("Connection", "close");
    const tookMs = performance.now() - startedAt;
    traffic.answered(ctx, tookMs);
    if (!log.isLevelEnabled("info")) return;
    const { route, userId, credential } = ctx.state as { route?: string; userId?: number; credential?: string };
    const ms = Math.round(tookMs * 10) / 10;
    log.info(
      { requestId, method: ctx.method, path: ctx.path, route, userId, credential, status: ctx.status, ms },
      "request",
    );
  };
}
