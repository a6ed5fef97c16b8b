import type http from "node:http";
import net from "node:net";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import type { ApiDeps } from "./deps.ts";

/** What still runs after this is cut off. */
const DRAIN_MS = 5_000;
const IDLE_EVERY_MS = 50;
/** So long at most whoever has connected already is let in. */
const LET_IN_MS = 1_000;
/** So long a proxy may still send on a connection that it keeps; what it sends is answered, and the answer ends it. */
const PROXY_IDLE_MS = 1_000;
/** So long whoever has connected and not said a word may still ask: browsers connect in advance, and may never ask. */
const SPARE_MS = 1_000;

interface Ends {
  closeSockets(): void;
  closeSpare(): void;
}

/** Answers how to end the connections on which nothing was ever asked: for Node they are busy until they have. */
export function watchSpare(server: http.Server): () => void {
  const open = new Set<net.Socket>();
  server.on("connection", (socket) => {
    open.add(socket);
    socket.once("close", () => open.delete(socket));
  });
  return () => {
    for (const socket of open) if (socket.bytesRead === 0) socket.destroy();
  };
}

/**
 * No new connections; parked reads are answered at once; what runs may end. No request is cut off that its sender could
 * not know to be undone: a proxy repeats what it could not connect for, and nothing else that is not safe to repeat.
 */
export async function drain(server: http.Server, { closeSockets, closeSpare }: Ends, deps: ApiDeps): Promise<void> {
  await letIn(server);
  // Not `http`'s own, which ends idle connections at once: a proxy may be sending on one of them in this very moment.
  const closed = new Promise<void>((resolve) => net.Server.prototype.close.call(server, () => resolve()));
  closeSockets();
  deps.hub.close();
  deps.taskWaiters.close();
  const cut = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
  const spare = setTimeout(closeSpare, SPARE_MS);
  if (deps.env.TRUST_PROXY) await Promise.race([closed, sleep(PROXY_IDLE_MS)]);
  server.closeIdleConnections();
  // A connection becomes idle when its last answer is out, which may be after the server was closed.
  const idle = setInterval(() => server.closeIdleConnections(), IDLE_EVERY_MS);
  await closed;
  clearTimeout(cut);
  clearTimeout(spare);
  clearInterval(idle);
}

/**
 * Closing resets connections that the system has taken and we have not, so there should be none at that moment. Node
 * takes one with each turn of its loop, and only of two turns in a row is the second sure to have looked.
 */
async function letIn(server: http.Server): Promise<void> {
  const until = performance.now() + LET_IN_MS;
  let quietTurns = 0;
  const note = (): void => {
    quietTurns = 0;
  };
  server.on("connection", note);
  for (let turns = 0; quietTurns < 2 && (turns < 2 || performance.now() < until); turns++) {
    quietTurns++;
    await nextTurn();
  }
  server.off("connection", note);
}
