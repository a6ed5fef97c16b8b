import { setTimeout as sleep } from "node:timers/promises";
import { ask } from "../../../bench/load/ask.ts";
import { Reader, ways } from "../../../bench/load/readers.ts";
import { type Accepted, Senders } from "../../../bench/load/senders.ts";
import { makeGroup, makeGroupOf } from "../../../bench/people.ts";
import { checkContract } from "../../contract.ts";
import { closeBooks, countEnded, repeated } from "./books.ts";
import { chance } from "./chance.ts";
import type { Fault } from "./faults.ts";
import type { Servers } from "./servers.ts";
import { type Carrier, Stage } from "./stage.ts";
import { Stall } from "./stall.ts";

export interface TrialOptions {
  readonly servers: Servers;
  readonly fault: Fault;
  readonly carrier: Carrier;
  /** Decides when the fault strikes, and whom. */
  readonly seed: number;
  /** Of all senders together. */
  readonly sends: number;
  /** How much of the work is done, from 0 to 1. */
  progress?(done: number): void;
}

export interface Verdict {
  readonly name: string;
  readonly what: string;
  readonly accepted: number;
  readonly stored: number;
  /** Accepted and neither stored nor failed, or stored and never come to a reader. */
  readonly lost: number;
  /** Stored more than once, or come to a reader more than once. */
  readonly duplicated: number;
  /** Before an earlier one of the same sender in the history. */
  readonly outOfOrder: number;
  /** The longest time in which nobody's send was accepted, or nothing came to any reader, while there was something to. */
  readonly stallMs: { readonly accepting: number; readonly delivering: number };
  /** From the end of the fault until every process was ready. */
  readonly readyMs: number;
  /** What else sends were answered, and how often. */
  readonly refusals: ReadonlyMap<string, number>;
  /** Each promise that was not kept, in words. */
  readonly broken: readonly string[];
}

const SENDERS = 20;
const ROOMS = 3;
const PER_SECOND = 300;
/** All must be ready again within this. */
const READY_MS = 15_000;
/** Longer than anything takes that works. */
const PATIENCE_MS = 45_000;

export const nameOf = ({ name }: Fault, carrier: Carrier): string =>
  carrier === "redis" ? name : `${name}, without Redis`;

/** One fault, from an empty system to the verdict. */
export async function runTrial(options: TrialOptions): Promise<Verdict> {
  const { servers, fault, carrier } = options;
  const stage = await Stage.set({ servers, carrier, relayed: fault.relayed ?? false });
  try {
    return await new Trial(stage, options).run();
  } finally {
    await stage.clear();
  }
}

class Trial {
  readonly #stage: Stage;
  readonly #options: TrialOptions;
  readonly #accepted: Accepted[] = [];
  readonly #accepting = new Stall();
  readonly #delivering = new Stall();
  readonly #arrived = new Map<Reader, string[]>();
  readonly #broken = new Set<string>();

  constructor(stage: Stage, options: TrialOptions) {
    this.#stage = stage;
    this.#options = options;
  }

