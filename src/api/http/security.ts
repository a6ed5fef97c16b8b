import type { IncomingMessage, ServerResponse } from "node:http";
import cors from "@koa/cors";
import helmet from "helmet";
import type { Context, Middleware } from "koa";
import type { Env } from "../../shared/env.ts";
import { AppError } from "../../shared/errors.ts";
import { setHeaders } from "./headers.ts";

/** Headers that keep browsers from doing more with an answer than it is meant for. */
export function securityHeaders(): Middleware {
  const helm = helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        "default-src": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        "object-src": ["'none'"],
      },
    },
    // For browsers of long ago, on thousands of answers a second.
    originAgentCluster: false,
    xDnsPrefetchControl: false,
    xDownloadOptions: false,
    xPermittedCrossDomainPolicies: false,
    xXssProtection: false,
    // Who embeds pictures or scripts of ours across origins is told by CORS, for the origins that may.
    crossOriginResourcePolicy: { policy: "same-site" },
  });
  // The same for every answer, so that they are asked for once.
  const headers: Record<string, string> = {};
  const collect = { setHeader: (name: string, value: string) => (headers[name] = value), removeHeader: () => {} };
  helm({} as IncomingMessage, collect as unknown as ServerResponse, () => {});
  return (ctx, next) => {
    setHeaders(ctx, headers);
    return next();
  };
}

const EXPOSED = [
  "ETag",
  "Idempotent-Replayed",
  "Link",
  "Location",
  "Parley-Lately",
  "RateLimit",
  "RateLimit-Policy",
  "Retry-After",
  "Stream-Cursor",
  "Stream-Next-Offset",
  "Stream-Up-To-Date",
  "X-Cache",
  "X-Request-Id",
];
const ALLOWED = [
  "Authorization",
  "Content-Type",
  "Idempotency-Key",
  "If-None-Match",
  "Last-Event-ID",
  "Prefer",
  "X-Act-As",
  "X-API-Key",
  "X-Request-Id",
  "X-User-Id",
];

/** Pages of these origins may call; of no others. Credentials are in headers, so cookies never are. */
export function allowOrigins(origins: readonly string[]): Middleware {
  const anyone = origins.includes("*");
  return cors({
    origin: (ctx: Context) => (anyone ? "*" : origins.includes(ctx.get("origin")) ? ctx.get("origin") : ""),
    allowMethods: "GET,HEAD,POST,PUT,PATCH,DELETE",
    allowHeaders: ALLOWED,
    exposeHeaders: EXPOSED,
    maxAge: 600,
  });
}

/**
 * Demo mode believes whoever speaks, and every page that somebody on this machine has open can make their browser speak:
 * only pages from here may, and those of CORS_ORIGINS. By a name that somebody can own nobody comes here but a page whose
 * name was made to lead here.
 */
export function assertFromHere(
  ctx: Context,
  { AUTH_MODE, CORS_ORIGINS }: Pick<Env, "AUTH_MODE" | "CORS_ORIGINS">,
): void {
  if (AUTH_MODE !== "demo" || CORS_ORIGINS.includes("*")) return;
  const origin = ctx.get("origin");
  if (isOfSomebody(ctx.host) && !CORS_ORIGINS.some((known) => URL.parse(known)?.host === ctx.host)) {
    throw new AppError("not_allowed", `In demo mode this is not ${ctx.host}; CORS_ORIGINS may name it`);
  }
  if (origin !== "" && URL.parse(origin)?.host !== ctx.host && !CORS_ORIGINS.includes(origin)) {
    throw new AppError("not_allowed", `Pages of ${origin} may not ask here; CORS_ORIGINS names those that may`);
  }
  // A picture or a form sends no origin along; whoever follows a link comes to read.
  const comesFromElsewhere = origin === "" && /^(cross|same)-site$/.test(ctx.get("sec-fetch-site"));
  if (comesFromElsewhere && (ctx.get("sec-fetch-mode") !== "navigate" || ctx.method !== "GET")) {
    throw new AppError("not_allowed", "Pages of elsewhere may not ask here; CORS_ORIGINS names those that may");
  }
}

const HOST = /^(\[[0-9a-f:.]+\]|[\w.-]+)(?::\d+)?$/i;
/** Addresses, names without a dot, and the names of this machine can't be made to lead elsewhere than they say. */
const NOBODYS = /^(\[.*|[\d.]+|[^.]+|.*\.localhost)$/i;

/** Without a Host it is no browser. */
const isOfSomebody = (host: string): boolean => host !== "" && !NOBODYS.test(HOST.exec(host)?.[1] ?? "a.name");
