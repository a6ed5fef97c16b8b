import http from "node:http";
import type { AddressInfo } from "node:net";

/**
 * What the same machine does without a chat behind it: GET parks, POST writes the body that it brings to all who are
 * parked. The ceiling of every poll. `/waiting` tells how many are.
 */
const waiting = new Set<http.ServerResponse>();

const server = http.createServer((request, response) => {
  if (request.url === "/waiting") {
    response.end(String(waiting.size));
    return;
  }
  if (request.method === "GET") {
    waiting.add(response);
    response.on("close", () => waiting.delete(response));
    return;
  }
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const body = Buffer.concat(chunks);
    response.writeHead(202).end();
    for (const poll of waiting) {
      poll.writeHead(200, { "Content-Type": "application/json", "Content-Length": body.length });
      poll.end(body);
    }
  });
});
server.keepAliveTimeout = 75_000;
server.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo;
  process.send?.({ type: "ready", url: `http://127.0.0.1:${port}` });
});
process.on("SIGTERM", () => process.exit(0));
