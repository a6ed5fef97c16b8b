import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { createRequire } from "node:module";
import { dirname, extname, join } from "node:path";
import type { Context, Middleware } from "koa";
import { koaSwagger } from "koa2-swagger-ui";
import { AppError } from "../../shared/errors.ts";
import type { Route } from "../http/route.ts";
import { openapi } from "./openapi.ts";

const assetsPath = "/docs/assets";
const distribution = dirname(createRequire(import.meta.url).resolve("swagger-ui-dist/package.json"));

/** What the page asks for, and the file of the distribution that it is. */
const assets: Readonly<Record<string, string>> = {
  "swagger-ui.min.css": "swagger-ui.css",
  "swagger-ui-bundle.js": "swagger-ui-bundle.js",
  "swagger-ui-standalone-preset.js": "swagger-ui-standalone-preset.js",
};

/** `/openapi.json`, and a page to try it at `/docs`, whose files come from here and from nowhere else. */
export function docs(routes: readonly Route[]): Middleware {
  const document = JSON.stringify(openapi(routes));
  const page = koaSwagger({
    title: "Parley",
    routePrefix: "/docs",
    swaggerCdnUrl: assetsPath,
    swaggerVersion: "ui",
    hideTopbar: true,
    swaggerOptions: { url: "/openapi.json", docExpansion: "list", tryItOutEnabled: true, validatorUrl: null },
  });
  return async (ctx, next) => {
    if (ctx.method !== "GET" && ctx.method !== "HEAD") {
      if (!isOurs(ctx.path)) return next();
      throw new AppError("method_not_allowed", `${ctx.path} answers GET, HEAD`, { headers: { Allow: "GET, HEAD" } });
    }
    if (ctx.path === "/openapi.json") return answerDocument(ctx, document);
    if (ctx.path.startsWith(`${assetsPath}/ui/`)) return answerAsset(ctx, next);
    await page(ctx, next);
    if (isPage(ctx)) answerPage(ctx, withoutStrangers(ctx.body));
  };
}

const isOurs = (path: string): boolean => path === "/openapi.json" || /^\/docs(\/|$)/.test(path);

function answerDocument(ctx: Context, document: string): void {
  ctx.type = "application/json; charset=utf-8";
  ctx.body = document;
}

async function answerAsset(ctx: Context, next: () => Promise<unknown>): Promise<unknown> {
  const file = assets[ctx.path.slice(assetsPath.length + "/ui/".length)];
  if (file === undefined) return next();
  ctx.type = extname(file);
  ctx.set("Cache-Control", "public, max-age=86400");
  ctx.body = createReadStream(join(distribution, file));
  return undefined;
}

/** The page's one script stands inside it: that very script may run, and no other that is written in. */
function answerPage(ctx: Context, html: string): void {
  const scripts = [...html.matchAll(/<script>([\s\S]*?)<\/script>/g)].map(([, text]) => `'sha256-${hashOf(text!)}'`);
  ctx.set(
    "Content-Security-Policy",
    `default-src 'self'; script-src 'self' ${scripts.join(" ")}; style-src 'self' 'unsafe-inline'; ` +
      "img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'; object-src 'none'",
  );
  ctx.body = html;
}

const hashOf = (text: string): string => createHash("sha256").update(text).digest("base64");

const isPage = (ctx: Context): ctx is Context & { body: string } =>
  /^\/docs\/?$/.test(ctx.path) && typeof ctx.body === "string";

/** The page's template links a font from elsewhere; the page does without. */
export const withoutStrangers = (html: string): string => html.replace(/<link href="https?:[^>]*>/g, "");
