import type { Duplex } from "node:stream";

/** So long the last word may take to arrive, and who gets it to hang up as well. */
const LINGER_MS = 2_000;

/** Node ends the connections of requests alone: who is refused before, and never hangs up, would hold up a stop. */
export function hangUp(socket: Duplex, lastWord: string): void {
  socket.end(lastWord);
  const timer = setTimeout(() => socket.destroy(), LINGER_MS).unref();
  socket.once("close", () => clearTimeout(timer));
}
