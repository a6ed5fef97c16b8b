import { setTimeout as sleep } from "node:timers/promises";
import { type Answered, ask } from "../../../bench/load/ask.ts";

export interface PollerOptions {
  readonly url: string;
  readonly userId: number;
  onMessage(id: string): void;
  /** What was answered, each time; `no answer` where the connection broke. */
  onStatus(status: string): void;
}

/** The last word in a room: who hears it goes. */
export const GOODBYE = "goodbye";

const WAIT_S = 20;
const TRY_AGAIN = new Set([502, 503, 504]);

/** What `curl --retry` in a loop would be: it polls, acknowledges with the next poll, and knows nothing else. */
export class Poller {
  readonly #options: PollerOptions;
  #ack = "";
  #stopped = false;

  constructor(options: PollerOptions) {
    this.#options = options;
  }

  stop(): void {
    this.#stopped = true;
  }

  async run(): Promise<void> {
    const { url, userId, onMessage, onStatus } = this.#options;
    while (!this.#stopped) {
      const path = `/v1/messages/unseen?wait=${WAIT_S}&ack=${this.#ack}`;
      const answer = await ask(url + path, { as: userId, withinMs: 60_000 }).catch(() => undefined);
      onStatus(answer ? String(answer.status) : "no answer");
      if (answer?.status === 200) {
        for (const { id, text } of answer.body.messages) {
          onMessage(id);
          this.#stopped ||= text === GOODBYE;
        }
        this.#ack = answer.body.ack;
      } else if (!answer || TRY_AGAIN.has(answer.status)) {
        await sleep(secondsOf(answer) * 1_000);
      } else {
        throw new Error(`${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
      }
    }
  }
}

const secondsOf = (answer: Answered | undefined): number => Number(answer?.headers["retry-after"] ?? 1);
