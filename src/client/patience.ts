/** How long the client waits for what, in milliseconds. */
export interface Patience {
  /** For an answer, beyond what the server was asked to wait. */
  readonly requestMs: number;
  /** For a socket to open, or a stream to say its first word. */
  readonly connectMs: number;
  /** For a sign of life on an open connection; longer than this it is taken for dead. */
  readonly silenceMs: number;
  /** How long one long poll lasts. */
  readonly pollMs: number;
  /** After a failure: by chance up to this long, then up to twice as long, … */
  readonly backOffFirstMs: number;
  readonly backOffMostMs: number;
  /** On a transport that is not the best one: when the best is tried again. Twice as long each time that it fails. */
  readonly betterAfterMs: number;
}

export const patience: Patience = {
  requestMs: 15_000,
  connectMs: 10_000,
  silenceMs: 35_000,
  pollMs: 25_000,
  backOffFirstMs: 500,
  backOffMostMs: 30_000,
  betterAfterMs: 15_000,
};

/** By chance, so that clients that failed together come back apart; never before the server asks for. */
export function backOffMs(attempt: number, retryAfterMs: number | undefined, patience: Patience): number {
  const { backOffFirstMs, backOffMostMs } = patience;
  const most = Math.min(backOffMostMs, backOffFirstMs * 2 ** Math.min(attempt - 1, 30));
  return (retryAfterMs ?? 0) + Math.random() * most;
}

/** Rejects with the signal's reason if that comes first. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      if (signal.aborted) reject(signal.reason);
      else resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
  });
}

/** Aborts when the time is up or when its parents do, whichever comes first; `release` lets go of all of them. */
export class Deadline {
  readonly #controller = new AbortController();
  readonly #parents: readonly AbortSignal[];
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #follow = (event: Event): void => this.#controller.abort((event.target as AbortSignal).reason);

  /** Without a time only its parents abort it. */
  constructor(ms: number | undefined, ...parents: (AbortSignal | undefined)[]) {
    this.#parents = parents.filter((parent) => parent !== undefined);
    for (const parent of this.#parents) {
      if (parent.aborted) this.#controller.abort(parent.reason);
      else parent.addEventListener("abort", this.#follow);
    }
    if (ms !== undefined && !this.signal.aborted) this.extend(ms);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The time begins anew. */
  extend(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#controller.abort(new TimeUp(ms)), ms);
  }

  abort(): void {
    this.#controller.abort();
  }

  /** The time stands still until it is extended. */
  hold(): void {
    clearTimeout(this.#timer);
  }

  release(): void {
    clearTimeout(this.#timer);
    for (const parent of this.#parents) parent.removeEventListener("abort", this.#follow);
  }
}

export class TimeUp extends Error {
  constructor(ms: number) {
    super(`Nothing came for ${ms / 1_000} s`);
  }
}
