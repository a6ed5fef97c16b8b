import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";

// Below the range from which systems take the ports of outgoing connections (32768 and up): a server that is restarted
// on its port must not find it in the hands of one of its own clients that was trying to come back. Above what is
// usually given to servers, so never 5432, 6379 or 8000.
const LOWEST = 20_000;
const HIGHEST = 32_000;

/** A port that nobody listens on; whoever takes it must still be ready to be second. */
export async function freePort(host = "127.0.0.1"): Promise<number> {
  for (;;) {
    const port = randomInt(LOWEST, HIGHEST);
    if ((await whyNotFree(port, host)) !== "EADDRINUSE") return port;
  }
}

/** Undefined when one could listen there, else the system's code: EADDRINUSE, EACCES, EADDRNOTAVAIL… */
export async function whyNotFree(port: number, host: string): Promise<string | undefined> {
  const server = createServer();
  try {
    await once(server.listen({ port, host, exclusive: true }), "listening");
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  } finally {
    await new Promise((done) => server.close(done));
  }
}
