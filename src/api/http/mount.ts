import Router from "@koa/router";
import type { Context } from "koa";
import type { ApiDeps } from "../deps.ts";
import { goneSignal } from "./gone.ts";
import { identify } from "./identity.ts";
import { Raw, type Route, type Scope } from "./route.ts";
import { parse } from "./validation.ts";

/** Turns route values into a router; what a route says is what happens, for all of them in this one place. */
export function mount(routes: readonly Route[], deps: ApiDeps): Router {
  const router = new Router();
  for (const route of routes) {
    router[route.method](route.path, (ctx: Context) => answer(route, ctx, deps));
  }
  return router;
}

async function answer(route: Route, ctx: Context, deps: ApiDeps): Promise<void> {
  ctx.state["route"] = route.id;
  const body = takeBody(ctx);
  const caller = await identify(route, ctx, deps);
  const input = {
    params: route.params && parse(route.params, ctx["params"]),
    query: route.query && parse(route.query, singleValues(ctx.query)),
    // No body at all is an empty one, so that the answer names each field that is missing.
    body: route.body && parse(route.body, body ?? {}),
    headers: route.headers && parse(route.headers, ctx.headers),
  };
  const scope: Scope = { deps, caller: caller as Scope["caller"], gone: goneSignal(ctx) };
  const reply = await route.handle(input, scope);
  if (reply.headers) ctx.set(reply.headers);
  ctx.status = reply.status;
  const schema = route.responses[reply.status]?.body;
  if (!schema) ctx.body = null;
  else if (reply.body instanceof Raw) sendJson(ctx, reply.body.json);
  // Everything leaves through its schema: a column added tomorrow cannot leak.
  else sendJson(ctx, JSON.stringify(schema.parse(reply.body)));
  if (!schema) ctx.status = reply.status;
}

function sendJson(ctx: Context, json: string): void {
  ctx.type = "application/json; charset=utf-8";
  ctx.body = json;
}

/** `from` says who is asking (in demo mode) and belongs to no route's body. */
function takeBody(ctx: Context): unknown {
  const body: unknown = ctx.request["body"];
  if (typeof body !== "object" || body === null || !Object.hasOwn(body, "from")) return body;
  const { from, ...rest } = body as Record<string, unknown>;
  ctx.state["from"] = from;
  return rest;
}

/** A parameter given twice is taken once, the last: `?limit=5&limit=6` is a mistake that hurts nobody. */
const singleValues = (query: NodeJS.Dict<string | string[]>): Record<string, string | undefined> =>
  Object.fromEntries(Object.entries(query).map(([key, value]) => [key, Array.isArray(value) ? value.at(-1) : value]));
