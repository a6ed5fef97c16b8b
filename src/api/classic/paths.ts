import type { Middleware } from "koa";
import type { ApiDeps } from "../deps.ts";
import { parseBody } from "../http/body.ts";
import { answerClassicErrors } from "./errors.ts";
import { classicRouter } from "./router.ts";

export const isClassicPath = (path: string): boolean => /^\/(users|chat)(\/|$)/.test(path);

/** The classic paths, with bodies and errors of their own kind; whatever else is asked passes by. */
export function classicPaths(deps: ApiDeps): Middleware {
  const errors = answerClassicErrors(deps.log);
  const body = parseBody({ forms: true }); // they take forms too
  const router = classicRouter(deps);
  return (ctx, next) =>
    isClassicPath(ctx.path) ? errors(ctx, async () => body(ctx, async () => router(ctx, next))) : next();
}
