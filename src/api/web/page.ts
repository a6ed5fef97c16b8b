import { fileURLToPath } from "node:url";
import type { Context, Middleware } from "koa";
import { AppError } from "../../shared/errors.ts";
import { type Asset, type Document, documents, pageReader } from "./files.ts";

const builtFolder = fileURLToPath(new URL("../../../dist/web/", import.meta.url));

/**
 * Scripts, styles and calls are those of this origin; nothing is written into the page itself, no text becomes markup,
 * and nobody frames it. `'self'` holds for the socket too.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

interface Options {
  /** Told to the page, which may then say how to sign in. */
  readonly mode: string;
  readonly folder?: string;
}

/**
 * The chat page at `/`, the admin's desk at `/admin`, and their files. Whoever asks these paths for JSON and not for a
 * page gets what they always got.
 */
export function webPage({ mode, folder = builtFolder }: Options): Middleware {
  const read = pageReader(folder, mode);
  return async (ctx, next) => {
    const path = ctx.path === "/admin/" ? "/admin" : ctx.path;
    const isPage = Object.hasOwn(documents, path) && ctx.accepts("html", "json") === "html";
    if (!isPage && !ctx.path.startsWith("/assets/")) return next();
    if (ctx.method !== "GET" && ctx.method !== "HEAD") {
      throw new AppError("method_not_allowed", `${ctx.path} answers GET, HEAD`, { headers: { Allow: "GET, HEAD" } });
    }
    const built = await read();
    if (isPage) return answerPage(ctx, built?.documents.get(path));
    const asset = built?.assets.get(ctx.path);
    return asset ? answerAsset(ctx, asset) : next();
  };
}

function answerPage(ctx: Context, page: Document | undefined): void {
  if (!page)
    throw new AppError("route_not_found", "The page is not built: npm run build:web builds it; the API is here");
  ctx.set({ "Cache-Control": "no-cache", ETag: page.etag, "Content-Security-Policy": POLICY });
  ctx.vary("Accept");
  ctx.status = 200;
  ctx.type = "html";
  ctx.body = page.html;
  if (ctx.get("If-None-Match").includes(page.etag)) ctx.status = 304;
}

/** The name changes with the content, so that nobody need ask twice. */
function answerAsset(ctx: Context, { type, plain, br, gzip }: Asset): void {
  const encoding = (["br", "gzip"] as const).find((name) => ctx.acceptsEncodings(name) === name);
  ctx.set("Cache-Control", "public, max-age=31536000, immutable");
  ctx.vary("Accept-Encoding");
  if (encoding) ctx.set("Content-Encoding", encoding);
  ctx.type = type;
  ctx.body = encoding ? { br, gzip }[encoding] : plain;
}
