import type { Entry } from "../../shared/log/entry.ts";

/** So many entries are kept for readers that are a moment behind; at 5,000 entries a second, about two seconds. */
const RECENT = 10_000;
/** A view outlives its last reader by this long, so that the next poll finds it. */
const VIEW_LIFE_MS = 60_000;

/** The state that a reader saw before it began to wait: everything up to `pos`, as a member of these rooms. */
export interface Snapshot {
  readonly userId: number;
  readonly pos: number;
  readonly roomIds: readonly number[];
}

export type Wake =
  | { readonly why: "entries"; readonly entries: readonly Entry[] }
  /** `behind`: the snapshot is too old to go on from; take a new one. */
  | { readonly why: "timeout" | "gone" | "closing" | "behind" };

export interface Waiting {
  /** Which of the entries of the user's rooms are worth waking up for. */
  readonly wants: (entry: Entry) => boolean;
  readonly waitMs: number;
  readonly gone: AbortSignal;
}

/** What one user may see, kept by the log itself, shared by all their readers. */
interface View {
  readonly rooms: Set<number>;
  readonly readers: Set<Reader>;
  usedAt: number;
}

interface Reader {
  /** What the reader has seen already: its snapshot may be ahead of the tail. */
  readonly after: number;
  readonly wants: (entry: Entry) => boolean;
  wake(wake: Wake): void;
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
  #closing = false;

  get closing(): boolean {
    return this.#closing;
  }

  /** How many reads are parked here. */
  get parked(): number {
    let count = 0;
    for (const view of this.#views.values()) count += view.readers.size;
    return count;
  }

  /** Waits for entries after the snapshot. Whatever came between the snapshot and this call counts at once. */
  wait(snapshot: Snapshot, { wants, waitMs, gone }: Waiting): Promise<Wake> {
    if (this.#closing) return Promise.resolve({ why: "closing" });
    if (gone.aborted) return Promise.resolve({ why: "gone" });
    const rooms = new Set(snapshot.roomIds);
    const missed = this.#after(snapshot.pos);
    if (!missed) return Promise.resolve({ why: "behind" });
    const entries = missed.filter((entry) => isVisible(entry, snapshot.userId, rooms) && wants(entry));
    const view = this.#views.get(snapshot.userId) ?? this.#open(snapshot.userId, rooms);
    view.usedAt = performance.now();
    if (entries.length > 0) return Promise.resolve({ why: "entries", entries });
    return park(view, { after: snapshot.pos, wants, waitMs, gone });
  }

  /** From the tail: in order, each entry once. */
  handOut(entries: readonly Entry[]): void {
    this.#remember(entries);
    const perView = new Map<View, Entry[]>();
    for (const entry of entries) {
      for (const view of this.#seeing(entry)) {
        if (view.readers.size === 0) continue;
        const list = perView.get(view);
        if (list) list.push(entry);
        else perView.set(view, [entry]);
      }
    }
    for (const [view, list] of perView) wakeReaders(view, list);
  }

  /** Nothing remembered holds any more: everyone starts over. */
  reset(): void {
    this.#recent = [];
    this.#wakeAll({ why: "behind" });
    this.#views.clear();
    this.#viewsByRoom.clear();
  }

  close(): void {
    this.#closing = true;
    clearInterval(this.#sweeper);
    this.#wakeAll({ why: "closing" });
  }

  #wakeAll(wake: Wake): void {
    for (const view of this.#views.values()) for (const reader of [...view.readers]) reader.wake(wake);
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
    const view: View = { rooms, readers: new Set(), usedAt: performance.now() };
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

function park(view: View, { after, wants, waitMs, gone }: Waiting & { after: number }): Promise<Wake> {
  return new Promise((resolve) => {
    const reader: Reader = {
      after,
      wants,
      wake(wake) {
        clearTimeout(timer);
        gone.removeEventListener("abort", onGone);
        view.readers.delete(reader);
        view.usedAt = performance.now();
        resolve(wake);
      },
    };
    const onGone = (): void => reader.wake({ why: "gone" });
    const timer = setTimeout(() => reader.wake({ why: "timeout" }), waitMs);
    gone.addEventListener("abort", onGone, { once: true });
    view.readers.add(reader);
  });
}

function wakeReaders(view: View, entries: readonly Entry[]): void {
  for (const reader of [...view.readers]) {
    const wanted = entries.filter((entry) => entry.pos > reader.after && reader.wants(entry));
    if (wanted.length > 0) reader.wake({ why: "entries", entries: wanted });
  }
}

/** Who may see a room's entries from this one on. */
function joiningIn({ type, data }: Entry): number[] {
  if (type === "member.joined") return [Number(data?.["user_id"])];
  if (type !== "room.created") return [];
  const members = (data?.["members"] ?? []) as readonly { id: number }[];
  return members.map(({ id }) => id);
}

/** For one user who is a member of `rooms` before the entry; afterwards `rooms` is as the entry left it. */
function isVisible(entry: Entry, userId: number, rooms: Set<number>): boolean {
  const { roomId } = entry;
  if (roomId === null) return entry.userId === userId;
  if (joiningIn(entry).includes(userId)) rooms.add(roomId);
  const visible = rooms.has(roomId);
  const left = entry.type === "member.left" && entry.data?.["user_id"] === userId;
  if (left || entry.type === "room.deleted") rooms.delete(roomId);
  return visible;
}
