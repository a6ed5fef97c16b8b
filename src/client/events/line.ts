import type { Door } from "../door.ts";
import type { Entry, Ephemeral } from "../entries.ts";
import type { Patience } from "../patience.ts";

/** The best first. */
export const transports = ["websocket", "sse", "long-poll"] as const;
export type Transport = (typeof transports)[number];

/** What comes over a line: entries with what may be told beside them, and from where to go on. */
export interface Heard {
  readonly entries?: readonly Entry[];
  readonly ephemeral?: Ephemeral;
  readonly offset?: string | undefined;
}

export interface LineOptions {
  readonly door: Door;
  readonly patience: Patience;
  readonly signal: AbortSignal;
  readonly WebSocket: typeof globalThis.WebSocket | undefined;
  /** Of two polls of one device the newer wins. */
  readonly device: string;
  /** A line that could go on for ever ends at this time, so that a better one may be tried. */
  readonly giveWayAt: number;
}

/** As a cause: it is the way that does not work here, not the server. */
export class Unsuitable extends Error {}

/**
 * One connection, from an offset on. The first thing heard says that it is live. It ends when the server ends it in
 * good order, and throws a Problem when it breaks.
 */
export type Line = (from: string, options: LineOptions) => AsyncGenerator<Heard, void>;
