import http, { type Server } from "node:http";
import type Koa from "koa";
import type { Context } from "koa";
import { type WebSocket, WebSocketServer } from "ws";
import { AppError } from "../../shared/errors.ts";
import { takeTicket } from "../auth/tickets.ts";
import type { ApiDeps } from "../deps.ts";
import { toAppErrorOrInternal } from "../http/errors.ts";
import { Gone } from "../http/gone.ts";
import { hangUp } from "../http/hang-up.ts";
import { identify } from "../http/identity.ts";
import { scopeOf } from "../http/mount.ts";
import { requestIdOf } from "../http/request-id.ts";
import type { Caller } from "../http/route.ts";
import { assertFromHere } from "../http/security.ts";
import { closeCodes, Socket } from "./socket.ts";

/** What the log and the figures call it. */
const ROUTE = "openSocket";
const PATH = /^\/v1\/ws\/?$/;
/** Above the largest frame that gets an answer of its own. */
const MAX_PAYLOAD_BYTES = 1_024 * 1_024;
/** Keeps what stands between from taking silence for death, and finds out who has gone without a word. */
const PING_EVERY_MS = 25_000;
/** Whoever does not say goodbye back within this is cut off: a server that stops cannot wait for them. */
const CLOSE_WITHIN_MS = 2_000;
const MAX_TIMER_MS = 2 ** 31 - 1;

/** `/v1/ws`: who is asking is settled before the socket opens. Answers how to close them all. */
export function acceptSockets(server: Server, app: Koa, deps: ApiDeps): () => void {
  const options = { noServer: true, maxPayload: MAX_PAYLOAD_BYTES, closeTimeout: CLOSE_WITHIN_MS };
  const sockets = new WebSocketServer(options);
  // A key, a version or a method that no socket has.
  sockets.on("wsClientError", ({ message }, socket, { method = "", headers }) => {
    const error = new AppError("malformed_request", message);
    hangUp(socket, error, requestIdOf(headers["x-request-id"]));
    deps.traffic.count(method, ROUTE, error.status);
  });
  server.on("upgrade", (request, socket, head) => {
    socket.on("error", () => socket.destroy());
    const ctx = app.createContext(request, new http.ServerResponse(request)) as Context;
    const requestId = requestIdOf(request.headers["x-request-id"]);
    Object.assign(ctx.state, { requestId, route: ROUTE });
    const said = logOf(ctx, deps);
    void admit(ctx, deps).then(
      (caller) =>
        sockets.handleUpgrade(request, socket, head, (ws) => {
          deps.traffic.count(ctx.method, ROUTE, 101);
          ws.once("close", () => said(101));
          serve(ws, caller, ctx, deps);
        }),
      (cause: unknown) => {
        const error = toAppErrorOrInternal(cause, deps.log, requestId);
        hangUp(socket, error, requestId);
        deps.traffic.count(ctx.method, ROUTE, error.status);
        said(error.status);
      },
    );
  });
  const pinger = setInterval(() => pingAll(sockets.clients), PING_EVERY_MS).unref();
  return () => {
    clearInterval(pinger);
    for (const ws of sockets.clients) sendAway(ws);
  };
}

const sendAway = (ws: WebSocket): void => ws.close(closeCodes.tryAgainLater, "this server is stopping");

/** A line like that of any request, when it is refused or when the socket has closed. */
function logOf(ctx: Context, { log }: ApiDeps): (status: number) => void {
  const startedAt = performance.now();
  return (status) => {
    const ms = Math.round((performance.now() - startedAt) * 10) / 10;
    log.info({ ...ctx.state, method: ctx.method, path: ctx.path, status, ms }, "request");
  };
}

async function admit(ctx: Context, deps: ApiDeps): Promise<Caller> {
  if (!PATH.test(ctx.path)) throw new AppError("route_not_found", `No socket is at ${ctx.path}`);
  if (deps.hub.closing) throw new AppError("shutting_down", "This server is stopping; try another");
  assertFromHere(ctx, deps.env);
  const { ticket } = ctx.query;
  const caller = await deps.limits.identified("reads", ctx.ip, () =>
    typeof ticket === "string" ? takeTicket(ticket, deps) : identify({ access: "caller", method: "get" }, ctx, deps),
  );
  await deps.limits.take("reads", caller!.id, ctx.ip);
  Object.assign(ctx.state, { userId: caller!.id, credential: caller!.credential });
  return caller!;
}

function serve(ws: WebSocket, caller: Caller, ctx: Context, deps: ApiDeps): void {
  const ended = new Gone();
  ended.onAbort(() => ws.close(closeCodes.tokenExpired, "sign in again"));
  const detach = deps.credentials.attach([caller.credential, `user:${caller.id}`], ended);
  const expiry =
    caller.expiresAt === undefined
      ? undefined
      : setTimeout(() => ended.abort(), Math.min(Math.max(0, caller.expiresAt - deps.now()), MAX_TIMER_MS));
  alive.add(ws);
  ws.on("pong", () => alive.add(ws));
  ws.on("error", (error) => deps.log.debug({ reason: error.message }, "a socket failed"));
  ws.once("close", () => {
    clearTimeout(expiry);
    detach();
  });
  new Socket(ws, scopeOf(ctx, caller, ended, deps));
  if (deps.hub.closing) sendAway(ws);
}

/** Who has answered since the last ping. */
const alive = new WeakSet<WebSocket>();

function pingAll(sockets: Iterable<WebSocket>): void {
  for (const ws of sockets) {
    if (!alive.delete(ws)) ws.terminate();
    else ws.ping();
  }
}
