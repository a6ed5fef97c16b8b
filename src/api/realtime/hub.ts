import type { Clock } from "../../shared/ids.ts";
import type { Entry } from "../../shared/log/entry.ts";
import { Delivery } from "./delivery.ts";
import { changesRoomsOf, isHollow, isVisible, joiningIn } from "./visibility.ts";

/** So many entries are kept for readers that are a moment behind; at 5,000 entries a second, about two seconds. */
const RECENT = 10_000;
/** A reader further behind than this reads its pages from the database. */
const RECALLED = 500;
/** A view outlives its last reader by this long, so that the next poll finds it. */
const VIEW_LIFE_MS = 60_000;
/** So many readers are woken before others get their turn: each costs some tenths of a millisecond to answer. */
const SLICE = 32;

const NOTHING: readonly Entry[] = [];

/** The state that a reader saw before it began to wait: everything up to `pos`, as a member of these rooms. */
export interface Snapshot {
  readonly userId: number;
  readonly pos: number;
  readonly roomIds: readonly number[];
}

export type End = "closing" | "behind";

/** Who reads on from a snapshot: woken with new entries, in order, each once, until it unsubscribes. */
export interface Subscriber {
  /** Which of the entries of the user's rooms it wants. */
  wants(entry: Entry): boolean;
  /** With when this process first heard of them. */
  deliver(entries: readonly Entry[], heardAt: number): void;
  /** `closing`: the process stops. `behind`: take a new snapshot. */
  end(why: End): void;
}

export interface Subscription {
  /** What came between the snapshot and now; what comes later is delivered. */
  readonly missed: readonly Entry[];
  unsubscribe(): void;
}

export interface Recalled extends Pick<Snapshot, "pos" | "roomIds"> {
  readonly entries: readonly Entry[];
}

interface Reader {
  /** The last position that it has, or has no use for. */
  after: number;
  readonly subscriber: Subscriber;
}

/** What one user may see, kept by the log itself, shared by all their readers. */
export interface View {
  readonly userId: number;
  readonly rooms: Set<number>;
  readonly readers: Set<Reader>;
  /** From this position on the rooms are the right ones: before it they may be those of a later snapshot. */
  since: number;
  usedAt: number;
}

/**
 * Hands each new entry to the readers of its room. A waiting reader is a cursor and a callback; waking it asks no
 * database, because the log itself tells who joins and leaves.
 */
export class Hub {
  readonly #views = new Map<number, View>();
  readonly #viewsByRoom = new Map<number, Set<View>>();
  readonly #sweeper = setInterval(() => this.#sweep(), VIEW_LIFE_MS / 2).unref();
  /** Contiguous: the entry at position p is at index p minus the first's. */
  #recent: Entry[] = [];
  #waking: { view: View; entries: readonly Entry[]; heardAt: number }[] = [];
  #closing = false;
  /** How long what was handed out here had been on its way. */
  readonly delivery: Delivery;

  constructor(now: Clock) {
    this.delivery = new Delivery(now);
  }

  get closing(): boolean {
    return this.#closing;
  }

