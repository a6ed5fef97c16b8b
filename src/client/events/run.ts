import type { Door } from "../door.ts";
import type { ClientEvent, Entry } from "../entries.ts";
import { backOffMs, type Patience } from "../patience.ts";
import { Problem, unreachable } from "../problem.ts";
import { randomId } from "../random-id.ts";
import { isSignOut } from "../sessions.ts";
import { Choice } from "./choice.ts";
import type { Heard, Line, Transport } from "./line.ts";
import { longPollLine } from "./long-poll.ts";
import { pauseOrOnline } from "./online.ts";
import { Queue } from "./queue.ts";
import { sseLine } from "./sse.ts";
import { webSocketLine } from "./websocket.ts";

export interface ConnectionStatus {
  readonly transport: Transport;
  readonly state: "connecting" | "live" | "waiting";
  /** How many tries have failed in a row. */
  readonly attempt: number;
  readonly since: Date;
  /** When the next try is, while waiting. */
  readonly retryAt?: Date;
  readonly lastProblem?: Problem;
}

export interface EventsOptions {
  /** The `nextOffset` of a snapshot, or the `offset` of the last event that you have kept; "now" if not said. */
  readonly from?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** This one and no other. */
  readonly transport?: Transport | undefined;
  readonly onStatus?: ((status: ConnectionStatus) => void) | undefined;
}

export interface RunDeps {
  readonly door: Door;
  readonly patience: Patience;
  readonly WebSocket: typeof globalThis.WebSocket | undefined;
  /** Told of every entry as it comes, and how many runs are live. */
  readonly witness: { tell(entry: Entry): void; live(change: 1 | -1): void };
  /** Aborted with the client. */
  readonly closed: AbortSignal;
}

const lines: Record<Transport, Line> = { websocket: webSocketLine, sse: sseLine, "long-poll": longPollLine };

/** What a reader may be behind before no more is asked for. */
const MOST_WAITING = 1_000;
/** A connection that held this long was a good one, whatever came of it. */
const STEADY_MS = 5_000;

/** One reading of the feed: connections come and go, the reader sees none of it. */
export class Run implements AsyncIterator<ClientEvent, undefined> {
  readonly #deps: RunDeps;
  readonly #options: EventsOptions;
  readonly #choice: Choice;
  readonly #events = new Queue<ClientEvent>();
  readonly #stop = new AbortController();
  readonly #device = randomId();
  #offset: string;
  #attempt = 0;
  #isLive = false;
  #lastProblem: Problem | undefined;
  #started = false;
  #hasMissed = false;

  constructor(options: EventsOptions, deps: RunDeps) {
    this.#deps = deps;
    this.#options = options;
    this.#offset = options.from ?? "now";
    this.#choice = new Choice(options.transport, deps.WebSocket !== undefined, deps.patience);
  }

