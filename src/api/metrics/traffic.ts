import type { Context } from "koa";
import type { Sample } from "../../shared/metrics/metrics.ts";
import { orMake } from "../../shared/metrics/or-make.ts";
import { Timings } from "../../shared/metrics/timings.ts";
import type { Gone } from "../http/gone.ts";
import type { Waits } from "../realtime/waits.ts";

/** Others are counted together: whoever asks chooses the word. */
const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);
/** What was asked for and is not there, and what is there without being a route: files, pages. */
const NO_ROUTE = "none";

/** Requests by route, and how long each took of our time: what a client chose to wait is left out. */
export class Traffic {
  readonly seconds = new Map<string, Timings>();
  /** By route, then by method, then by status: no text is made of them for each request. */
  readonly #requests = new Map<string, Map<string, Map<number, number>>>();
  readonly #waits: Waits;

  constructor(waits: Waits) {
    this.#waits = waits;
  }

  /** A request, when its answer is there; a stream when it begins. */
  answered({ method, status, state }: Context, ms: number): void {
    const { route = NO_ROUTE, gone } = state as { route?: string; gone?: Gone };
    this.count(method, route, status);
    this.took(route, ms - (gone?.parkedMs ?? 0));
    if (gone?.wokenBy !== undefined) this.#waits.woke(gone.wokenBy);
  }

  count(method: string, route: string | undefined, status: number): void {
    const methods = orMake(this.#requests, route ?? NO_ROUTE, () => new Map<string, Map<number, number>>());
    const statuses = orMake(methods, METHODS.has(method) ? method : "other", () => new Map<number, number>());
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
  }

  took(route: string, ms: number): void {
    orMake(this.seconds, route, () => new Timings()).observeMs(ms);
  }

  *samples(): Iterable<Sample> {
    for (const [route, methods] of this.#requests)
      for (const [method, statuses] of methods)
        for (const [status, count] of statuses) yield [{ method, route, status: String(status) }, count];
  }
}
