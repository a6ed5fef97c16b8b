import type { Context, Middleware } from "koa";
import { isDatabaseAway } from "../../shared/db/database.ts";
import { AppError, problemOf } from "../../shared/errors.ts";
import type { Logger } from "../../shared/logger.ts";

/** First in the list: whatever throws below is answered in one shape. */
export function answerErrors(log: Logger): Middleware {
  return async (ctx, next) => {
    try {
      await next();
    } catch (cause) {
      answerProblem(ctx, toAppErrorOrLog(cause, ctx, log));
    }
  };
}

function answerProblem(ctx: Context, error: AppError): void {
  const requestId: string = ctx.state["requestId"];
  ctx.status = error.status;
  ctx.set(problemHeaders(error));
  ctx.body = JSON.stringify(problemOf(error, requestId));
}

/** What goes with every problem. */
export const problemHeaders = (error: AppError): Record<string, string> => ({
  "Content-Type": "application/problem+json; charset=utf-8",
  ...(error.status === 401 && { "WWW-Authenticate": challengeOf(error) }),
  ...(error.status === 503 && { "Retry-After": "1" }),
  ...error.headers,
});

/** RFC 6750: a token that was shown and is not good is an invalid one; no token at all is no error yet. */
function challengeOf({ code }: AppError): string {
  const shown = code === "token_invalid" || code === "token_expired" || code === "session_ended";
  return shown ? 'Bearer realm="parley", error="invalid_token"' : 'Bearer realm="parley"';
}

/** The unknown is logged, once, here. */
export const toAppErrorOrLog = (cause: unknown, ctx: Context, log: Logger): AppError =>
  toAppError(cause) ?? unexpected(cause, ctx, log);

/** The same on a socket, where each frame is a request. */
export function toAppErrorOrInternal(cause: unknown, log: Logger, requestId: string): AppError {
  const known = toAppError(cause);
  if (known) return known;
  log.error({ err: cause, requestId }, "a frame failed");
  return new AppError("internal", "Something went wrong on our side", { cause });
}

/** Known by class or by state, never by words; what nobody knows is a 500 that says nothing. */
function toAppError(error: unknown): AppError | undefined {
  if (error instanceof AppError) return error;
  if (isDatabaseAway(error)) {
    return new AppError("database_unavailable", "The database can't be reached at the moment", { cause: error });
  }
  return undefined;
}

function unexpected(cause: unknown, ctx: Context, log: Logger): AppError {
  const requestId: string = ctx.state["requestId"];
  log.error({ err: cause, requestId, route: ctx.state["route"] }, "a request failed");
  return new AppError("internal", `Something went wrong; the log has more under ${requestId}`, { cause });
}

/** Last in the list: nothing above has answered. */
export const answerUnknownPath: Middleware = (ctx) => {
  throw new AppError("route_not_found", `Nothing is at ${ctx.path}; /docs tells what there is`);
};