  async run(): Promise<Verdict> {
    const { fault, seed, sends, carrier } = this.#options;
    const draw = chance(seed, nameOf(fault, carrier));
    const strikeAfter = Math.floor(sends * (0.1 + 0.4 * draw()));
    const senders = await this.#prepare();
    this.#accepting.start();
    this.#delivering.start();
    const sent = senders.run().finally(() => this.#accepting.stop());
    const [readyMs] = await Promise.all([this.#strikeAfter(strikeAfter, draw), sent]);
    await this.#untilAllEnded();
    await this.#untilAllArrived();
    this.#delivering.stop();
    await this.#expectKnownTasks();
    await Promise.all([...this.#arrived.keys()].map((reader) => reader.stop()));
    return this.#verdict(senders, readyMs);
  }

  async #prepare(): Promise<Senders> {
    const { sends, progress } = this.#options;
    const { urls } = this.#stage;
    const readerWays = [...ways, "long-poll", "unseen"] as const;
    const { roomIds, userIds } = await this.#makeRooms(SENDERS + readerWays.length);
    for (const [i, way] of readerWays.entries()) {
      const came: string[] = [];
      const onMessage = (id: string): void => {
        came.push(id);
        this.#delivering.tick();
      };
      const reader = new Reader({ way, urls, onMessage, check: this.#check, userId: userIds[SENDERS + i]! });
      this.#arrived.set(reader, came);
    }
    await Promise.all([...this.#arrived.keys()].map((reader) => reader.start()));
    return new Senders({
      urls,
      roomIds,
      senderIds: userIds.slice(0, SENDERS),
      perSecond: PER_SECOND,
      turns: Math.ceil(sends / SENDERS),
      check: this.#check,
      onAccepted: (accepted) => {
        this.#accepted.push(accepted);
        this.#accepting.tick();
        progress?.(this.#accepted.length / sends);
      },
    });
  }

  #makeRooms(people: number) {
    return this.#stage.withDatabase(async (client) => {
      const { roomId, userIds } = await makeGroup(client, people);
      const roomIds = [roomId];
      while (roomIds.length < ROOMS) roomIds.push(await makeGroupOf(client, userIds));
      return { roomIds, userIds };
    });
  }

  /** Comes back with how long it took after the fault until everything was ready. */
  async #strikeAfter(sends: number, draw: () => number): Promise<number> {
    while (this.#accepted.length < sends) await sleep(5);
    await this.#options.fault.strike(this.#stage, draw);
    const overAt = performance.now();
    const isReady = await inTime(READY_MS, () => this.#allReady());
    if (!isReady) this.#broken.add(`not everything was ready ${READY_MS / 1_000} s after the fault`);
    return performance.now() - overAt;
  }

  async #allReady(): Promise<boolean> {
    const answers = this.#stage.urls.map((url) => ask(`${url}/readyz`, { withinMs: 5_000 }).catch(() => undefined));
    return (await Promise.all(answers)).every((answer) => answer?.status === 200);
  }

  async #untilAllEnded(): Promise<void> {
    const ids = this.#accepted.map(({ id }) => id);
    await inTime(PATIENCE_MS, async () => (await countEnded(this.#stage, ids)) === ids.length);
  }

  async #untilAllArrived(): Promise<void> {
    const { stored } = await closeBooks(this.#stage, this.#accepted);
    await inTime(PATIENCE_MS, async () =>
      [...this.#arrived.values()].every((came) => new Set(came).size >= stored.length),
    );
  }

  /** Every 202 can be followed to its end, by its sender. */
  async #expectKnownTasks(): Promise<void> {
    const waiting = [...this.#accepted];
    const { urls } = this.#stage;
    const follow = async (): Promise<void> => {
      for (let one = waiting.pop(); one; one = waiting.pop()) {
        const path = `/v1/tasks/${one.id}?wait=10`;
        const answer = await ask(urls[one.turn % urls.length]! + path, { as: one.senderId, withinMs: 20_000 });
        this.#check("GET", path, answer.status, answer.body);
        const { state, code } = answer.body;
        if (state !== "done" && state !== "failed") this.#broken.add(`a task ends ${state ?? code}`);
      }
    };
    await Promise.all(Array.from({ length: SENDERS }, follow));
  }

  async #verdict({ refusals, slowestRefusalMs }: Senders, readyMs: number): Promise<Verdict> {
    const { fault, carrier } = this.#options;
    const books = await closeBooks(this.#stage, this.#accepted);
    const { missed, again } = this.#compareArrivals(books.stored);
    if (repeated(this.#accepted.map(({ id }) => id)).length > 0) this.#broken.add("two sends were given one id");
    if (slowestRefusalMs > (fault.refusesWithinMs ?? Number.POSITIVE_INFINITY))
      this.#broken.add(`a send was refused after ${(slowestRefusalMs / 1_000).toFixed(1)} s`);
    return {
      name: nameOf(fault, carrier),
      what: fault.what,
      accepted: this.#accepted.length,
      stored: books.stored.length,
      lost: books.lost.length + missed,
      duplicated: books.duplicated.length + again,
      outOfOrder: books.outOfOrder.length,
      stallMs: { accepting: this.#accepting.longestMs, delivering: this.#delivering.longestMs },
      readyMs,
      refusals,
      broken: [...this.#broken, ...books.broken],
    };
  }

  #compareArrivals(stored: readonly string[]): { missed: number; again: number } {
    let missed = 0;
    let again = 0;
    for (const [{ way, lastError }, came] of this.#arrived) {
      const missing = new Set(stored).difference(new Set(came)).size;
      const twice = repeated(came).length;
      if (missing > 0) this.#broken.add(`a reader over ${way} misses ${missing} (it last met: ${lastError})`);
      if (twice > 0) this.#broken.add(`a reader over ${way} was given ${twice} twice`);
      missed += missing;
      again += twice;
    }
    return { missed, again };
  }

  /** Whoever meets a wrong answer goes on; the verdict tells. */
  readonly #check = (method: string, path: string, status: number, body: unknown): void => {
    if (status === 500) this.#broken.add(`${method} ${path.split("?")[0]} was answered 500`);
    try {
      checkContract(method, path, status, body);
    } catch (error) {
      this.#broken.add(String(error));
    }
  };
}

/** What a verdict has against the product; nothing, if all is well. */
export const complaints = ({ lost, duplicated, outOfOrder, broken }: Verdict): string[] => [
  ...(lost > 0 ? [`${lost} lost`] : []),
  ...(duplicated > 0 ? [`${duplicated} duplicated`] : []),
  ...(outOfOrder > 0 ? [`${outOfOrder} out of order`] : []),
  ...broken,
];

async function inTime(ms: number, isSo: () => Promise<boolean>): Promise<boolean> {
  for (const until = performance.now() + ms; performance.now() < until; await sleep(50)) if (await isSo()) return true;
  return false;
}
