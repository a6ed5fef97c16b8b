import { WebSocket } from "ws";

export interface FeedEntry {
  readonly offset: string;
  readonly type: string;
  readonly room_id: number | null;
  readonly actor_id: number | null;
  // biome-ignore lint/suspicious/noExplicitAny: held against the log's own rows
  readonly data: Readonly<Record<string, any>>;
}

export interface Leg {
  readonly url: string;
  readonly userId: number;
  readonly offset: string;
  /** The reader moves on: nothing counts that comes after. */
  readonly signal: AbortSignal;
  take(entries: readonly FeedEntry[]): void;
  /** Everything up to here is taken. */
  goOnFrom(offset: string): void;
  /** Held against what the API says of itself. */
  readonly check?: ((method: string, path: string, status: number, body: unknown) => void) | undefined;
}

/** One page, or one wait; answers whether that was the end of the log. */
export async function poll(leg: Leg, query: string): Promise<boolean> {
  const { url, userId, offset, signal } = leg;
  const path = `/v1/events?offset=${offset}${query}`;
  const response = await fetch(url + path, { headers: { "x-user-id": String(userId) }, signal });
  const text = await response.text();
  const body = text === "" ? text : JSON.parse(text);
  leg.check?.("GET", path, response.status, body);
  if (response.status !== 200 && response.status !== 204) throw new Error(`poll: ${response.status} ${text}`);
  if (signal.aborted) return false;
  if (response.status === 200) leg.take(body);
  leg.goOnFrom(response.headers.get("stream-next-offset")!);
  return response.headers.get("stream-up-to-date") === "true";
}

/** Until the stream ends. What was cut off in the middle of an event has not arrived. */
export async function readStream(leg: Leg): Promise<void> {
  const { url, userId, offset, signal } = leg;
  const headers = { "x-user-id": String(userId) };
  const response = await fetch(`${url}/v1/events?offset=${offset}&live=sse`, { headers, signal });
  if (response.status !== 200) throw new Error(`SSE: ${response.status} ${await response.text()}`);
  let unread = "";
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    const events = (unread + chunk).split("\n\n");
    unread = events.pop()!;
    if (signal.aborted) return;
    for (const event of events) takeEvent(event, leg);
  }
}

function takeEvent(text: string, leg: Leg): void {
  const fields = new Map(text.split("\n").map((line) => line.split(/: (.*)/s) as [string, string]));
  const data = fields.get("data");
  if (fields.get("event") === "data") leg.take(JSON.parse(data!));
  if (fields.get("event") === "control") leg.goOnFrom(JSON.parse(data!).streamNextOffset);
}

/** Until the socket closes. */
export function readSocket(leg: Leg): Promise<void> {
  const { url, userId, offset, signal } = leg;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = new WebSocket(`${url.replace("http", "ws")}/v1/ws`, { headers: { "x-user-id": String(userId) } });
  signal.addEventListener("abort", () => socket.terminate(), { once: true });
  socket.on("open", () => socket.send(JSON.stringify({ event: "subscribe", data: { offset } })));
  socket.on("message", (text) => {
    if (signal.aborted) return;
    try {
      takeFrame(JSON.parse(String(text)), leg);
    } catch (error) {
      reject(error);
      socket.terminate();
    }
  });
  socket.on("error", reject);
  socket.on("close", () => resolve());
  return promise;
}

function takeFrame({ event, data }: { event: string; data: unknown }, leg: Leg): void {
  if (event === "error") throw new Error(`WebSocket: ${JSON.stringify(data)}`);
  if (event === "event") leg.take([data as FeedEntry]);
  if (event === "subscribed") leg.goOnFrom((data as { offset: string }).offset);
}
