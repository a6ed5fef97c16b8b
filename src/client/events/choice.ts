import type { Patience } from "../patience.ts";
import type { Problem } from "../problem.ts";
import { type Transport, transports } from "./line.ts";

/** Whoever stays away from the best this long tries it seldom. */
const BETTER_AFTER_MOST_MS = 10 * 60_000;

/** Which transport is next: the best that works here, and now and then a try whether a better one does again. */
export class Choice {
  readonly #candidates: readonly Transport[];
  readonly #patience: Patience;
  #index = 0;
  #betterAfterMs: number;
  #giveWayAt = Number.POSITIVE_INFINITY;

  constructor(forced: Transport | undefined, hasWebSocket: boolean, patience: Patience) {
    const all = transports.filter((transport) => transport !== "websocket" || hasWebSocket);
    this.#candidates = forced ? [forced] : all;
    this.#patience = patience;
    this.#betterAfterMs = patience.betterAfterMs;
  }

  get transport(): Transport {
    return this.#candidates[this.#index]!;
  }

  get giveWayAt(): number {
    return this.#giveWayAt;
  }

  /** It has carried something, or held for a while. */
  worked(): void {
    if (this.#index === 0) this.#betterAfterMs = this.#patience.betterAfterMs;
  }

  /** Ended in good order: time for a better one, perhaps. */
  ended(): void {
    if (Date.now() < this.#giveWayAt) return;
    this.#index = 0;
    this.#giveWayAt = Number.POSITIVE_INFINITY;
  }

  /** Never came to be. Where something answered, it is not the transport's fault; a socket can't tell. */
  failed(problem: Problem): void {
    const answered = problem.code !== "unreachable" && problem.isPassing;
    if (answered || this.#candidates.length === 1) return;
    this.#index = (this.#index + 1) % this.#candidates.length;
    if (this.#index === 0) {
      this.#giveWayAt = Number.POSITIVE_INFINITY;
    } else if (this.#index === 1) {
      this.#giveWayAt = Date.now() + this.#betterAfterMs;
      this.#betterAfterMs = Math.min(BETTER_AFTER_MOST_MS, this.#betterAfterMs * 2);
    }
  }
}
