import { setTimeout as sleep } from "node:timers/promises";
import { type Answered, ask } from "./ask.ts";

/** A send that was answered with 202: the sender's `turn`-th, and the id it will be stored under. */
export interface Accepted {
  readonly id: string;
  readonly senderId: number;
  readonly turn: number;
}

export interface SendersOptions {
  /** The APIs: each send goes to one of them, and to the next one when that does not take it. */
  readonly urls: readonly string[];
  readonly senderIds: readonly number[];
  readonly roomIds: readonly number[];
  /** Of all senders together. */
  readonly perSecond: number;
  /** How often each of them sends. */
  readonly turns: number;
  /** With a key, which a sender needs who may have to send again. */
  readonly keyed?: boolean;
  /** A send that hangs is given up after this, and tried elsewhere. */
  readonly patienceMs?: number;
  onAccepted(accepted: Accepted): void;
  /** Held against what the API says of itself. */
  readonly check?: ((method: string, path: string, status: number, body: unknown) => void) | undefined;
}

const PATIENCE_MS = 4_000;
const PAUSE_MS = 250;

/** No two sends say the same. */
const textOf = (senderId: number, turn: number): string => `turn ${turn} of ${senderId}`;
export const turnOf = (text: string): number => Number(text.split(" ")[1]);
const keyOf = (senderId: number, turn: number): string => `${senderId}-${turn}`;

/**
 * Clients at a steady rate. Each sends one message after another, the next when the one before was accepted, and the
 * same one with the same key until it is. Who was held up makes good for it.
 */
export class Senders {
  /** What else was answered, by code, and how often. */
  readonly refusals = new Map<string, number>();
  /** The longest that anybody waited to be refused. */
  slowestRefusalMs = 0;
  readonly #options: SendersOptions;
  #stopped = false;

  constructor(options: SendersOptions) {
    this.#options = options;
  }

  /** Until everybody has had all their turns. */
  async run(): Promise<void> {
    await Promise.all(this.#options.senderIds.map((senderId, i) => this.#runOne(senderId, i)));
  }

  stop(): void {
    this.#stopped = true;
  }

  async #runOne(senderId: number, index: number): Promise<void> {
    const { senderIds, perSecond, turns, onAccepted } = this.#options;
    const everyMs = (senderIds.length / perSecond) * 1_000;
    let due = performance.now() + (index / perSecond) * 1_000;
    for (let turn = 0; turn < turns && !this.#stopped; turn++) {
      const early = due - performance.now();
      if (early > 0) await sleep(early);
      due += everyMs;
      const id = await this.#untilAccepted(senderId, turn, index);
      if (id !== undefined) onAccepted({ id, senderId, turn });
    }
  }

  async #untilAccepted(senderId: number, turn: number, index: number): Promise<string | undefined> {
    const { urls, roomIds } = this.#options;
    const path = `/v1/rooms/${roomIds[(index + turn) % roomIds.length]}/messages`;
    for (let attempt = 0; !this.#stopped; attempt++) {
      const answer = await this.#send(urls[(index + turn + attempt) % urls.length]!, path, senderId, turn);
      if (answer?.status === 202) return answer.body.message_id;
      if (answer && answer.status < 500) throw new Error(`${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
      const reason = answer ? `${answer.status} ${answer.body.code}` : "no answer";
      this.refusals.set(reason, (this.refusals.get(reason) ?? 0) + 1);
      await sleep(PAUSE_MS * (0.5 + Math.random()));
    }
    return undefined;
  }

  /** Undefined where there was no answer. */
  async #send(url: string, path: string, senderId: number, turn: number): Promise<Answered | undefined> {
    const { keyed = true, patienceMs = PATIENCE_MS } = this.#options;
    const askedAt = performance.now();
    const answer = await ask(url + path, {
      method: "POST",
      as: senderId,
      body: { text: textOf(senderId, turn) },
      headers: keyed ? { "idempotency-key": keyOf(senderId, turn) } : {},
      withinMs: patienceMs,
    }).catch(() => undefined);
    if (!answer) return undefined;
    if (answer.status !== 202) this.slowestRefusalMs = Math.max(this.slowestRefusalMs, performance.now() - askedAt);
    this.#options.check?.("POST", path, answer.status, answer.body);
    return answer;
  }
}
