import type { ServerResponse } from "node:http";

/**
 * Whether nobody waits for an answer any more: its connection closed before the answer was out, or the session ended.
 * An `AbortSignal` in what it does, of a tenth of the weight: every parked read holds one.
 */
export class Gone {
  /** How long they have waited for something to come: that is their own wish, and no time of ours. */
  parkedMs = 0;
  /** When this process heard of what ended their wait. */
  wokenBy: number | undefined;
  readonly #response: ServerResponse | undefined;
  #listeners: Set<() => void> | undefined;
  #aborted = false;
  #reason: unknown;

  constructor(response?: ServerResponse) {
    this.#response = response;
  }

  get aborted(): boolean {
    return this.#aborted || (this.#response !== undefined && isCut(this.#response));
  }

  get reason(): unknown {
    return this.#reason;
  }

  /** The first reason is the one that counts. */
  abort(reason?: unknown): void {
    if (this.#aborted) return;
    this.#aborted = true;
    this.#reason = reason;
    for (const listener of [...(this.#listeners ?? [])]) listener();
  }

  /** Whoever asks too late is told as well. @returns how not to be told. */
  onAbort(listener: () => void): () => void {
    this.#listeners ??= this.#watch();
    this.#listeners.add(listener);
    if (this.aborted) queueMicrotask(() => this.#listeners?.delete(listener) && listener());
    return () => void this.#listeners?.delete(listener);
  }

  #watch(): Set<() => void> {
    const response = this.#response;
    response?.once("close", () => {
      if (isCut(response)) this.abort();
    });
    return new Set();
  }
}

const isCut = (response: ServerResponse): boolean => response.closed && !response.writableFinished;
