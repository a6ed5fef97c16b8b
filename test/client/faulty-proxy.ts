import { once } from "node:events";
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type AppError, problemOf } from "../../src/shared/errors.ts";

/** What may happen to one request, or to one socket, on its way to a real server. */
export type Strike =
  /** The connection ends before anything has arrived. */
  | { readonly what: "refused" }
  /** It arrives and is done, and nobody is told. */
  | { readonly what: "lost" }
  /** The answer ends after so many bytes of its body; of a socket, of what the server says. */
  | { readonly what: "cut"; readonly after: number }
  /** So much comes, and then nothing more; the connection stays. */
  | { readonly what: "mute"; readonly after: number }
  | { readonly what: "problem"; readonly error: AppError }
  /** Something else answers in the server's place. */
  | { readonly what: "stranger" }
  | { readonly what: "slow"; readonly ms: number };

export type Decide = (request: {
  readonly method: string;
  readonly path: string;
  readonly isSocket: boolean;
}) => Strike | undefined;

/** A server before a real one that does to each request what it is told to. */
export class FaultyProxy {
  readonly url: string;
  /** What was struck, and how often. */
  readonly struck = new Map<string, number>();
  decide: Decide = () => undefined;
  readonly #server = http.createServer();
  readonly #sockets = new Set<Duplex>();
  readonly #far: URL;

  private constructor(farUrl: string, port: number, server: http.Server) {
    this.#far = new URL(farUrl);
    this.url = `http://127.0.0.1:${port}`;
    this.#server = server;
    server.on("connection", (socket) => this.#keep(socket));
    server.on("request", (request, response) => void this.#forward(request, response));
    server.on("upgrade", (request, socket, head) => this.#upgrade(request, socket as Socket, head));
  }

  static async before(url: string): Promise<FaultyProxy> {
    const server = http.createServer({ keepAliveTimeout: 0 });
    await once(server.listen(0, "127.0.0.1"), "listening");
    return new FaultyProxy(url, (server.address() as AddressInfo).port, server);
  }

  /** Every connection that is open breaks. */
  reset(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.#server.close();
    this.reset();
    await once(this.#server, "close");
  }

  #keep(socket: Duplex): void {
    this.#sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.once("close", () => this.#sockets.delete(socket));
  }

  #strike(request: IncomingMessage, isSocket: boolean): Strike | undefined {
    const strike = this.decide({ method: request.method!, path: request.url!, isSocket });
    if (strike) this.struck.set(strike.what, (this.struck.get(strike.what) ?? 0) + 1);
    return strike;
  }

  async #forward(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const strike = this.#strike(request, false);
    if (strike?.what === "refused") return void request.socket.destroy();
    if (strike?.what === "problem") return answer(response, strike.error);
    if (strike?.what === "stranger") return void response.writeHead(502).end("<h1>Bad Gateway</h1>");
    const { hostname, port } = this.#far;
    const { method, url: path, headers } = request;
    const further = http.request({ hostname, port, method, path, headers, agent: false });
    response.once("close", () => further.destroy());
    further.on("error", () => request.socket.destroy());
    request.pipe(further);
    const [far] = (await once(further, "response").catch(() => [])) as [IncomingMessage?];
    if (!far) return;
    if (strike?.what === "slow") await new Promise((resolve) => setTimeout(resolve, strike.ms));
    if (strike?.what === "lost") return void far.resume().once("end", () => request.socket.destroy());
    response.writeHead(far.statusCode!, far.headers);
    response.flushHeaders();
    if (strike?.what === "cut" || strike?.what === "mute") pass(far, response, strike);
    else far.pipe(response);
  }

  #upgrade(request: IncomingMessage, near: Socket, head: Buffer): void {
    const strike = this.#strike(request, true);
    if (strike && !["cut", "mute"].includes(strike.what)) return void near.destroy();
    const far = connect(Number(this.#far.port), this.#far.hostname);
    this.#keep(far);
    const lines = [`GET ${request.url} HTTP/1.1`];
    for (let i = 0; i < request.rawHeaders.length; i += 2)
      lines.push(`${request.rawHeaders[i]}: ${request.rawHeaders[i + 1]}`);
    far.write(`${lines.join("\r\n")}\r\n\r\n`);
    far.write(head);
    near.pipe(far);
    if (strike?.what === "cut" || strike?.what === "mute") pass(far, near, strike);
    else far.pipe(near);
    near.once("close", () => far.destroy());
    far.once("close", () => strike?.what !== "mute" && near.destroy());
  }
}

/** So many bytes, and then no more. */
function pass(
  from: IncomingMessage | Socket,
  to: ServerResponse | Socket,
  { what, after }: { what: "cut" | "mute"; after: number },
) {
  let left = after;
  from.on("data", (chunk: Buffer) => {
    if (left > 0) to.write(chunk.subarray(0, left), () => left <= 0 && what === "cut" && end());
    left -= chunk.length;
  });
  const end = (): void => void ("socket" in to ? to.socket?.destroy() : to.destroy());
  if (left === 0 && what === "cut") end();
  // A whole answer may be shorter than that.
  from.once("end", () => left > 0 && to.end());
}

function answer(response: ServerResponse, error: AppError): void {
  response.writeHead(error.status, { "content-type": "application/problem+json", ...error.headers });
  response.end(JSON.stringify(problemOf(error, "proxy")));
}
