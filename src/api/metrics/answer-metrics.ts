import type { Context, Middleware } from "koa";
import { AppError } from "../../shared/errors.ts";
import { scrape } from "../../shared/metrics/scrape.ts";
import type { ApiDeps } from "../deps.ts";

const PATH = "/metrics";

/**
 * `/metrics` for Prometheus. No route value: it is text and not JSON, and nobody's budget pays for it. It asks neither
 * who is asking nor anything that may be away.
 */
export function answerMetrics(deps: Pick<ApiDeps, "env" | "metrics">): Middleware {
  return (ctx, next) => (ctx.path === PATH ? answer(ctx, deps) : next());
}

async function answer(ctx: Context, deps: Pick<ApiDeps, "env" | "metrics">): Promise<void> {
  ctx.state["route"] = "metrics";
  if (ctx.method !== "GET" && ctx.method !== "HEAD") {
    throw new AppError("method_not_allowed", `${PATH} answers GET, HEAD`, { headers: { Allow: "GET, HEAD" } });
  }
  const { type, text } = await scrape(deps, ctx.headers.authorization);
  ctx.set("Cache-Control", "no-store");
  ctx.set("Content-Type", type);
  ctx.body = text;
}
