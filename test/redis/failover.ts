import { expect } from "chai";
import { demoSettings, type Settings, type Started, startApi, startWorkerProcess } from "../processes.ts";
import { freshDatabase } from "../services.ts";
import { reachReplica, type Server } from "./servers.ts";
import { Talk } from "./talk.ts";

const GROUPS = 3;

export interface System {
  readonly worker: Started;
  /** People who write and read from now on. */
  talk(): Promise<Talk>;
  end(): Promise<void>;
}

/** Two APIs and a worker, as processes of their own. */
export async function startSystem(redisUrl: string, more: Settings = {}): Promise<System> {
  const database = await freshDatabase();
  const settings = demoSettings(database.url, {
    REDIS_URL: redisUrl,
    // Counted as in production, and never reached.
    RATE_LIMITS: "on",
    RATE_SENDS: "1000000",
    RATE_READS: "1000000",
    ...more,
  });
  const [one, two, worker] = await Promise.all([startApi(settings), startApi(settings), startWorkerProcess(settings)]);
  const end = async () => {
    await Promise.all([one.end(), two.end(), worker.end()]);
    await database.drop();
  };
  return { worker, talk: () => Talk.begin([one, two], GROUPS), end };
}

export interface Failover {
  /** Accepted, and on a replica, before the master was gone. */
  readonly safe: number;
  /** Accepted after that, and gone with the master. */
  readonly lost: number;
  /** From its end until a send was accepted again, */
  readonly refusedForMs: number;
  /** and until one of those that were accepted since was delivered: the worker takes jobs again. */
  readonly resumedAfterMs: number;
  /** The longest that anybody waited for the answer to a send. */
  readonly slowestMs: number;
}

interface Fault {
  readonly master: Server;
  /** One that is on this master. */
  readonly key: string;
  takeAway(): Promise<unknown>;
}

/** Answers that were under way when it happened have come. */
const SETTLED_MS = 200;

/** The master goes away while people talk, with jobs that wait in it; says what became of it all. */
export async function failOver({ talk: begin, worker }: System, { master, key, takeAway }: Fault): Promise<Failover> {
  const talk = await begin();
  await talk.accepts(5);
  // So that the queue is not empty when it happens.
  worker.signal("SIGSTOP");
  await talk.accepts(8);
  const safe = talk.accepted;
  await reachReplica(master, key);
  const goneAt = performance.now();
  const pollsThen = talk.readers.map(({ polls }) => polls);
  worker.signal("SIGCONT");
  await takeAway();

  await talk.accepts(10);
  for (const [i, { polls }] of talk.readers.entries()) expect(polls).to.be.greaterThan(pollsThen[i]!);
  const lost = await talk.stop();
  const gone = new Set(lost.map(({ text }) => text));
  expect(safe.filter(({ text }) => gone.has(text))).to.deep.equal([]);
  await talk.expectStoredInOrder(lost);
  const { acceptedAt, deliveredAt } = talk.firstAfter(goneAt + SETTLED_MS);
  return {
    safe: safe.length,
    lost: lost.length,
    refusedForMs: acceptedAt - goneAt,
    resumedAfterMs: deliveredAt - goneAt,
    slowestMs: talk.slowestMs,
  };
}

/** The figures are a part of what these tests are for. */
export function tell(what: string, { safe, lost, ...times }: Failover): void {
  const told = Object.entries(times).map(([name, ms]) => `${name} ${Math.round(ms)}`);
  console.log(`      ${what}: ${safe} safe, ${lost} lost, ${told.join(", ")}`);
}
