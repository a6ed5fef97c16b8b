import type { Entry } from "../../shared/log/entry.ts";
import { Raw, reply, type Scope } from "../http/route.ts";
import { type FeedPage, readFeed } from "../realtime/feed.ts";
import { type From, offsetOf, parseOffset } from "../realtime/offsets.ts";
import { entriesJson } from "../realtime/present.ts";
import { outcomeOf } from "../realtime/waits.ts";
import type { FeedQuery } from "./schemas.ts";
import { openEventStream } from "./sse.ts";

export interface ReadEvents extends FeedQuery {
  readonly roomId: number | undefined;
  readonly lastEventId: string | undefined;
}

/** Long polls that began together end apart: each waits up to a tenth less than it was asked to. */
const JITTER = 0.1;
/** A cursor tells caches on the way that two polls from one offset are not the same poll. */
const CURSOR_EVERY_MS = 20_000;

/** The log as the caller sees it: what there is, or also what comes. */
export async function readEvents(command: ReadEvents, scope: Scope) {
  const { deps, caller, client } = scope;
  const offset = command.lastEventId ?? command.offset;
  const from = parseOffset(offset, deps.tail.epoch);
  if (command.live === "sse" && !client.headOnly) return openEventStream({ from, roomId: command.roomId }, scope);

  const isPoll = command.live === "long-poll" && !client.headOnly;
  const page =
    (isPoll && recall(from, command, scope)) ||
    (await readFeed({ userId: caller.id, roomId: command.roomId, from }, deps));
  if (isPoll && page.entries.length > 0) deps.waits.outcomes.data++;
  if (!isPoll || page.entries.length > 0 || !page.upToDate) return answer(page, command, scope);
  return waitForMore(page, command, scope);
}

/**
 * Only for who waits for what comes: this process may be a moment behind the database, and a poll that waits is told
 * by the tail what it has not heard of yet.
 */
function recall(from: From, { roomId }: ReadEvents, { deps, caller }: Scope): FeedPage | undefined {
  const recalled = from !== "now" && deps.tail.connected ? deps.hub.recall(caller.id, from) : undefined;
  deps.recalls.count(recalled !== undefined);
  if (!recalled) return undefined;
  const { entries, pos, roomIds } = recalled;
  const wanted = roomId === undefined ? entries : entries.filter((entry) => entry.roomId === roomId);
  return { entries: wanted, next: pos, upToDate: true, roomIds };
}

async function waitForMore(page: FeedPage, command: ReadEvents, scope: Scope) {
  const { deps, caller, client, gone } = scope;
  const waitMs = command.timeout * 1_000 * (1 - JITTER * Math.random());
  const { roomId, device } = command;
  const wants = (entry: Entry): boolean => roomId === undefined || entry.roomId === roomId;
  const snapshot = { userId: caller.id, pos: page.next, roomIds: page.roomIds };
  const present = client.countsAsPresent;
  const wake = await deps.parking.park(snapshot, { kind: "events", wants, waitMs, gone, device, present });
  deps.waits.outcomes[wake.why === "entries" ? "data" : outcomeOf(wake.why)]++;
  if (wake.why === "entries") {
    return answer({ ...page, entries: wake.entries, next: wake.entries.at(-1)!.pos }, command, scope);
  }
  if (wake.why === "behind") return answer({ ...page, upToDate: false }, command, scope);
  return { ...reply(204), headers: headersOf(page, command, scope) };
}

function answer(page: FeedPage, command: ReadEvents, scope: Scope) {
  const { deps, caller } = scope;
  deps.deliveries.ofEntries(page.entries, caller.id);
  return reply(200, new Raw(entriesJson(page.entries, deps.tail.epoch, caller.id)), headersOf(page, command, scope));
}

function headersOf(
  { next, upToDate, roomIds }: FeedPage,
  { cursor, live, roomId }: ReadEvents,
  { deps, caller }: Scope,
): Record<string, string> {
  // Who has waited may have joined and left since the page was read.
  const rooms = deps.hub.viewOf(caller.id)?.rooms ?? new Set(roomIds);
  const read = roomId === undefined ? rooms : rooms.has(roomId) ? [roomId] : [];
  const lately = live ? deps.ephemeral.lately(caller.id, read) : [];
  return {
    "Stream-Next-Offset": offsetOf(deps.tail.epoch, next),
    ...(upToDate && { "Stream-Up-To-Date": "true" }),
    ...(live && { "Stream-Cursor": nextCursor(cursor, deps.now()) }),
    ...(lately.length > 0 && { "Parley-Lately": JSON.stringify(lately) }),
    "Cache-Control": "no-store",
  };
}

/** Grows with time, and is never what the client sent. */
export function nextCursor(given: string | undefined, now: number): string {
  const byTime = Math.floor(now / CURSOR_EVERY_MS);
  const before = /^\d{1,15}$/.test(given ?? "") ? Number(given) : 0;
  return String(Math.max(byTime, before + 1));
}
