import type Router from "@koa/router";
import type { Middleware } from "koa";
import { AppError } from "../../shared/errors.ts";

/** A path that exists, asked with a method that it does not have: 405 and the methods that it has. */
export function allowedMethods(router: Router): Middleware {
  return (ctx, next) => {
    const methods = router.match(ctx.path, ctx.method).path.flatMap((layer) => layer.methods);
    if (methods.length === 0) return next();
    const allow = [...new Set(methods)].sort().join(", ");
    throw new AppError("method_not_allowed", `${ctx.path} answers ${allow}`, { headers: { Allow: allow } });
  };
}
