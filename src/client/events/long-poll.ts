import type { Entry, Ephemeral } from "../entries.ts";
import { unreachable } from "../problem.ts";
import type { Heard, Line } from "./line.ts";

/** One question after the other; the first does not wait, so that one knows soon whether there is anybody. */
export const longPollLine: Line = async function* (from, { door, patience, signal, device, giveWayAt }) {
  let offset = from;
  let live = {};
  let cursor: string | undefined;
  do {
    const query = { offset, ...live, cursor };
    const timeoutMs = ("live" in live ? patience.pollMs : 0) + patience.requestMs;
    const { headers, body } = await door.ask<Entry[] | undefined>("GET", "/v1/events", { query, signal, timeoutMs });
    const next = headers.get("stream-next-offset");
    if (next === null) throw unreachable("The answer says not from where to go on");
    offset = next;
    cursor = headers.get("stream-cursor") ?? undefined;
    for (const ephemeral of latelyIn(headers)) yield { ephemeral };
    yield { entries: body ?? [], offset } satisfies Heard;
    live = { live: "long-poll", timeout: Math.max(1, Math.floor(patience.pollMs / 1_000)), device };
  } while (Date.now() < giveWayAt);
};

function latelyIn(headers: Headers): Ephemeral[] {
  const told = JSON.parse(headers.get("parley-lately") ?? "[]") as { type: string; data: object }[];
  return told.map(({ type, data }) => ({ type, ...data }) as Ephemeral);
}
