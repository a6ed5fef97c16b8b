import http from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import type { Closers } from "../shared/closers.ts";
import { AppError } from "../shared/errors.ts";
import { createApp } from "./app.ts";
import type { ApiDeps } from "./deps.ts";
import { drain, watchSpare } from "./drain.ts";
import { hangUp } from "./http/hang-up.ts";
import { readTarget } from "./http/target.ts";
import { acceptSockets } from "./ws/upgrade.ts";

/** Above the longest that a proxy keeps an idle connection, so that the proxy is the one to close it. */
const KEEP_ALIVE_MS = 75_000;
/** Room for an `ack` of a thousand rooms in the query. */
const MAX_HEADER_BYTES = 32 * 1_024;

/** Serves HTTP until it is closed; answers the address. */
export async function listen(deps: ApiDeps, closers: Closers): Promise<string> {
  const { HOST, PORT } = deps.env;
  const app = createApp(deps);
  const options = {
    keepAliveTimeout: KEEP_ALIVE_MS,
    maxHeaderSize: MAX_HEADER_BYTES,
    noDelay: true,
    // Offers of another protocol (`Upgrade: h2c`) are not taken up: the request is answered as it is.
    shouldUpgradeCallback: (request: http.IncomingMessage) =>
      request.headers.upgrade?.toLowerCase() === "websocket" && readTarget(request),
  };
  const answer = app.callback();
  const server = http.createServer(options, (request, response) => {
    if (readTarget(request)) void answer(request, response);
    else refuseUnreadable({}, request.socket, deps);
  });
  const closeSockets = acceptSockets(server, app, deps);
  const closeSpare = watchSpare(server);
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => refuseUnreadable(error, socket, deps));
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(explain(error, HOST, PORT)));
    server.listen(PORT, HOST, resolve);
  });
  closers.add("http", () => drain(server, { closeSockets, closeSpare }, deps));
  const { port } = server.address() as AddressInfo;
  return `http://${HOST.includes(":") ? `[${HOST}]` : HOST}:${port}`;
}

/** What is not HTTP, or names no path, or has more header than we read never becomes a request; it gets a problem, too. */
function refuseUnreadable(error: { readonly code?: string | undefined }, socket: Duplex, { traffic }: ApiDeps): void {
  if (!socket.writable || error.code === "ECONNRESET") return void socket.destroy();
  const tooLarge = error.code === "HPE_HEADER_OVERFLOW";
  const problem = tooLarge
    ? new AppError("headers_too_large", `The headers may have ${MAX_HEADER_BYTES / 1_024} KiB at most`)
    : new AppError("malformed_request", "This is not a request that can be read");
  traffic.count("", undefined, problem.status);
  hangUp(socket, problem);
}

const explain = (error: NodeJS.ErrnoException, host: string, port: number): Error =>
  error.code === "EADDRINUSE" ? new Error(`Port ${port} is taken (${host}); choose another with PORT=`) : error;
