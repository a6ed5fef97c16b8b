import http, { type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Closers } from "../shared/closers.ts";
import { AppError, problemOf } from "../shared/errors.ts";
import { scrape } from "../shared/metrics/scrape.ts";
import { ready, type Watched } from "./ready.ts";

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Nobody who asks how a worker is has more to say than this, or takes longer to say it. */
const LIMITS = { maxHeaderSize: 8 * 1_024, headersTimeout: 5_000, requestTimeout: 5_000 };
const JSON_TYPE = "application/json; charset=utf-8";

const pages: Readonly<Record<string, (deps: Watched, request: IncomingMessage) => Promise<Answer>>> = {
  "/healthz": async () => json(200, { status: "alive" }),
  async "/readyz"(deps) {
    const view = await ready(deps);
    return json(view.status === "ready" ? 200 : 503, view);
  },
  async "/metrics"(deps, { headers }) {
    const { type, text } = await scrape(deps, headers.authorization);
    return { status: 200, type, body: text, headers: { "Cache-Control": "no-store" } };
  },
};

/** Nobody sends a worker anything this way, it is only asked how it is: where WORKER_PORT says, else nowhere. */
export async function listen(deps: Watched, closers: Closers): Promise<string | undefined> {
  const { HOST, WORKER_PORT } = deps.env;
  if (WORKER_PORT === undefined) return undefined;
  const server = http.createServer(LIMITS, (request, response) => {
    void answer(request, deps).then((given) => write(request, response, given));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(explain(error, HOST, WORKER_PORT)));
    server.listen(WORKER_PORT, HOST, resolve);
  });
  closers.add("http", async () => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  const url = `http://${HOST.includes(":") ? `[${HOST}]` : HOST}:${port}`;
  deps.log.info({ url }, "the worker tells how it is");
  return url;
}

const explain = (error: NodeJS.ErrnoException, host: string, port: number): Error =>
  error.code === "EADDRINUSE" ? new Error(`Port ${port} is taken (${host}); choose another with WORKER_PORT=`) : error;

async function answer(request: IncomingMessage, deps: Watched): Promise<Answer> {
  try {
    return await pageOf(request)(deps, request);
  } catch (cause) {
    if (cause instanceof AppError) return problem(cause);
    deps.log.error({ err: cause }, "could not tell how the worker is");
    return problem(new AppError("internal", "Something went wrong; the log has more", { cause }));
  }
}

function pageOf({ method, url = "/" }: IncomingMessage) {
  const [path = "/"] = url.split("?", 1);
  if (!Object.hasOwn(pages, path)) {
    throw new AppError("route_not_found", `A worker answers ${Object.keys(pages).join(", ")}`);
  }
  if (method !== "GET" && method !== "HEAD") {
    throw new AppError("method_not_allowed", `${path} answers GET, HEAD`, { headers: { Allow: "GET, HEAD" } });
  }
  return pages[path]!;
}

const json = (status: number, body: object): Answer => ({ status, type: JSON_TYPE, body: JSON.stringify(body) });

function problem(error: AppError): Answer {
  const challenge = error.status === 401 && { "WWW-Authenticate": 'Bearer realm="parley"' };
  return {
    status: error.status,
    type: "application/problem+json; charset=utf-8",
    body: JSON.stringify(problemOf(error)),
    headers: { ...error.headers, ...challenge },
  };
}

function write({ method }: IncomingMessage, response: ServerResponse, { status, type, body, headers }: Answer): void {
  const length = Buffer.byteLength(body);
  // Whatever else was sent along is not read: the connection ends with the answer.
  response.writeHead(status, { "Content-Type": type, "Content-Length": length, Connection: "close", ...headers });
  response.end(method === "HEAD" ? undefined : body);
}
