import { batch } from "@preact/signals";
import type { ClientEvent, Entry } from "../../client/index.ts";
import { client, problemOf, session } from "../client.ts";
import { applyEntry, isGuessed, needsSnapshot, setOnline, startTyping } from "../state/apply.ts";
import { putRooms } from "../state/snapshots.ts";
import { emptyState } from "../state/state.ts";
import { announce } from "./announce.ts";
import { noteHeard, noteStatus, status, wish } from "./connection.ts";
import { loadDetails } from "./history.ts";
import { change, isLoaded, state } from "./store.ts";

let running = new AbortController();

/** Follows the feed from where we are; a second call does it anew: over another transport, or without waiting longer. */
export function follow(): void {
  running.abort();
  running = new AbortController();
  void run(running.signal);
}

export function stopFollowing(): void {
  running.abort();
  status.value = undefined;
}

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;

async function run(signal: AbortSignal): Promise<void> {
  for (let attempt = 1; !signal.aborted; attempt++) {
    try {
      if (!isLoaded.value) await loadRooms(signal);
      await hearAll(signal);
      return;
    } catch (error) {
      if (signal.aborted || !session.value) return;
      // An offset that the server can't read will not be readable later either.
      if (problemOf(error).status === 400) forgetAll();
      await wait(attempt, error, signal);
    }
  }
}

/** Only the first snapshot is asked for by us; once it is there the client has its own patience. */
async function wait(attempt: number, error: unknown, signal: AbortSignal): Promise<void> {
  const ms = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (attempt - 1)) * (0.5 + Math.random() / 2);
  const transport = status.value?.transport ?? "websocket";
  const retryAt = new Date(Date.now() + ms);
  noteStatus({ transport, state: "waiting", attempt, since: new Date(), retryAt, lastProblem: problemOf(error) });
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    const wake = (): void => {
      clearTimeout(timer);
      resolve();
    };
    signal.addEventListener("abort", wake, { once: true });
    addEventListener("online", wake, { once: true, signal });
  });
}

async function hearAll(signal: AbortSignal): Promise<void> {
  const transport = wish.value === "auto" ? undefined : wish.value;
  const from = state.value.offset;
  for await (const event of client.events({ from, signal, transport, onStatus: (next) => report(next, signal) })) {
    await hear(event, signal);
  }
}

const report = (next: Parameters<typeof noteStatus>[0], signal: AbortSignal): void => {
  if (!signal.aborted) noteStatus(next);
};

async function hear(event: ClientEvent, signal: AbortSignal): Promise<void> {
  noteHeard(event.type);
  if (event.type === "typing") change((now) => startTyping(now, event.room_id, event.user_id, Date.now()));
  else if (event.type === "presence") change((now) => setOnline(now, [event]));
  else if (event.type === "resync") resync();
  else await hearEntry(event, signal);
}

async function hearEntry(entry: Entry, signal: AbortSignal): Promise<void> {
  const before = state.value;
  if (needsSnapshot(before, entry)) await loadRooms(signal, entry.room_id ?? undefined);
  batch(() => {
    change((now) => applyEntry(now, entry));
    announce(before, entry);
  });
  if (entry.type === "messages.seen" && entry.data.user_id === before.meId) {
    const room = state.value.rooms.get(entry.room_id);
    if (room && isGuessed(room, entry.data.up_to_seq)) void loadDetails(room.id);
  }
}

/** All of my rooms, or of a new snapshot the one that was missing. */
async function loadRooms(signal: AbortSignal, only?: number): Promise<void> {
  const first = await client.rooms.list();
  const rooms = [...first.rooms];
  for (let after = first.next; after !== null; ) {
    const page = await client.rooms.list({ after });
    rooms.push(...page.rooms);
    after = page.next;
  }
  // Whoever has signed in meanwhile is shown their own rooms.
  signal.throwIfAborted();
  // Of several pages the offset of the first counts; what came between them comes again, and changes nothing.
  change((now) => {
    const wanted = only === undefined ? rooms : rooms.filter(({ id }) => id === only);
    const next = putRooms(now, wanted, first.nextOffset);
    return only === undefined ? { ...next, offset: first.nextOffset } : next;
  });
  isLoaded.value = true;
}

/** What was missed can't be told: all is read again. */
function resync(): void {
  forgetAll();
  follow();
}

/** But for what I have sent and the server has not stored yet. */
function forgetAll(): void {
  isLoaded.value = false;
  change(({ meId, outbox }) => ({ ...emptyState(meId), outbox }));
}
