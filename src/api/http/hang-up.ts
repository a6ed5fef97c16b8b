import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { type AppError, problemOf } from "../../shared/errors.ts";
import { problemHeaders } from "./errors.ts";

/** So long the last word may take to arrive, and who gets it to hang up as well. */
const LINGER_MS = 2_000;

/**
 * A problem for who is refused before there is a request to answer. Node ends the connections of requests alone: one who
 * is refused here, and never hangs up, would hold up a stop.
 */
export function hangUp(socket: Duplex, error: AppError, requestId?: string): void {
  const body = JSON.stringify(problemOf(error, requestId));
  const headers = {
    ...problemHeaders(error),
    ...(requestId !== undefined && { "X-Request-Id": requestId }),
    "Content-Length": Buffer.byteLength(body),
    Connection: "close",
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${error.status} ${STATUS_CODES[error.status]}\r\n${lines.join("")}\r\n${body}`);
  const timer = setTimeout(() => socket.destroy(), LINGER_MS).unref();
  socket.once("close", () => clearTimeout(timer));
}
