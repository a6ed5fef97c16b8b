import type { IncomingMessage } from "node:http";

/** As good as all are: Koa reads these sign by sign. */
const PLAIN = /^\/[^#\s]*$/;

/**
 * Whether what is asked for can be read, as a path or as an address with one; from here on it is a path. Whatever else
 * Koa would read with a parser that throws, and only when somebody asks for the path, like the line of the log.
 */
export function readTarget(request: IncomingMessage): boolean {
  const url = request.url!;
  if (PLAIN.test(url)) return true;
  const read = URL.parse(url.startsWith("/") ? `http://here${url}` : url, "http://here");
  if (read) request.url = read.pathname + read.search;
  return read !== null;
}
