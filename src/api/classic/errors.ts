import type { Middleware } from "koa";
import type { AppError } from "../../shared/errors.ts";
import type { Logger } from "../../shared/logger.ts";
import { toAppErrorOrLog } from "../http/errors.ts";

/** The classic paths tell errors in their own shape; the status in the body is always that of the answer. */
export function answerClassicErrors(log: Logger): Middleware {
  return async (ctx, next) => {
    try {
      await next();
    } catch (cause) {
      const error = toAppErrorOrLog(cause, ctx, log);
      ctx.set({ ...error.headers });
      ctx.status = classicStatus(error);
      if (ctx.status === 503 && !error.headers["Retry-After"]) ctx.set("Retry-After", "1");
      ctx.body = { status: ctx.status, msg: error.message };
    }
  };
}

/** Who is asking is part of the path here, so that an unknown one is as missing as any other thing named there. */
const classicStatus = (error: AppError): number => (error.code === "not_signed_in" ? 404 : error.status);
