import { PassThrough } from "node:stream";
import type { Entry } from "../../shared/log/entry.ts";
import { reply, type Scope } from "../http/route.ts";
import { Streamed } from "../http/streamed.ts";
import type { Ephemeral } from "../realtime/ephemeral.ts";
import { type FeedPage, readFeed } from "../realtime/feed.ts";
import type { Subscription } from "../realtime/hub.ts";
import { type From, offsetOf } from "../realtime/offsets.ts";
import { entriesJson, entryJson } from "../realtime/present.ts";
import { endsReading } from "../realtime/visibility.ts";
import { nextCursor } from "./read-events.ts";

/** Most proxies cut a stream after a minute; ours ends first, between two events. */
const LIFE_MS = 58_000;
/** Keeps what stands between from taking silence for death. */
const HEARTBEAT_MS = 15_000;
/** A client that reads what comes this much slower than it is written is cut; it resumes by offset. */
const MOST_UNSENT_BYTES = 1_024 * 1_024;
/** What there was already waits for whoever is slow, in events of about this size. */
const CATCH_UP_EVENT_BYTES = 64 * 1_024;
/** What is on its way when a stream ends gets this long to arrive. */
const LINGER_MS = 2_000;

export interface OpenStream {
  readonly from: From;
  readonly roomId: number | undefined;
}

/** The feed as server-sent events: `data` with entries, `control` with where they end. */
export async function openEventStream(open: OpenStream, scope: Scope) {
  const page = await readFeed({ userId: scope.caller.id, ...open }, scope.deps);
  const events = new EventStream(open.roomId, scope);
  // Not awaited: the answer begins now and ends when the stream does.
  void events.follow(page);
  const headers = { "Cache-Control": "no-store", "X-Accel-Buffering": "no" };
  return reply(200, new Streamed("text/event-stream; charset=utf-8", events.stream), headers);
}

class EventStream {
  readonly stream = new PassThrough();
  readonly #roomId: number | undefined;
  readonly #scope: Scope;
  #leave: (() => void) | undefined;
  readonly #life = setTimeout(() => this.#end(), LIFE_MS);
  readonly #heartbeat = setInterval(() => this.#write(":\n\n"), HEARTBEAT_MS);
  #subscription: Subscription | undefined;

  constructor(roomId: number | undefined, scope: Scope) {
    const { caller, client, deps, gone } = scope;
    this.#roomId = roomId;
    this.#scope = scope;
    const hear = (what: Ephemeral, rooms: readonly number[]): void => this.#hear(what, rooms);
    const leave = deps.ephemeral.listen(caller.id, hear, client.countsAsPresent);
    deps.waits.parked.sse++;
    this.#leave = () => {
      leave();
      deps.waits.parked.sse--;
    };
    this.stream.once("close", () => this.#letGo());
    gone.onAbort(() => this.#end());
  }

  /** What there is page by page, and then what comes. */
  async follow(first: FeedPage): Promise<void> {
    const { deps, caller, gone } = this.#scope;
    // Who left while the page was read will not say so again.
    if (gone.aborted) return this.#end();
    try {
      let page = first;
      for (;;) {
        const atOnce = await this.#writePage(page);
        if (!this.#isOpen) return;
        // While the client took its time the log went on: a page that is old by now is no place to go live from.
        if (page.upToDate && atOnce && this.#goLive(page)) return;
        page = await readFeed({ userId: caller.id, roomId: this.#roomId, from: page.next }, deps);
      }
    } catch (error) {
      deps.log.warn({ reason: String(error) }, "an event stream was cut");
      this.#end();
    }
  }

  /** False if the page is too old to go on from, by the time that it was written. */
  #goLive(page: FeedPage): boolean {
    const { deps, caller } = this.#scope;
    const snapshot = { userId: caller.id, pos: page.next, roomIds: page.roomIds };
    const subscription = deps.hub.subscribe(snapshot, {
      wants: (entry) => this.#roomId === undefined || entry.roomId === this.#roomId,
      deliver: (entries, heardAt) => {
        this.#writeEntries(entries);
        deps.waits.woke(heardAt);
      },
      end: () => this.#end(),
    });
    if (subscription === "behind") return false;
    // Who was let out of the room just now has seen the last of it.
    if (subscription === "closing" || (this.#roomId !== undefined && !page.roomIds.includes(this.#roomId))) {
      if (subscription !== "closing") subscription.unsubscribe();
      this.#end();
      return true;
    }
    this.#subscription = subscription;
    if (subscription.missed.length > 0) this.#writeEntries(subscription.missed);
    return true;
  }

  /** As fast as the client takes it. @returns whether it never had to wait. */
  async #writePage({ entries, next, upToDate }: FeedPage): Promise<boolean> {
    let atOnce = true;
    for (let from = 0; from < entries.length; ) {
      const until = this.#endOfEvent(entries, from);
      this.#writeData(entries.slice(from, until));
      from = until;
      if (from < entries.length) this.#writeControl(entries[from - 1]!.pos, false);
      if (this.stream.writableNeedDrain) {
        atOnce = false;
        await this.#drained();
        if (!this.#isOpen) return false;
      }
    }
    this.#writeControl(next, upToDate && atOnce);
    return atOnce;
  }

  #endOfEvent(entries: readonly Entry[], from: number): number {
    const { deps, caller } = this.#scope;
    let until = from;
    for (let bytes = 0; until < entries.length && bytes < CATCH_UP_EVENT_BYTES; until++) {
      bytes += Buffer.byteLength(entryJson(entries[until]!, deps.tail.epoch, caller.id));
    }
    return until;
  }

  #drained(): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.stream.off("drain", done).off("close", done);
        resolve();
      };
      this.stream.on("drain", done).on("close", done);
    });
  }

