import { setTimeout as sleep } from "node:timers/promises";
import { ask } from "./ask.ts";
import { type FeedEntry, type Leg, poll, readSocket, readStream } from "./transports.ts";

export const ways = ["long-poll", "sse", "websocket", "unseen"] as const;
export type Way = (typeof ways)[number];

export interface ReaderOptions {
  readonly way: Way;
  readonly userId: number;
  /** The APIs: it reads from one of them, and from the next one when that one breaks off or falls silent. */
  readonly urls: readonly string[];
  /** Each message that came, as often as it came. */
  onMessage(id: string): void;
  /** Held against what the API says of itself. */
  readonly check?: Leg["check"];
  /** Where much is said, silence for this long means that one is cut off. */
  readonly silenceMs?: number;
}

const SILENCE_MS = 4_000;
const WAIT_S = 2;
const PAUSE_MS = 250;

/** Follows everything its user may read, over one way, from one cursor, whatever breaks. */
export class Reader {
  readonly way: Way;
  readonly userId: number;
  /** Why it last had to begin anew. */
  lastError: unknown;
  readonly #options: ReaderOptions;
  #offset = "now";
  #ack = "";
  #stopped = false;
  #leg = new AbortController();
  #heardAt = 0;
  #following: Promise<void> = Promise.resolve();

  constructor(options: ReaderOptions) {
    this.#options = options;
    this.way = options.way;
    this.userId = options.userId;
  }

  /** From here on nothing passes it by. */
  async start(): Promise<void> {
    const url = this.#options.urls[0]!;
    const snapshot = await ask(`${url}/v1/rooms`, { as: this.userId, withinMs: 10_000 });
    this.#offset = String(snapshot.headers["stream-next-offset"]);
    this.#following = this.#follow();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#leg.abort();
    await this.#following;
  }

  async #follow(): Promise<void> {
    const { urls, silenceMs = SILENCE_MS } = this.#options;
    for (let which = this.userId; !this.#stopped; ) {
      this.#leg = new AbortController();
      this.#heardAt = performance.now();
      const watch = setInterval(() => {
        if (performance.now() - this.#heardAt > silenceMs) this.#leg.abort();
      }, silenceMs / 4);
      try {
        await this.#read(urls[which % urls.length]!);
      } catch (error) {
        this.lastError = error;
        which++;
        if (!this.#stopped) await sleep(PAUSE_MS * (0.5 + Math.random()));
      } finally {
        clearInterval(watch);
      }
    }
  }

  async #read(url: string): Promise<void> {
    if (this.way === "unseen") return this.#readUnseen(url);
    const leg = this.#legAt(url);
    if (this.way === "sse") return readStream(leg);
    if (this.way === "websocket") return readSocket(leg);
    await poll(leg, `&live=long-poll&timeout=${WAIT_S}`);
  }

  async #readUnseen(url: string): Promise<void> {
    const path = `/v1/messages/unseen?wait=${WAIT_S}&ack=${this.#ack}`;
    const answer = await ask(url + path, { as: this.userId, withinMs: SILENCE_MS });
    this.#options.check?.("GET", path, answer.status, answer.body);
    if (answer.status !== 200) throw new Error(`unseen: ${answer.status}`);
    for (const { id } of answer.body.messages) this.#options.onMessage(id);
    this.#ack = answer.body.ack;
  }

  #legAt(url: string): Leg {
    return {
      url,
      signal: this.#leg.signal,
      check: this.#options.check,
      userId: this.userId,
      offset: this.#offset,
      take: (entries) => {
        for (const entry of entries) this.#take(entry);
      },
      goOnFrom: (offset) => {
        this.#heardAt = performance.now();
        this.#offset = offset;
      },
    };
  }

  #take({ offset, type, data }: FeedEntry): void {
    this.#heardAt = performance.now();
    this.#offset = offset;
    if (type === "message.created") this.#options.onMessage(data["id"]);
  }
}
