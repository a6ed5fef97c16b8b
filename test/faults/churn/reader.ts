import { type FeedEntry, type Leg, poll, readSocket, readStream } from "../../../bench/load/transports.ts";
import type { Person } from "../../calls.ts";
import { checkContract } from "../../contract.ts";
import { roomListOf, unexpected } from "./answers.ts";
import type { Cluster, Reached } from "./cluster.ts";
import type { Mode, Which } from "./script.ts";
import type { FirstSight, RoomList } from "./state.ts";

/** Longer than anything takes that works. */
const PATIENCE_MS = 20_000;

export const positionOf = (offset: string): number => Number(offset.split("_")[1]);

/** One user's reader: it follows the feed from its first snapshot, whatever transport and API it is told to use. */
export class Reader {
  readonly user: Person;
  readonly entries: FeedEntry[] = [];
  readonly #cluster: Cluster;
  readonly #lookups = new Map<string, Promise<RoomList>>();
  #first: Omit<FirstSight, "lookups"> | undefined;
  #offset = "";
  #mode: Mode;
  #which: Which;
  #leg = new AbortController();
  #stopped = false;
  #following: Promise<void> = Promise.resolve();
  #onProgress: () => void = () => {};

  constructor(user: Person, cluster: Cluster, { mode, which }: { mode: Mode; which: Which }) {
    this.user = user;
    this.#cluster = cluster;
    this.#mode = mode;
    this.#which = which;
  }

  get position(): number {
    return positionOf(this.#offset);
  }

  /** Where its reading began. */
  get firstPosition(): number {
    return positionOf(this.#first!.offset);
  }

  get where(): string {
    return `${this.user.username} over ${this.#mode} from API ${this.#which} at ${this.position}`;
  }

  async start(): Promise<void> {
    const list = await this.#listRooms();
    const histories = await Promise.all(list.rooms.map(({ id }) => this.#history(id)));
    this.#first = { ...list, userId: this.user.id, messages: histories.flat() };
    this.#offset = list.offset;
    this.#following = this.#follow();
    // Whoever waits for the reader hears of it; until then nobody does.
    this.#following.catch(() => undefined);
  }

  /** From the same offset, by another way. */
  hop(mode: Mode, which: Which): void {
    this.#mode = mode;
    this.#which = which;
    this.abort();
  }

  /** Whatever is on its way to the reader is lost. */
  abort(): void {
    this.#leg.abort();
  }

  /** Until everything up to this position has come, live. */
  async reach(position: number): Promise<void> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(new Error(`${this.where} waits in vain for ${position}`)), PATIENCE_MS);
    const there = new Promise<void>((resolve) => {
      this.#onProgress = () => this.position >= position && resolve();
      this.#onProgress();
    });
    try {
      await Promise.race([there, late, this.#following.then(() => there)]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends, looks once more whether there is anything left, and tells what it began with. */
  async end(): Promise<FirstSight> {
    this.#stopped = true;
    this.abort();
    await this.#following;
    const { url } = this.#cluster.reach(this.#which);
    await poll(this.#legAt(url, new AbortController().signal), "");
    const looked = [...this.#lookups].map(async ([offset, list]) => [offset, await list] as const);
    return { ...this.#first!, lookups: new Map(await Promise.all(looked)) };
  }

  lastSnapshot(): Promise<RoomList> {
    return this.#listRooms();
  }

  async #follow(): Promise<void> {
    while (!this.#stopped) {
      this.#leg = new AbortController();
      const { signal } = this.#leg;
      const api = this.#cluster.reach(this.#which);
      try {
        await this.#read(this.#legAt(api.url, signal));
      } catch (error) {
        if (!excused(error, signal, api)) throw error;
      }
    }
  }

  async #read(leg: Leg): Promise<unknown> {
    if (this.#mode === "sse") return readStream(leg);
    if (this.#mode === "websocket") return readSocket(leg);
    if (this.#mode === "long-poll") return poll(leg, "&live=long-poll&timeout=20");
    // Nothing is left to catch up with: waiting for more is another mode.
    if ((await poll(leg, "")) && this.#mode === "catch-up") this.#mode = "long-poll";
    return undefined;
  }

  #legAt(url: string, signal: AbortSignal): Leg {
    return {
      url,
      signal,
      check: checkContract,
      userId: this.user.id,
      offset: this.#offset,
      take: (entries) => {
        for (const entry of entries) this.#take(entry);
      },
      goOnFrom: (offset) => this.#goOnFrom(offset),
    };
  }

  #take(entry: FeedEntry): void {
    if (entry.offset <= this.#offset) throw new Error(`${this.where} gets ${JSON.stringify(entry)} again`);
    this.entries.push(entry);
    if (entry.type === "member.joined" && entry.data["user_id"] === this.user.id) this.#lookUp(entry);
    this.#goOnFrom(entry.offset);
  }

  #goOnFrom(offset: string): void {
    if (offset < this.#offset) throw new Error(`${this.where} is sent back to ${offset}`);
    this.#offset = offset;
    this.#onProgress();
  }

  /** The entry tells that one is in; what has been said there before, and who is there, one has to ask. */
  #lookUp({ offset }: FeedEntry): void {
    const found = this.#listRooms();
    found.catch(() => undefined);
    this.#lookups.set(offset, found);
  }

  async #listRooms(): Promise<RoomList> {
    return roomListOf(await this.#cluster.ask(this.#which, "GET", "/v1/rooms?limit=100", { as: this.user.id }));
  }

  /** Empty for a room that one has left since; the feed will say so too. */
  async #history(roomId: number): Promise<FirstSight["messages"]> {
    const path = `/v1/rooms/${roomId}/messages?limit=1000`;
    const answer = await this.#cluster.ask(this.#which, "GET", path, { as: this.user.id });
    if (answer.status === 200) return answer.body.messages;
    if (answer.status === 404 || answer.status === 403) return [];
    throw unexpected(answer);
  }
}

/** A connection may break because the reader has cut it, or because the API was killed. */
const excused = (error: unknown, signal: AbortSignal, api: Reached): boolean =>
  isBroken(error) && (signal.aborted || api.wasKilled());

const isBroken = (error: unknown): boolean =>
  error instanceof TypeError ||
  (error instanceof Error &&
    (error.name === "AbortError" || "code" in error || /WebSocket was closed/.test(error.message)));
