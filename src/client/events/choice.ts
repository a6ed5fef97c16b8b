import { type Patience, TimeUp } from "../patience.ts";
import type { Problem } from "../problem.ts";
import { type Transport, transports, Unsuitable } from "./line.ts";

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
    if (Date.now() >= this.#giveWayAt) this.#begin();
  }

  /** Never came to be: the next one if that is the fault of the way, the best again if it is the server's. */
  failed(problem: Problem): void {
    if (this.#isToBlame(problem)) this.#fallBack();
    else this.#begin();
  }

  /** Why a socket did not open nobody is told: the next one will tell. */
  #isToBlame(problem: Problem): boolean {
    if (this.transport === "websocket") return problem.code === "unreachable" || !problem.isPassing;
    return problem.cause instanceof TimeUp || problem.cause instanceof Unsuitable;
  }

  #fallBack(): void {
    const isFirst = this.#index === 0;
    if (++this.#index === this.#candidates.length) this.#begin();
    else if (isFirst) {
      this.#giveWayAt = Date.now() + this.#betterAfterMs;
      this.#betterAfterMs = Math.min(BETTER_AFTER_MOST_MS, this.#betterAfterMs * 2);
    }
  }

  #begin(): void {
    this.#index = 0;
    this.#giveWayAt = Number.POSITIVE_INFINITY;
  }
}
