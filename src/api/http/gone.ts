import type { ServerResponse } from "node:http";

/**
 * Tells those who wait that nobody waits for them any more: the connection closed before the answer was out, or the
 * session ended. Most requests wait for nothing, so that it is made ready for the first who asks.
 */
export class Gone {
  readonly #response: ServerResponse;
  #controller: AbortController | undefined;
  #aborted = false;
  #reason: unknown;

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  get signal(): AbortSignal {
    this.#controller ??= this.#watch();
    return this.#controller.signal;
  }

  get reason(): unknown {
    return this.#reason;
  }

  /** The first reason is the one that counts. */
  abort(reason?: unknown): void {
    if (this.#aborted) return;
    this.#aborted = true;
    this.#reason = reason;
    this.#controller?.abort(reason);
  }

  #watch(): AbortController {
    const controller = new AbortController();
    if (this.#aborted) controller.abort(this.#reason);
    const closed = (): void => {
      if (!this.#response.writableFinished) this.abort();
    };
    if (this.#response.closed) closed();
    else this.#response.once("close", closed);
    return controller;
  }
}