  /** How many reads are parked here, and how many streams and sockets read on. */
  get parked(): number {
    let count = 0;
    for (const view of this.#views.values()) count += view.readers.size;
    return count;
  }

  /** Registers first and tells what was missed second, in one go: nothing comes in between. */
  subscribe(snapshot: Snapshot, subscriber: Subscriber): Subscription | End {
    if (this.#closing) return "closing";
    const rooms = new Set(snapshot.roomIds);
    const since = this.#after(snapshot.pos);
    if (!since) return "behind";
    const missed = since.filter(
      (entry) => isVisible(entry, snapshot.userId, rooms) && !isHollow(entry) && subscriber.wants(entry),
    );
    const view = this.#views.get(snapshot.userId) ?? this.#open(snapshot.userId, rooms);
    view.since = Math.max(view.since, snapshot.pos);
    // A view that was opened by a later snapshot may lack a room that this one still reads to its end.
    for (const roomId of rooms) if (!view.rooms.has(roomId)) this.#join(snapshot.userId, roomId);
    // The snapshot may be ahead of the tail, and the tail ahead of readers that are still being woken.
    const reader = { after: Math.max(snapshot.pos, this.#recent.at(-1)?.pos ?? 0), subscriber };
    view.readers.add(reader);
    return {
      missed,
      unsubscribe: () => {
        view.readers.delete(reader);
        view.usedAt = performance.now();
      },
    };
  }

  /**
   * What a user whose rooms are known here may see after a position, up to the head of the tail; no database is asked.
   * Undefined where it must be.
   */
  recall(userId: number, from: number): Recalled | undefined {
    const view = this.#views.get(userId);
    const head = this.#recent.at(-1)?.pos ?? 0;
    if (!view || from < view.since || from > head || head - from > RECALLED) return undefined;
    const entries = this.#after(from);
    // Of a message that was deleted meanwhile the words are still here; the database has them no more.
    const isStale = (entry: Entry): boolean => entry.type === "message.deleted" || changesRoomsOf(entry, userId);
    if (!entries || entries.some(isStale)) return undefined;
    view.usedAt = performance.now();
    const visible = entries.filter((entry) => isVisible(entry, userId, view.rooms) && !isHollow(entry));
    return { entries: visible, pos: head, roomIds: [...view.rooms] };
  }

  /** From the tail: in order, each entry once. */
  handOut(entries: readonly Entry[], heardAt: number): void {
    this.#remember(entries);
    const perView = new Map<View, readonly Entry[]>();
    for (const entry of entries) {
      // Views that see the same share one list: what is made of it is then made once for all of them.
      const longer = new Map<readonly Entry[], readonly Entry[]>();
      for (const view of this.#seeing(entry)) {
        if (view.readers.size === 0) continue;
        const before = perView.get(view) ?? NOTHING;
        const list = longer.get(before) ?? [...before, entry];
        longer.set(before, list);
        perView.set(view, list);
      }
    }
    const idle = this.#waking.length === 0;
    for (const [view, list] of perView) this.#waking.push({ view, entries: list, heardAt });
    if (idle) this.#wakeSlice();
  }

  /** The users of a room who have a reader here. */
  *readersOf(roomId: number): Iterable<View> {
    for (const view of this.#viewsByRoom.get(roomId) ?? []) if (view.readers.size > 0) yield view;
  }

  viewOf(userId: number): View | undefined {
    return this.#views.get(userId);
  }

  /** Nothing remembered holds any more: everyone starts over. */
  reset(): void {
    this.#recent = [];
    this.#endAll("behind");
    this.#views.clear();
    this.#viewsByRoom.clear();
  }

  close(): void {
    this.#closing = true;
    clearInterval(this.#sweeper);
    this.#endAll("closing");
  }

  #endAll(why: End): void {
    for (const view of this.#views.values()) for (const { subscriber } of [...view.readers]) subscriber.end(why);
  }

  /** In the order of the log; after a slice whoever else has something to do gets a turn. */
  #wakeSlice(): void {
    let woken = 0;
    while (woken < SLICE) {
      const next = this.#waking.shift();
      if (!next) return;
      woken += next.view.readers.size;
      for (const reader of [...next.view.readers]) this.#wake(reader, next.entries, next.heardAt);
    }
    if (this.#waking.length > 0) setImmediate(() => this.#wakeSlice());
  }

  #wake(reader: Reader, entries: readonly Entry[], heardAt: number): void {
    const isFresh = (entry: Entry): boolean =>
      entry.pos > reader.after && !isHollow(entry) && reader.subscriber.wants(entry);
    const fresh = entries.every(isFresh) ? entries : entries.filter(isFresh);
    reader.after = Math.max(reader.after, entries.at(-1)!.pos);
    if (fresh.length === 0) return;
    this.delivery.handedOut(fresh);
    reader.subscriber.deliver(fresh, heardAt);
  }

  /** The entries after a position, or undefined if they are no longer all here. */
  #after(pos: number): readonly Entry[] | undefined {
    const last = this.#recent.at(-1);
    if (!last || last.pos <= pos) return [];
    const first = this.#recent[0]!;
    return first.pos <= pos + 1 ? this.#recent.slice(pos + 1 - first.pos) : undefined;
  }

  #remember(entries: readonly Entry[]): void {
    this.#recent.push(...entries);
    // Cut rarely and by a lot: cutting one off the front for each that comes would copy the array every time.
    if (this.#recent.length > 2 * RECENT) this.#recent = this.#recent.slice(-RECENT);
  }

  #open(userId: number, rooms: Set<number>): View {
    const view: View = { userId, rooms, readers: new Set(), since: 0, usedAt: performance.now() };
    this.#views.set(userId, view);
    for (const roomId of rooms) this.#index(roomId, view);
    return view;
  }

  /** Who sees this entry; members are let in before it is handed out and let out after. */
  #seeing(entry: Entry): View[] {
    const { roomId } = entry;
    if (roomId === null) {
      const view = this.#views.get(entry.userId!);
      return view ? [view] : [];
    }
    for (const userId of joiningIn(entry)) this.#join(userId, roomId);
    const seeing = [...(this.#viewsByRoom.get(roomId) ?? [])];
    if (entry.type === "member.left") this.#leave(Number(entry.data?.["user_id"]), roomId);
    if (entry.type === "room.deleted") for (const view of seeing) this.#unindex(roomId, view);
    return seeing;
  }

  #join(userId: number, roomId: number): void {
    const view = this.#views.get(userId);
    if (!view) return;
    view.rooms.add(roomId);
    this.#index(roomId, view);
  }

  #leave(userId: number, roomId: number): void {
    const view = this.#views.get(userId);
    if (view) this.#unindex(roomId, view);
  }

  #index(roomId: number, view: View): void {
    const views = this.#viewsByRoom.get(roomId);
    if (views) views.add(view);
    else this.#viewsByRoom.set(roomId, new Set([view]));
  }

  #unindex(roomId: number, view: View): void {
    view.rooms.delete(roomId);
    const views = this.#viewsByRoom.get(roomId);
    views?.delete(view);
    if (views?.size === 0) this.#viewsByRoom.delete(roomId);
  }

  #sweep(): void {
    const before = performance.now() - VIEW_LIFE_MS;
    for (const [userId, view] of this.#views) {
      if (view.readers.size > 0 || view.usedAt > before) continue;
      this.#views.delete(userId);
      for (const roomId of [...view.rooms]) this.#unindex(roomId, view);
    }
  }
}
