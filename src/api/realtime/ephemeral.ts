import { type EntityManager, rows } from "../../shared/db/database.ts";
import { channels } from "../../shared/log/entry.ts";
import type { Logger } from "../../shared/logger.ts";
import { keys, type Store, ttl } from "../../shared/store/store.ts";
import type { Hub } from "./hub.ts";
import { Lately } from "./lately.ts";

/** What happens and is over: not in the log, told to those who are there, and missed by the rest. */
export type Ephemeral =
  | { readonly type: "typing"; readonly data: { readonly room_id: number; readonly user_id: number } }
  | { readonly type: "presence"; readonly data: { readonly user_id: number; readonly online: boolean } };

/** As it travels between processes: with the rooms whose members it is for. */
export type Told = Ephemeral & { readonly rooms: readonly number[] };

/** Hears what happens, and in which of its rooms. */
export type Hear = (what: Ephemeral, rooms: readonly number[]) => void;

/** Between two polls nobody is gone. */
const GRACE_MS = 30_000;
/** Of whoever comes and goes more often than this only the latest is told. */
const TELL_EVERY_MS = 10_000;
const REFRESH_EVERY_MS = 20_000;
const REFRESH_AT_ONCE = 100;
const TYPING_EVERY_MS = 2_000;
/** A notification of Postgres holds 8,000 bytes. */
const MOST_ROOMS = 500;

/** Who is or was here: how many reads and sockets they have, and what the store says of them because of us. */
interface Present {
  count: number;
  leaving: NodeJS.Timeout | undefined;
  marked: boolean;
  /** One at a time: a coming that overtakes a going would leave the wrong one behind. */
  marking: Promise<void>;
}

/** What was passed on of one user's presence within the last 10 seconds, and what has happened since. */
interface Passed {
  online: boolean;
  latest: Told;
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
  readonly #listeners = new Map<number, Set<Hear>>();
  readonly #present = new Map<number, Present>();
  readonly #passed = new Map<number, Passed>();
  readonly #lately = new Lately();
  readonly #typed = new Map<string, number>();
  readonly #refresher = setInterval(() => this.#quietly(() => this.#refresh()), REFRESH_EVERY_MS).unref();

  constructor(deps: EphemeralDeps, name: string) {
    this.#deps = deps;
    this.#name = name;
  }

  /** Hears what concerns this user until the call of what it returns; being there is being online. */
  listen(userId: number, hear: Hear, counts: boolean): () => void {
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
    const fresh = { count: 0, leaving: undefined, marked: false, marking: Promise.resolve() };
    const present: Present = this.#present.get(userId) ?? fresh;
    this.#present.set(userId, present);
    clearTimeout(present.leaving);
    present.count++;
    if (present.count === 1) this.#mark(userId, present);
    return () => {
      if (--present.count > 0) return;
      present.leaving = setTimeout(() => this.#mark(userId, present), GRACE_MS).unref();
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

  /** What a member of these rooms takes along when a poll is answered: it is never answered for it. */
  lately(userId: number, roomIds: Iterable<number>): Ephemeral[] {
    return this.#lately.in(roomIds, userId);
  }

  /** From the tail: another process, or this one, has something to tell. */
  hear(payload: string): void {
    const told = JSON.parse(payload) as Told;
    if (told.type === "typing") this.#pass(told);
    else this.#passPresence(told, told.data.online);
  }

  stop(): void {
    clearInterval(this.#refresher);
    for (const { leaving } of this.#present.values()) clearTimeout(leaving);
  }

  #pass(told: Told): void {
    this.#lately.add(told);
    const { rooms, type, data } = told;
    const hearers = new Set<number>();
    for (const roomId of rooms) for (const { userId } of this.#deps.hub.readersOf(roomId)) hearers.add(userId);
    hearers.delete(data.user_id);
    const what = { type, data } as Ephemeral;
    for (const userId of hearers) for (const hear of this.#listeners.get(userId) ?? []) hear(what, rooms);
  }

  /** Held back here and not where it is told: one user may come and go on several processes. */
  #passPresence(told: Told, online: boolean): void {
    const userId = told.data.user_id;
    const passed = this.#passed.get(userId);
    if (passed) {
      passed.latest = told;
      return;
    }
    this.#pass(told);
    const now: Passed = { online, latest: told };
    this.#passed.set(userId, now);
    setTimeout(() => {
      this.#passed.delete(userId);
      const { latest } = now;
      if (latest.type === "presence" && latest.data.online !== online) this.#passPresence(latest, latest.data.online);
    }, TELL_EVERY_MS).unref();
  }

  #mark(userId: number, present: Present): void {
    present.marking = present.marking.then(() =>
      this.#quietly(() => (present.count > 0 ? this.#markOnline(userId, present) : this.#markOffline(userId, present))),
    );
  }

  async #markOnline(userId: number, present: Present): Promise<void> {
    if (present.marked) return;
    const { store } = this.#deps.backend;
    const before = await store.get(keys.presence(userId));
    await store.set(keys.presence(userId), this.#name, ttl.presenceMs);
    present.marked = true;
    if (before === null) await this.#tellPresence(userId, true);
  }

  /** Whoever marked last speaks for the user: if that is another process, they are there. */
  async #markOffline(userId: number, present: Present): Promise<void> {
    const { store } = this.#deps.backend;
    if ((await store.get(keys.presence(userId))) === this.#name) {
      await store.delete(keys.presence(userId));
      await this.#tellPresence(userId, false);
    }
    present.marked = false;
    // Somebody who has come back meanwhile is marked again, by the call that their coming has made.
    if (present.count === 0 && this.#present.get(userId) === present) this.#present.delete(userId);
  }

  /** To the members of their rooms; asked of the database, because a socket need not follow any feed. */
  async #tellPresence(userId: number, online: boolean): Promise<void> {
    await rows(this.#deps.em, tellPresenceSql, [channels.ephemeral, userId, online, MOST_ROOMS]);
  }

  /** Some at a time: thousands of commands in one go would hold everybody else up. */
  async #refresh(): Promise<void> {
    const { store } = this.#deps.backend;
    const here = [...this.#present].filter(([, { count }]) => count > 0).map(([userId]) => userId);
    for (let from = 0; from < here.length; from += REFRESH_AT_ONCE) {
      const some = here.slice(from, from + REFRESH_AT_ONCE);
      await Promise.all(some.map((userId) => store.set(keys.presence(userId), this.#name, ttl.presenceMs)));
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

const tellPresenceSql = `
  select pg_notify($1, jsonb_build_object('type', 'presence', 'rooms', jsonb_agg(room_id),
    'data', jsonb_build_object('user_id', $2::bigint, 'online', $3::boolean))::text)
  from (select room_id from members where user_id = $2 order by room_id desc limit $4) mine
  having count(*) > 0`;