  #writeEntries(entries: readonly Entry[]): void {
    this.#writeData(entries);
    this.#writeControl(entries.at(-1)!.pos, true);
    const mine = this.#scope.caller.id;
    // Nothing more will come of a room that is read no longer.
    if (this.#roomId !== undefined && entries.some((entry) => endsReading(entry, mine))) this.#end();
    const unsent = this.stream.writableLength + this.stream.readableLength;
    if (unsent > MOST_UNSENT_BYTES) this.stream.destroy();
  }

  #writeData(entries: readonly Entry[]): void {
    const { deps, caller } = this.#scope;
    const id = offsetOf(deps.tail.epoch, entries.at(-1)!.pos);
    deps.deliveries.ofEntries(entries, caller.id);
    this.#write(`event: data\nid: ${id}\ndata: ${entriesJson(entries, deps.tail.epoch, caller.id)}\n\n`);
  }

  #writeControl(next: number, upToDate: boolean): void {
    const { deps } = this.#scope;
    const streamNextOffset = offsetOf(deps.tail.epoch, next);
    const streamCursor = nextCursor(undefined, deps.now());
    const control = { streamNextOffset, streamCursor, ...(upToDate && { upToDate }) };
    this.#write(`event: control\nid: ${streamNextOffset}\ndata: ${JSON.stringify(control)}\n\n`);
  }

  /** Not in the log, and without an id: what is typed just now is not worth resuming, nor worth waiting for. */
  #hear({ type, data }: Ephemeral, rooms: readonly number[]): void {
    if (!this.#subscription || this.stream.writableNeedDrain) return;
    if (this.#roomId === undefined || rooms.includes(this.#roomId))
      this.#write(`event: ${type}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  get #isOpen(): boolean {
    return !this.stream.writableEnded && !this.stream.destroyed;
  }

  #write(text: string): void {
    if (this.#isOpen) this.stream.write(text);
  }

  /** Nothing more is written. What was is still on its way, for a moment: who reads nothing may not stay for ever. */
  #end(): void {
    if (!this.#isOpen) return;
    this.stream.end();
    this.#letGo();
    setTimeout(() => this.stream.destroy(), LINGER_MS).unref();
  }

  #letGo(): void {
    clearTimeout(this.#life);
    clearInterval(this.#heartbeat);
    this.#leave?.();
    this.#leave = undefined;
    this.#subscription?.unsubscribe();
  }
}
