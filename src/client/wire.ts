import { Deadline, type Patience, TimeUp } from "./patience.ts";
import { isProblemDocument, type Problem, problemOf, retryAfterOf, unreachable } from "./problem.ts";

export interface RequestOptions {
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>> | undefined;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly signal?: AbortSignal | undefined;
  /** How long an answer may take; the client's own patience if not said. */
  readonly timeoutMs?: number | undefined;
}

export interface Answer<T> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: T;
}

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/** Requests and answers, and nothing of who asks. Whatever is not a good answer is thrown as a Problem. */
export class Wire {
  readonly url: string;
  readonly patience: Patience;
  readonly #fetch: typeof globalThis.fetch;

  constructor(url: string, fetch: typeof globalThis.fetch, patience: Patience) {
    this.url = url.replace(/\/+$/, "");
    this.#fetch = fetch;
    this.patience = patience;
  }

  async ask<T>(method: Method, path: string, options: RequestOptions = {}): Promise<Answer<T>> {
    const deadline = new Deadline(options.timeoutMs ?? this.patience.requestMs, options.signal);
    try {
      const response = await this.open(method, path, { ...options, signal: deadline.signal });
      const text = await response.text().catch((cause: unknown) => throwBroken(cause, deadline.signal));
      return { status: response.status, headers: response.headers, body: parse(text, response) as T };
    } finally {
      deadline.release();
    }
  }

  /** The answer as soon as it begins; its body is the caller's to read. */
  async open(method: Method, path: string, { query = {}, body, headers, signal }: RequestOptions): Promise<Response> {
    const init = {
      method,
      headers: { ...headers, ...(body !== undefined && { "content-type": "application/json" }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(signal && { signal }),
    };
    const response = await this.#fetch(this.url + path + queryOf(query), init).catch((cause: unknown) =>
      throwBroken(cause, signal),
    );
    if (!response.ok) throw await toProblem(response, signal);
    return response;
  }
}

export function queryOf(query: NonNullable<RequestOptions["query"]>): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  if (given.length === 0) return "";
  return `?${new URLSearchParams(given.map(([name, value]): [string, string] => [name, String(value)]))}`;
}

/** Who aborted it wants their own reason back; all else is the network's doing. */
export function throwBroken(cause: unknown, signal: AbortSignal | undefined): never {
  const reason: unknown = signal?.aborted ? signal.reason : undefined;
  if (reason instanceof TimeUp) throw unreachable(reason.message, { cause });
  if (signal?.aborted) throw reason;
  throw unreachable("The connection failed or was cut", { cause });
}

async function toProblem(response: Response, signal: AbortSignal | undefined): Promise<Problem> {
  const text = await response.text().catch((cause: unknown) => throwBroken(cause, signal));
  const retryAfterMs = retryAfterOf(response.headers);
  const body = parseOrUndefined(text);
  if (isProblemDocument(body)) return problemOf(body, retryAfterMs);
  return stranger(response, retryAfterMs);
}

function parse(text: string, response: Response): unknown {
  if (response.status === 204) return undefined;
  const body = parseOrUndefined(text);
  if (body === undefined) throw stranger(response);
  return body;
}

/** Something on the way answered in the server's place. */
const stranger = ({ status, statusText }: Response, retryAfterMs?: number): Problem =>
  unreachable(`What answered is not Parley: ${status} ${statusText}`.trim(), {
    status,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });

function parseOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
