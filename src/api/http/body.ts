import type { Context, Middleware } from "koa";
import { koaBody } from "koa-body";
import { AppError } from "../../shared/errors.ts";
import { readsBody } from "./route.ts";

const LIMIT = "64kb";
const JSON_TYPES = ["application/json", "application/*+json"];

/** JSON bodies (and forms, for the classic paths), at most 64 KiB; the library's errors become ours. */
export function parseBody({ forms }: { forms: boolean }): Middleware {
  const known = [...JSON_TYPES, ...(forms ? ["urlencoded"] : [])];
  const parseKnown = koaBody({
    jsonLimit: LIMIT,
    formLimit: LIMIT,
    jsonStrict: true,
    jsonTypes: JSON_TYPES,
    urlencoded: forms,
    text: false,
    onError,
  });
  return (ctx, next) => {
    if (!readsBody(ctx.method)) return next();
    if (hasBody(ctx) && ctx.headers["content-type"] !== "application/json" && !ctx.is(...known)) {
      throw new AppError("unsupported_media_type", "Send JSON with the header Content-Type: application/json");
    }
    return parseKnown(ctx, next);
  };
}

const hasBody = (ctx: Context): boolean =>
  ctx.headers["transfer-encoding"] !== undefined || Number(ctx.headers["content-length"] ?? 0) > 0;

function onError(error: Error & { status?: number; type?: string }): never {
  if (error.status === 413) throw new AppError("body_too_large", "A body may have 64 KiB at most", { cause: error });
  if (error.status === 415)
    throw new AppError("unsupported_media_type", "The content encoding is not supported", { cause: error });
  throw new AppError("malformed_json", "The body could not be read as JSON", { cause: error });
}
