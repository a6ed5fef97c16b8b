import http from "node:http";
import type { AddressInfo } from "node:net";
import type { Closers } from "../shared/closers.ts";
import { createApp } from "./app.ts";
import type { ApiDeps } from "./deps.ts";

/** Above the longest that a proxy keeps an idle connection, so that the proxy is the one to close it. */
const KEEP_ALIVE_MS = 75_000;
/** Room for an `ack` of a thousand rooms in the query. */
const MAX_HEADER_BYTES = 32 * 1_024;
/** What still runs after this is cut off. */
const DRAIN_MS = 5_000;

/** Serves HTTP until it is closed; answers the address. */
export async function listen(deps: ApiDeps, closers: Closers): Promise<string> {
  const { HOST, PORT } = deps.env;
  const server = http.createServer(
    { keepAliveTimeout: KEEP_ALIVE_MS, maxHeaderSize: MAX_HEADER_BYTES, noDelay: true },
    createApp(deps).callback(),
  );
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(explain(error, HOST, PORT)));
    server.listen(PORT, HOST, resolve);
  });
  closers.add("http", () => drain(server, deps));
  const { port } = server.address() as AddressInfo;
  return `http://${HOST.includes(":") ? `[${HOST}]` : HOST}:${port}`;
}

const explain = (error: NodeJS.ErrnoException, host: string, port: number): Error =>
  error.code === "EADDRINUSE" ? new Error(`Port ${port} is taken (${host}); choose another with PORT=`) : error;

/** No new connections; parked reads are answered at once; what runs may end. */
async function drain(server: http.Server, { hub, taskWaiters }: ApiDeps): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  hub.close();
  taskWaiters.close();
  const cut = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
  await closed;
  clearTimeout(cut);
}
