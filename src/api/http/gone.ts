import type { Context } from "koa";

/** Aborted when the connection closes before the answer is out. */
export function watchClient(ctx: Context): AbortController {
  const controller = new AbortController();
  ctx.res.once("close", () => {
    if (!ctx.res.writableFinished) controller.abort();
  });
  return controller;
}
