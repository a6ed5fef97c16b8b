import type { Ephemeral, Told } from "./ephemeral.ts";

/** Who has said nothing for so long types no longer. */
const TYPING_MS = 5_000;
/** Longer than a poll waits, so that who polls without a pause hears of every coming and going. */
const PRESENCE_MS = 60_000;
/** An answer is no place for more than this. */
const MOST_TOLD = 50;
const MOST_ROOMS = 10_000;

interface Kept {
  readonly what: Ephemeral;
  readonly until: number;
}

/**
 * What has just happened in each room, kept once for all who poll: a poll that is answered takes along what is still
 * true of it.
 */
export class Lately {
  /** By room, then by whom; the latest last. */
  readonly #rooms = new Map<number, Map<string, Kept>>();

  add({ rooms, type, data }: Told): void {
    const kept = { what: { type, data } as Ephemeral, until: performance.now() + lifeMs[type] };
    const key = `${type}:${data.user_id}`;
    for (const roomId of rooms) this.#keep(roomId, key, kept);
    // What is forgotten is missed once; what is never forgotten grows.
    if (this.#rooms.size > MOST_ROOMS) this.#rooms.clear();
  }

  /** For a member of these rooms: at most 50, the latest of each room. */
  in(roomIds: Iterable<number>, exceptUserId: number): Ephemeral[] {
    const found = new Set<Ephemeral>();
    if (this.#rooms.size === 0) return [];
    const now = performance.now();
    for (const roomId of roomIds) {
      for (const { what, until } of this.#rooms.get(roomId)?.values() ?? []) {
        if (until > now && what.data.user_id !== exceptUserId) found.add(what);
        if (found.size === MOST_TOLD) return [...found];
      }
    }
    return [...found];
  }

  #keep(roomId: number, key: string, kept: Kept): void {
    const room = this.#rooms.get(roomId) ?? new Map<string, Kept>();
    this.#rooms.set(roomId, room);
    room.delete(key);
    room.set(key, kept);
    const oldest = room.entries().next().value!;
    if (room.size > MOST_TOLD || oldest[1].until < performance.now()) room.delete(oldest[0]);
  }
}

const lifeMs = { typing: TYPING_MS, presence: PRESENCE_MS } as const;
