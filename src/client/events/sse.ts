import type { Entry, Ephemeral } from "../entries.ts";
import { Deadline } from "../patience.ts";
import { unreachable } from "../problem.ts";
import { throwBroken } from "../wire.ts";
import { type Heard, type Line, Unsuitable } from "./line.ts";
import { type ServerSentEvent, SseParser } from "./sse-parser.ts";

/** Over fetch and not over EventSource, which can't say who asks. */
export const sseLine: Line = async function* (from, { door, patience, signal, giveWayAt }) {
  const deadline = new Deadline(patience.connectMs, signal);
  const query = { offset: from, live: "sse" };
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  try {
    const response = await door.open("GET", "/v1/events", { query, signal: deadline.signal });
    const type = response.headers.get("content-type") ?? "";
    if (!response.body || !type.startsWith("text/event-stream")) {
      throw unreachable(`Not a stream of events: ${type}`, { cause: new Unsuitable() });
    }
    reader = response.body.getReader();
    const decoder = new TextDecoder();
    const parser = new SseParser();
    for (;;) {
      const { done, value } = await reader.read().catch((cause: unknown) => throwBroken(cause, deadline.signal));
      if (done) return;
      // While what came is worked on, nobody waits.
      deadline.hold();
      for (const event of parser.push(decoder.decode(value, { stream: true }))) yield heardOf(event);
      if (Date.now() >= giveWayAt) return;
      deadline.extend(patience.silenceMs);
    }
  } finally {
    deadline.release();
    await reader?.cancel().catch(() => {});
  }
};

function heardOf({ event, data }: ServerSentEvent): Heard {
  const told = JSON.parse(data);
  if (event === "data") return { entries: told as Entry[] };
  if (event === "control") return { offset: (told as { streamNextOffset: string }).streamNextOffset };
  return { ephemeral: { type: event, ...told } as Ephemeral };
}
