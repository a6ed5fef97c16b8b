import http from "node:http";

export interface Answered {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  // biome-ignore lint/suspicious/noExplicitAny: whoever asks knows what comes back
  readonly body: any;
}

export interface Question {
  readonly method?: string;
  /** Who is asking, in demo mode. */
  readonly as?: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** For how long a whole answer is waited for. */
  readonly withinMs: number;
}

const agent = new http.Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });

/** One request, with less work than `fetch` makes of it: the load must not be what is measured. */
export function ask(url: string, { method = "GET", as, body, headers, withinMs }: Question): Promise<Answered> {
  const { promise, resolve, reject } = Promise.withResolvers<Answered>();
  const sent = body === undefined ? undefined : JSON.stringify(body);
  const all = {
    ...(as !== undefined && { "x-user-id": String(as) }),
    ...(sent !== undefined && {
      "content-type": "application/json",
      "content-length": String(Buffer.byteLength(sent)),
    }),
    ...headers,
  };
  const request = http.request(url, { agent, method, headers: all }, (response) => {
    const chunks: Buffer[] = [];
    response.on("data", (chunk: Buffer) => chunks.push(chunk));
    response.on("error", reject);
    response.on("end", () => {
      const text = Buffer.concat(chunks).toString();
      const isJson = response.headers["content-type"]?.includes("json") === true && text !== "";
      resolve({ status: response.statusCode!, headers: response.headers, body: isJson ? JSON.parse(text) : text });
    });
  });
  const late = setTimeout(() => request.destroy(new Error(`no answer within ${withinMs} ms`)), withinMs);
  request.on("error", reject);
  request.on("close", () => {
    clearTimeout(late);
    reject(new Error("the connection was closed before the answer was complete"));
  });
  request.end(sent);
  return promise;
}