  next(): Promise<IteratorResult<ClientEvent, undefined>> {
    if (!this.#started) void this.#start();
    this.#started = true;
    return this.#events.take();
  }

  async return(): Promise<IteratorResult<ClientEvent, undefined>> {
    this.#stop.abort();
    this.#events.drop();
    return { done: true, value: undefined };
  }

  async #start(): Promise<void> {
    const { sessions } = this.#deps.door;
    try {
      this.#obey(this.#options.signal, () => void this.return());
      this.#obey(this.#deps.closed, () => void this.return());
      await sessions.fresh().catch((error: unknown) => {
        if (!(error instanceof Problem && error.isPassing)) throw error;
      });
      this.#obey(sessions.life, ({ reason }) => this.#end(isSignOut(reason) ? undefined : reason));
      while (!this.#stop.signal.aborted) await this.#connect();
    } catch (error) {
      this.#end(error);
    }
  }

  #obey(signal: AbortSignal | undefined, work: (signal: AbortSignal) => void): void {
    if (!signal || this.#stop.signal.aborted) return;
    if (signal.aborted) work(signal);
    else signal.addEventListener("abort", () => work(signal), { signal: this.#stop.signal });
  }

  /** What has come is still read, and then the error. */
  #end(error: unknown): void {
    if (this.#stop.signal.aborted) return;
    this.#stop.abort();
    this.#events.end(error);
  }

  async #connect(): Promise<void> {
    let startedAt = Date.now();
    let carried = false;
    try {
      this.#tell("connecting");
      if (this.#offset === "now") await this.#findHead();
      const open = lines[this.#choice.transport];
      startedAt = Date.now();
      for await (const heard of open(this.#offset, this.#lineOptions())) {
        this.#goLive();
        carried = this.#hear(heard) || carried;
        await this.#events.below(MOST_WAITING);
      }
      this.#goDark();
      this.#choice.ended();
    } catch (error) {
      const worked = this.#isLive && (carried || Date.now() - startedAt > STEADY_MS);
      this.#goDark();
      if (this.#stop.signal.aborted) return;
      await this.#recover(error, worked);
    }
  }

  #lineOptions() {
    const { door, patience, WebSocket } = this.#deps;
    const { giveWayAt } = this.#choice;
    return { door, patience, WebSocket, signal: this.#stop.signal, device: this.#device, giveWayAt };
  }

  async #recover(error: unknown, worked: boolean): Promise<void> {
    const problem = error instanceof Problem ? error : unreachable("What came can't be read", { cause: error });
    this.#lastProblem = problem;
    if (worked) {
      this.#attempt = 0;
      this.#choice.worked();
    }
    if (problem.code === "offset_gone") {
      this.#offset = "now";
      this.#hasMissed = true;
    } else if (!worked) {
      if (isFinal(problem) && !this.#mayTryOther(problem)) throw problem;
      this.#choice.failed(problem);
    }
    this.#attempt++;
    const ms = backOffMs(this.#attempt, problem.retryAfterMs, this.#deps.patience);
    this.#tell("waiting", new Date(Date.now() + ms));
    await pauseOrOnline(ms, this.#stop.signal).catch(() => {});
  }

  #mayTryOther({ status }: Problem): boolean {
    return status !== 401 && this.#choice.transport === "websocket" && this.#options.transport === undefined;
  }

  /**
   * Where the log ends, before anything else: what comes from here on is not missed, however often the connection
   * breaks. After a gap it is told before any snapshot is taken, so that what that does not hold comes behind it.
   */
  async #findHead(): Promise<void> {
    const query = { offset: "now" };
    const { headers } = await this.#deps.door.ask("GET", "/v1/events", { query, signal: this.#stop.signal });
    const offset = headers.get("stream-next-offset");
    if (offset === null) throw unreachable("The answer says not from where to go on");
    this.#offset = offset;
    if (this.#hasMissed) this.#events.push({ type: "resync", offset });
    this.#hasMissed = false;
  }

  /** @returns whether it was anything new. */
  #hear({ entries = [], ephemeral, offset }: Heard): boolean {
    let isNew = false;
    for (const entry of entries) {
      if (entry.offset <= this.#offset) continue; // it came before the connection broke
      this.#offset = entry.offset;
      this.#deps.witness.tell(entry);
      this.#events.push(entry);
      isNew = true;
    }
    if (ephemeral) this.#events.push(ephemeral);
    if (offset !== undefined && offset > this.#offset) this.#offset = offset;
    return isNew;
  }

  #goLive(): void {
    if (this.#isLive) return;
    this.#isLive = true;
    this.#deps.witness.live(1);
    this.#tell("live");
  }

  #goDark(): void {
    if (this.#isLive) this.#deps.witness.live(-1);
    this.#isLive = false;
  }

  #tell(state: ConnectionStatus["state"], retryAt?: Date): void {
    this.#options.onStatus?.({
      transport: this.#choice.transport,
      state,
      attempt: this.#attempt,
      since: new Date(),
      ...(retryAt && { retryAt }),
      ...(this.#lastProblem && { lastProblem: this.#lastProblem }),
    });
  }
}

/** To ask again would not help. */
const isFinal = (problem: Problem): boolean => !problem.isPassing;
