import type { IncomingMessage, ServerResponse } from "node:http";
import cors from "@koa/cors";
import helmet from "helmet";
import type { Context, Middleware } from "koa";
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
