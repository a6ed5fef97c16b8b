import { EventEmitter } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import { ask } from "../../../bench/load/ask.ts";
import { Reader } from "../../../bench/load/readers.ts";
import { type Accepted, Senders } from "../../../bench/load/senders.ts";
import { makeGroup, makeGroupOf } from "../../../bench/people.ts";
import { type EventsOptions, ParleyClient, type Transport } from "../../../src/client/index.ts";
import { GOODBYE, Poller } from "./poller.ts";

const ROOMS = 10;
const POLLERS = 14;
const READERS = ["sse", "sse", "websocket", "websocket"] as const;
const CLIENTS = ["websocket", "sse", "long-poll"] as const satisfies readonly Transport[];
const CLIENTS_IN_A_ROOM = 2;
/** As the TypeScript client has it. */
const PATIENCE_MS = 15_000;
const SENDERS = 20;
const PER_SECOND = 12;
const CLIENT_SENDS_EVERY_MS = 3_000;

/** Somebody in a room who hears all that is said there: what came, in order, as often as it came. */
export interface Listener {
  readonly roomId: number;
  readonly what: string;
  readonly heard: string[];
  stop(): unknown;
}

/** 200 who read in ten rooms and some who send, all through one address. */
export class Crowd {
  readonly listeners: Listener[] = [];
  readonly accepted: Accepted[] = [];
  /** Tells of each message that was `accepted`, and that somebody has `heard`. */
  readonly news = new EventEmitter<{ accepted: []; heard: [] }>();
  /** What polls were answered, and how often. */
  readonly statuses = new Map<string, number>();
  /** What a TypeScript client did not hide from whoever uses it. */
  readonly errors: unknown[] = [];
  readonly #readers: Reader[] = [];
  readonly #clients: { readonly client: ParleyClient; readonly roomId: number }[] = [];
  readonly #following: Promise<void>[] = [];
  readonly #url: string;
  readonly #rooms: readonly Room[];
  readonly #senders: Senders;
  #sending: Promise<unknown> = Promise.resolve();
  #clientSends = 0;
  #silent = false;

  private constructor(url: string, { rooms, senderIds }: Awaited<ReturnType<typeof makeRooms>>) {
    this.#url = url;
    this.#rooms = rooms;
    this.#senders = new Senders({
      urls: [url],
      roomIds: rooms.map(({ roomId }) => roomId),
      senderIds,
      perSecond: PER_SECOND,
      turns: Number.POSITIVE_INFINITY,
      patienceMs: PATIENCE_MS,
      onAccepted: (accepted) => {
        this.accepted.push(accepted);
        this.news.emit("accepted");
      },
    });
  }

  /** All listen, and nobody has sent yet. */
  static async gather(url: string, database: pg.Client): Promise<Crowd> {
    const crowd = new Crowd(url, await makeRooms(database));
    await Promise.all(crowd.#rooms.map((room) => crowd.#listenIn(room)));
    return crowd;
  }

  /** What senders were answered besides 202, and how often. */
  get refusals(): ReadonlyMap<string, number> {
    return this.#senders.refusals;
  }

  /** What readers without a library met, each the last of it. */
  get interruptions(): string[] {
    return this.#readers.flatMap(({ way, lastError }) => (lastError === undefined ? [] : [`${way}: ${lastError}`]));
  }

  get clientSends(): number {
    return this.#clientSends;
  }

  send(): void {
    const clients = this.#clients.map(({ client, roomId }) => this.#sendNowAndThen(client, roomId));
    this.#sending = Promise.all([this.#senders.run(), ...clients]);
  }

  /** Comes back when what was sent is accepted, where a client waits for that stored, and a last word is said. */
  async fallSilent(): Promise<void> {
    this.#silent = true;
    this.#senders.stop();
    await this.#sending;
    await Promise.all(this.#rooms.map(({ roomId, userIds }) => this.#sayGoodbye(roomId, userIds[0]!)));
  }

  async leave(): Promise<void> {
    await Promise.all(this.listeners.map((listener) => listener.stop()));
    await Promise.all(this.#following);
  }

  async #listenIn({ roomId, userIds }: Room): Promise<void> {
    const url = this.#url;
    const next = userIds.slice(1).values();
    const listen = (what: string): { userId: number; onMessage: (id: string) => void; join: Join } => {
      const heard: string[] = [];
      const join = (stop: () => unknown) => void this.listeners.push({ roomId, what, heard, stop });
      const onMessage = (id: string): void => {
        heard.push(id);
        this.news.emit("heard");
      };
      return { userId: next.next().value!, onMessage, join };
    };
    for (let i = 0; i < POLLERS; i++) {
      const { join, ...one } = listen("poll");
      const onStatus = (status: string) => void this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
      const poller = new Poller({ url, ...one, onStatus });
      this.#following.push(poller.run());
      join(() => poller.stop());
    }
    for (const way of READERS) {
      const { join, ...one } = listen(way);
      const reader = new Reader({ way, urls: [url], silenceMs: PATIENCE_MS, ...one });
      this.#readers.push(reader);
      await reader.start();
      join(() => reader.stop());
    }
    for (let i = 0; i < CLIENTS_IN_A_ROOM; i++) {
      const transport = CLIENTS[this.#clients.length % CLIENTS.length]!;
      const { userId, onMessage, join } = listen(`client over ${transport}`);
      const client = new ParleyClient({ url, auth: { userId } });
      this.#clients.push({ client, roomId });
      const { headers } = await ask(`${url}/v1/rooms`, { as: userId, withinMs: 10_000 });
      this.#following.push(this.#follow(client, { transport, from: String(headers["stream-next-offset"]) }, onMessage));
      join(() => client.close());
    }
  }

  async #follow(client: ParleyClient, options: EventsOptions, onMessage: (id: string) => void): Promise<void> {
    try {
      for await (const event of client.events(options)) {
        if (event.type === "message.created") onMessage(event.data.id);
        if (event.type === "resync") this.errors.push("a client was told to load its snapshots again");
      }
    } catch (error) {
      this.errors.push(error);
    }
  }

  async #sendNowAndThen(client: ParleyClient, roomId: number): Promise<void> {
    while (!this.#silent) {
      const { stored } = client.send({ room: roomId }, `client send ${++this.#clientSends}`);
      await Promise.all([stored, sleep(CLIENT_SENDS_EVERY_MS)]).catch((error) => this.errors.push(error));
    }
  }

  async #sayGoodbye(roomId: number, as: number): Promise<void> {
    const headers = { prefer: "wait=10", "idempotency-key": GOODBYE };
    const question = { method: "POST", as, body: { text: GOODBYE }, headers, withinMs: 15_000 };
    const { status } = await ask(`${this.#url}/v1/rooms/${roomId}/messages`, question);
    if (status !== 201) throw new Error(`the last word was answered ${status}`);
  }
}

type Join = (stop: () => unknown) => void;

interface Room {
  readonly roomId: number;
  /** The first only speaks. */
  readonly userIds: readonly number[];
}

const PEOPLE = 1 + POLLERS + READERS.length + CLIENTS_IN_A_ROOM;

async function makeRooms(database: pg.Client): Promise<{ rooms: readonly Room[]; senderIds: readonly number[] }> {
  const all = (await makeGroup(database, SENDERS + ROOMS * PEOPLE)).userIds;
  const senderIds = all.splice(0, SENDERS);
  const rooms: Room[] = [];
  while (rooms.length < ROOMS) {
    const userIds = all.splice(0, PEOPLE);
    rooms.push({ userIds, roomId: await makeGroupOf(database, [...userIds, ...senderIds]) });
  }
  return { rooms, senderIds };
}
