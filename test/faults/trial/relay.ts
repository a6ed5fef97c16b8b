import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** Stands before a server and can reset every connection at once, as a failing network device does. */
export class Relay {
  readonly url: string;
  readonly #server: Server;
  readonly #sockets: Set<Socket>;

  private constructor(url: string, server: Server, sockets: Set<Socket>) {
    this.url = url;
    this.#server = server;
    this.#sockets = sockets;
  }

  static async before(url: string): Promise<Relay> {
    const { hostname, port } = new URL(url);
    const sockets = new Set<Socket>();
    const server = createServer((near) => {
      const far = connect(Number(port), hostname);
      for (const [socket, peer] of [
        [near, far],
        [far, near],
      ] as const) {
        sockets.add(socket.setNoDelay(true));
        socket.on("error", () => peer.resetAndDestroy());
        socket.on("close", () => {
          sockets.delete(socket);
          peer.destroy();
        });
        socket.pipe(peer);
      }
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    const relayed = new URL(url);
    relayed.port = String((server.address() as AddressInfo).port);
    return new Relay(relayed.href, server, sockets);
  }

  /** Whatever is on its way, either way, is lost. */
  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    this.reset();
    this.#server.close();
    await once(this.#server, "close");
  }
}
