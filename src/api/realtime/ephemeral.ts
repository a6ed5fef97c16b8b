import { type EntityManager, rows } from "../../shared/db/database.ts";
import { channels } from "../../shared/log/entry.ts";
import type { Logger } from "../../shared/logger.ts";
import { keys, type Store, ttl } from "../../shared/store/store.ts";
import type { Hub } from "./hub.ts";

/** What happens and is over: not in the log, told to those who are there, and missed by the rest. */
export type Ephemeral =
  | { readonly type: "typing"; readonly data: { readonly room_id: number; readonly user_id: number } }
  | { readonly type: "presence"; readonly data: { readonly user_id: number; readonly online: boolean } };

/** As it travels between processes: with the rooms whose members it is for. */
type Told = Ephemeral & { readonly rooms: readonly number[] };

/** Between two polls nobody is gone. */
const GRACE_MS = 30_000;
/** Whoever comes and goes more often than this is told of once. */
const TELL_EVERY_MS = 10_000;
const REFRESH_EVERY_MS = 20_000;
const TYPING_EVERY_MS = 2_000;
/** A notification of Postgres holds 8,000 bytes. */
const MOST_ROOMS = 500;

interface Present {
  count: number;
  leaving: NodeJS.Timeout | undefined;
  toldOnline: boolean;
  toldAt: number;
}

interface EphemeralDeps {
  readonly em: EntityManager;
  readonly backend: { readonly store: Store };
  readonly log: Logger;
  readonly hub: Hub;
}

/** Who is online, and who types: shared by all processes, through the store and through notifications. */
export class Ephemerals {
  readonly #deps: EphemeralDeps;
  /** Tells this process's marks from others'. */
  readonly #name: string;
  readonly #listeners = new Map<number, Set<(what: Ephemeral) => void>>();
  readonly #present = new Map<number, Present>();
  readonly #typed = new Map<string, number>();
  readonly #refresher = setInterval(() => this.#refresh(), REFRESH_EVERY_MS).unref();

  constructor(deps: EphemeralDeps, name: string) {
    this.#deps = deps;
    this.#name = name;
  }

  /** Hears what concerns this user until the call of what it returns; being there is being online. */
  listen(userId: number, hear: (what: Ephemeral) => void, counts: boolean): () => void {
    const listeners = this.#listeners.get(userId) ?? new Set();
    this.#listeners.set(userId, listeners.add(hear));
    const leave = counts ? this.enter(userId) : () => {};
    return () => {
      listeners.delete(hear);
      if (listeners.size === 0 && this.#listeners.get(userId) === listeners) this.#listeners.delete(userId);
      leave();
    };
  }

  /** A read is parked or a socket open. */
  enter(userId: number): () => void {
    const present = this.#present.get(userId) ?? { count: 0, leaving: undefined, toldOnline: false, toldAt: 0 };
    this.#present.set(userId, present);
    clearTimeout(present.leaving);
    present.count++;
    if (!present.toldOnline) void this.#markOnline(userId, present);
    return () => {
      if (--present.count > 0) return;
      present.leaving = setTimeout(() => void this.#markOffline(userId, present), GRACE_MS).unref();
    };
  }

  async isOnline(userIds: readonly number[]): Promise<Map<number, boolean>> {
    const { store } = this.#deps.backend;
    const marks = await store.getMany(userIds.map((id) => keys.presence(id)));
    return new Map(userIds.map((id, i) => [id, marks[i] !== null]));
  }

  async typing(userId: number, roomId: number): Promise<void> {
    const key = `${userId}:${roomId}`;
    const now = performance.now();
    if (now - (this.#typed.get(key) ?? Number.NEGATIVE_INFINITY) < TYPING_EVERY_MS) return;
    if (this.#typed.size > 10_000) this.#typed.clear();
    this.#typed.set(key, now);
    await this.#tell({ type: "typing", data: { room_id: roomId, user_id: userId }, rooms: [roomId] });
  }

  /** From the tail: another process, or this one, has something to tell. */
  hear(payload: string): void {
    const { rooms, ...what } = JSON.parse(payload) as Told;
    const hearers = new Set<number>();
    for (const roomId of rooms) for (const { userId } of this.#deps.hub.readersOf(roomId)) hearers.add(userId);
    hearers.delete(what.data.user_id);
    for (const userId of hearers) for (const hear of this.#listeners.get(userId) ?? []) hear(what as Ephemeral);
  }

  stop(): void {
    clearInterval(this.#refresher);
    for (const { leaving } of this.#present.values()) clearTimeout(leaving);
  }

  async #markOnline(userId: number, present: Present): Promise<void> {
    present.toldOnline = true;
    await this.#quietly(async () => {
      const { store } = this.#deps.backend;
      const before = await store.get(keys.presence(userId));
      await store.set(keys.presence(userId), this.#name, ttl.presenceMs);
      if (before === null) await this.#tellPresence(userId, true, present);
    });
  }

  /** Whoever marked last speaks for the user: if that is another process, they are there. */
  async #markOffline(userId: number, present: Present): Promise<void> {
    this.#present.delete(userId);
    await this.#quietly(async () => {
      const { store } = this.#deps.backend;
      if ((await store.get(keys.presence(userId))) !== this.#name) return;
      await store.delete(keys.presence(userId));
      await this.#tellPresence(userId, false, present);
    });
  }

  async #tellPresence(userId: number, online: boolean, present: Present): Promise<void> {
    const now = performance.now();
    if (present.toldAt > 0 && now - present.toldAt < TELL_EVERY_MS) return;
    present.toldAt = now;
    const rooms = [...(this.#deps.hub.viewOf(userId)?.rooms ?? [])].slice(0, MOST_ROOMS);
    if (rooms.length > 0) await this.#tell({ type: "presence", data: { user_id: userId, online }, rooms });
  }

  #refresh(): void {
    for (const [userId, { count }] of this.#present) {
      if (count === 0) continue;
      void this.#quietly(() => this.#deps.backend.store.set(keys.presence(userId), this.#name, ttl.presenceMs));
    }
  }

  async #tell(what: Told): Promise<void> {
    await rows(this.#deps.em, "select pg_notify($1, $2)", [channels.ephemeral, JSON.stringify(what)]);
  }

  /** Nobody's message depends on it. */
  async #quietly(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#deps.log.debug({ reason: String(error) }, "presence could not be told");
    }
  }
}
