import Router from "@koa/router";
import type { Context, Middleware } from "koa";
import { AppError } from "../../shared/errors.ts";
import type { ApiDeps } from "../deps.ts";
import { allowedMethods } from "./allowed-methods.ts";
import { Gone } from "./gone.ts";
import { setHeaders } from "./headers.ts";
import { identify } from "./identity.ts";
import { type Query, queryOf } from "./query.ts";
import { type Caller, type Client, Raw, type Route, type Scope } from "./route.ts";
import { Streamed } from "./streamed.ts";
import { parse } from "./validation.ts";

/**
 * Answers by route values; what a route says is what happens, for all of them in this one place. Each noun has a router
 * of its own, because a router tries all of its routes on every request.
 */
export function mount(routes: readonly Route[], deps: ApiDeps): Middleware {
  const routers = new Map<string, Middleware>();
  for (const [noun, some] of Map.groupBy(routes, ({ path }) => nounOf(path))) {
    const router = new Router();
    for (const route of some) router[route.method](route.path, (ctx: Context) => answer(route, ctx, deps));
    const dispatch = router.routes();
    const refuse = allowedMethods(router);
    routers.set(noun, (ctx, next) => dispatch(ctx as never, async () => void (await refuse(ctx, next))));
  }
  return (ctx, next) => routers.get(nounOf(ctx.path))?.(ctx, next) ?? next();
}

/** `rooms` of `/v1/rooms/7`, `healthz` of `/healthz`; in whatever case, as routers take it. */
function nounOf(path: string): string {
  const [, first = "", second] = path.split("/", 3);
  return (second || first).toLowerCase();
}

async function answer(route: Route, ctx: Context, deps: ApiDeps): Promise<void> {
  ctx.state["route"] = route.id;
  const body = takeBody(ctx);
  const budget = route.budget ?? (route.method === "get" ? "reads" : "sends");
  const caller = await deps.limits.identified(budget, ctx.ip, () => identify(route, ctx, deps));
  if (budget !== "none") setHeaders(ctx, await deps.limits.take(budget, caller?.id, ctx.ip));
  const query = queryOf(ctx);
  const input = parseInput(route, ctx, { body, query });
  const gone = new Gone(ctx.res);
  ctx.state["gone"] = gone;
  // A read may be parked for long; what ends the session itself, like a sign-out, may not end with it.
  const endsWith = caller && route.method === "get" ? [caller.credential, `user:${caller.id}` as const] : [];
  const detach = deps.credentials.attach(endsWith, gone);
  try {
    const scope = scopeOf(ctx, caller as Caller, gone, deps);
    const reply = await route.handle(input, scope);
    // Whose session ended while they waited is told so, whatever the wait has brought.
    if (gone.reason instanceof AppError) throw gone.reason;
    send(route, ctx, reply);
    // A stream goes on when its handler is done, and so does the session's hold on it.
    if (reply.body instanceof Streamed) reply.body.stream.once("close", detach);
    else detach();
  } catch (error) {
    detach();
    throw error;
  }
}

export const clientOf = (ctx: Context): Client => ({
  address: ctx.ip,
  userAgent: ctx.get("user-agent"),
  headOnly: ctx.method === "HEAD",
  countsAsPresent: queryOf(ctx)["presence"] !== "off",
});

export const scopeOf = (ctx: Context, caller: Caller, gone: Gone, deps: ApiDeps): Scope => ({
  deps,
  caller,
  client: clientOf(ctx),
  requestId: ctx.state["requestId"] as string,
  gone,
});

function parseInput(route: Route, ctx: Context, { body, query }: { body: unknown; query: Query }) {
  return {
    params: route.params && parse(route.params, ctx["params"]),
    query: route.query && parse(route.query, query),
    // No body at all is an empty one, so that the answer names each field that is missing.
    body: route.body && parse(route.body, body ?? {}),
    headers: route.headers && parse(route.headers, ctx.headers),
  };
}

function send(route: Route, ctx: Context, reply: Awaited<ReturnType<Route["handle"]>>): void {
  if (reply.headers) setHeaders(ctx, reply.headers);
  const schema = route.responses[reply.status]?.body;
  if (!schema) {
    ctx.body = null;
    // Koa takes an empty body for 204; it may be a 304.
    ctx.status = reply.status;
    return;
  }
  ctx.status = reply.status;
  if (reply.body instanceof Streamed) {
    ctx.type = reply.body.type;
    ctx.body = reply.body.stream;
    return;
  }
  ctx.type = "application/json; charset=utf-8";
  // Everything leaves through its schema: a column added tomorrow cannot leak.
  ctx.body = reply.body instanceof Raw ? reply.body.json : JSON.stringify(schema.parse(reply.body));
}

/** `from` says who is asking (in demo mode) and belongs to no route's body. */
function takeBody(ctx: Context): unknown {
  const body: unknown = ctx.request["body"];
  if (typeof body !== "object" || body === null || !Object.hasOwn(body, "from")) return body;
  const { from, ...rest } = body as Record<string, unknown>;
  ctx.state["from"] = from;
  return rest;
}
