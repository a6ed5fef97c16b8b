import type { Context } from "koa";
import type { Headers } from "./route.ts";

/** What `ctx.set` does, without its lists of lists: every answer has a dozen headers. */
export function setHeaders(ctx: Context, headers: Headers): void {
  for (const name in headers) ctx.res.setHeader(name, headers[name]!);
}
