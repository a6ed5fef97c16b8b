import { PassThrough } from "node:stream";
import type { Entry } from "../../shared/log/entry.ts";
import { reply, type Scope } from "../http/route.ts";
import { Streamed } from "../http/streamed.ts";
import type { Ephemeral } from "../realtime/ephemeral.ts";
import { type FeedPage, readFeed } from "../realtime/feed.ts";
import type { Subscription } from "../realtime/hub.ts";
import { type From, offsetOf } from "../realtime/offsets.ts";
import { entriesJson } from "../realtime/present.ts";
import { endsReading } from "../realtime/visibility.ts";
import { nextCursor } from "./read-events.ts";

/** Most proxies cut a stream after a minute; ours ends first, between two events. */
const LIFE_MS = 58_000;
/** Keeps what stands between from taking silence for death. */
const HEARTBEAT_MS = 15_000;
/** A client that reads this much slower than it is written to is cut; it resumes by offset. */
const MOST_UNSENT_BYTES = 1_024 * 1_024;

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
  #subscription: Subscription | undefined;

  constructor(roomId: number | undefined, scope: Scope) {
    this.#roomId = roomId;
    this.#scope = scope;
    const life = setTimeout(() => this.stream.end(), LIFE_MS);
    const heartbeat = setInterval(() => this.#write(":\n\n"), HEARTBEAT_MS);
    const leave = scope.deps.ephemeral.listen(
      scope.caller.id,
      (what) => this.#writeEphemeral(what),
      scope.client.countsAsPresent,
    );
    const end = (): void => void this.stream.end();
    scope.gone.addEventListener("abort", end, { once: true });
    this.stream.once("close", () => {
      clearTimeout(life);
      clearInterval(heartbeat);
      leave();
      this.#subscription?.unsubscribe();
    });
  }

  /** What there is page by page, and then what comes. */
  async follow(first: FeedPage): Promise<void> {
    const { deps, caller } = this.#scope;
    try {
      let page = first;
      for (;;) {
        this.#writePage(page);
        if (this.stream.writableEnded) return;
        if (page.upToDate && this.#goLive(page)) return;
        page = await readFeed({ userId: caller.id, roomId: this.#roomId, from: page.next }, deps);
      }
    } catch (error) {
      deps.log.warn({ reason: String(error) }, "an event stream was cut");
      this.stream.end();
    }
  }

  /** False if the page is too old to go on from, by the time that it was written. */
  #goLive(page: FeedPage): boolean {
    const { deps, caller } = this.#scope;
    const snapshot = { userId: caller.id, pos: page.next, roomIds: page.roomIds };
    const subscription = deps.hub.subscribe(snapshot, {
      wants: (entry) => this.#roomId === undefined || entry.roomId === this.#roomId,
      deliver: (entries) => this.#writeEntries(entries),
      end: () => void this.stream.end(),
    });
    if (subscription === "behind") return false;
    if (subscription === "closing") {
      this.stream.end();
      return true;
    }
    this.#subscription = subscription;
    if (this.stream.destroyed || this.stream.writableEnded) subscription.unsubscribe();
    else if (subscription.missed.length > 0) this.#writeEntries(subscription.missed);
    return true;
  }

  #writePage({ entries, next, upToDate }: FeedPage): void {
    this.#writeData(entries);
    this.#writeControl(next, upToDate);
  }

  #writeEntries(entries: readonly Entry[]): void {
    this.#writeData(entries);
    this.#writeControl(entries.at(-1)!.pos, true);
    const mine = this.#scope.caller.id;
    // Nothing more will come of a room that is read no longer.
    if (this.#roomId !== undefined && entries.some((entry) => endsReading(entry, mine))) this.stream.end();
  }

  #writeData(entries: readonly Entry[]): void {
    if (entries.length === 0) return;
    const { deps, caller } = this.#scope;
    const id = offsetOf(deps.tail.epoch, entries.at(-1)!.pos);
    this.#write(`event: data\nid: ${id}\ndata: ${entriesJson(entries, deps.tail.epoch, caller.id)}\n\n`);
  }

  #writeControl(next: number, upToDate: boolean): void {
    const { deps } = this.#scope;
    const streamNextOffset = offsetOf(deps.tail.epoch, next);
    const streamCursor = nextCursor(undefined, deps.now());
    const control = { streamNextOffset, streamCursor, ...(upToDate && { upToDate }) };
    this.#write(`event: control\nid: ${streamNextOffset}\ndata: ${JSON.stringify(control)}\n\n`);
  }

  /** Not in the log, and without an id: what is typed just now is not worth resuming. */
  #writeEphemeral({ type, data }: Ephemeral): void {
    this.#write(`event: ${type}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  #write(text: string): void {
    if (this.stream.writableEnded || this.stream.destroyed) return;
    this.stream.write(text);
    if (this.stream.writableLength + this.stream.readableLength > MOST_UNSENT_BYTES) this.stream.destroy();
  }
}
