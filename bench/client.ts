import { once } from "node:events";
import net from "node:net";

export interface Answered {
  readonly status: number;
  readonly head: string;
  readonly body: string;
}

/**
 * One kept connection, one request at a time, and no more of HTTP than the servers here speak: whoever measures shares
 * the machine with what is measured, and should take as little of it as can be.
 */
export class Connection {
  readonly #socket: net.Socket;
  readonly #host: string;
  #settle: { resolve(answered: Answered): void; reject(error: Error): void } | undefined;
  #asked = "";
  #got: Buffer[] = [];
  #size = 0;
  /** Where the answer that is arriving ends; unknown until its head is here. */
  #end = 0;
  #head = "";

  private constructor(socket: net.Socket, host: string) {
    this.#socket = socket;
    this.#host = host;
    socket.on("data", (chunk) => this.#take(chunk));
    socket.on("error", (cause) => this.#settle?.reject(new Error(`${this.#asked}: ${cause.message}`, { cause })));
    socket.on("close", () => this.#settle?.reject(new Error(`${this.#asked}: the connection was closed`)));
  }

  static async open(url: string): Promise<Connection> {
    const { hostname, port, host } = new URL(url);
    const socket = net.connect({ host: hostname, port: Number(port), noDelay: true });
    await once(socket, "connect");
    return new Connection(socket, host);
  }

  get(path: string, userId: number): Promise<Answered> {
    return this.#send(`GET ${path} HTTP/1.1\r\nHost: ${this.#host}\r\nX-User-Id: ${userId}\r\n\r\n`);
  }

  post(path: string, userId: number, body: string): Promise<Answered> {
    const size = Buffer.byteLength(body);
    return this.#send(
      `POST ${path} HTTP/1.1\r\nHost: ${this.#host}\r\nX-User-Id: ${userId}\r\n` +
        `Content-Type: application/json\r\nContent-Length: ${size}\r\n\r\n${body}`,
    );
  }

  close(): void {
    this.#socket.destroy();
  }

  #send(request: string): Promise<Answered> {
    const { promise, resolve, reject } = Promise.withResolvers<Answered>();
    this.#settle = { resolve, reject };
    this.#asked = request.slice(0, request.indexOf(" HTTP"));
    this.#socket.write(request);
    return promise;
  }

  #take(chunk: Buffer): void {
    this.#got.push(chunk);
    this.#size += chunk.length;
    if (this.#end === 0) this.#readHead();
    if (this.#end > 0 && this.#size >= this.#end) this.#answer();
  }

  #readHead(): void {
    const soFar = this.#got.length === 1 ? this.#got[0]! : Buffer.concat(this.#got);
    const until = soFar.indexOf("\r\n\r\n");
    if (until < 0) return;
    this.#head = soFar.toString("latin1", 0, until);
    this.#end = until + 4 + Number(/\r\ncontent-length: (\d+)/i.exec(this.#head)?.[1] ?? 0);
    this.#got = [soFar];
  }

  #answer(): void {
    const all = this.#got.length === 1 ? this.#got[0]! : Buffer.concat(this.#got);
    const start = this.#head.length + 4;
    const answered = {
      status: Number(this.#head.slice(9, 12)),
      head: this.#head,
      body: all.toString("utf8", start, this.#end),
    };
    const { resolve } = this.#settle!;
    this.#got = [];
    this.#size = 0;
    this.#end = 0;
    this.#settle = undefined;
    resolve(answered);
  }
}
