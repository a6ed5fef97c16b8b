import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { oneOf } from "./chance.ts";
import { type Carrier, OURS, type Stage } from "./stage.ts";

export interface Fault {
  readonly name: string;
  /** What is done, in a few words: the table says it. */
  readonly what: string;
  /** What carries the queue: with Postgres alone there is less to break. */
  readonly on: readonly Carrier[];
  readonly relayed?: boolean;
  /** Who cannot be served is told so within this. */
  readonly refusesWithinMs?: number;
  /** Comes back when the fault is over. `draw` is the chance that a seed repeats. */
  strike(stage: Stage, draw: () => number): Promise<void>;
}

/** Longer than a worker's lock on its jobs (4 s). */
const FREEZE_MS = 6_000;
const TROUBLE_MS = 3_000;
const RESTART_MS = 1_000;
/** What a stop may take. */
const DRAIN_MS = 10_000;
const HOUR_MS = 3_600_000;

const both = ["redis", "postgres"] as const;
const redisAlone = ["redis"] as const;

export const faults: readonly Fault[] = [
  {
    name: "worker killed",
    what: "kill -9 of one of two, started again at once",
    on: both,
    async strike({ workers }, draw) {
      const worker = oneOf(workers, draw);
      await worker.kill();
      await worker.start();
    },
  },
  {
    name: "all workers killed",
    what: "kill -9 of both at once, back after a second",
    on: redisAlone,
    async strike({ workers }) {
      await Promise.all(workers.map((worker) => worker.kill()));
      await sleep(RESTART_MS);
      await Promise.all(workers.map((worker) => worker.start()));
    },
  },
  {
    name: "worker frozen",
    what: "SIGSTOP for 6 s, longer than its locks last",
    on: redisAlone,
    async strike({ workers }, draw) {
      await during(oneOf(workers, draw).freeze(), FREEZE_MS);
    },
  },
  {
    name: "API killed",
    what: "kill -9 of one of two, started again at once",
    on: both,
    async strike({ apis }, draw) {
      const api = oneOf(apis, draw);
      await api.kill();
      await api.start();
    },
  },
  {
    name: "API frozen",
    what: "SIGSTOP for 6 s",
    on: redisAlone,
    async strike({ apis }, draw) {
      await during(oneOf(apis, draw).freeze(), FREEZE_MS);
    },
  },
  {
    name: "Redis killed",
    what: "kill -9, back on its append-only file after a second",
    on: redisAlone,
    refusesWithinMs: 2_000,
    async strike({ servers }) {
      await servers.killRedis();
      await sleep(RESTART_MS);
      await servers.bringRedis();
    },
  },
  {
    name: "Redis frozen",
    what: "SIGSTOP for 6 s",
    on: redisAlone,
    refusesWithinMs: 2_000,
    async strike({ servers }) {
      await during(servers.freezeRedis(), FREEZE_MS);
    },
  },
  {
    name: "Redis out of memory",
    what: "maxmemory below what it holds, for 3 s",
    on: redisAlone,
    refusesWithinMs: 2_000,
    async strike({ servers }) {
      const redis = new Redis(servers.redis.url);
      try {
        await redis.config("SET", "maxmemory", "1mb");
        await sleep(TROUBLE_MS);
      } finally {
        await redis.config("SET", "maxmemory", "0");
        redis.disconnect();
      }
    },
  },
  {
    name: "Postgres killed",
    what: "kill -9 of the postmaster, back after a second",
    on: both,
    async strike({ servers }) {
      await servers.killPostgres();
      await sleep(RESTART_MS);
      await servers.bringPostgres();
    },
  },
  {
    name: "Postgres frozen",
    what: "SIGSTOP of all its processes for 6 s",
    on: both,
    async strike({ servers }) {
      await during(await servers.freezePostgres(), FREEZE_MS);
    },
  },
  {
    name: "connections terminated",
    what: "pg_terminate_backend of all, every 200 ms for 3 s",
    on: both,
    async strike(stage) {
      const sql = `select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and application_name <> '${OURS}'`;
      await stage.withDatabase((client) => repeatedly(() => client.query(sql)));
    },
  },
  {
    name: "connections reset",
    what: "RST on every connection to Postgres and Redis, every 200 ms for 3 s",
    on: redisAlone,
    relayed: true,
    async strike({ relays }) {
      await repeatedly(async () => relays.forEach((relay) => void relay.reset()));
    },
  },
  {
    name: "disk full",
    what: "every insert of a message fails with 53100, for 3 s",
    on: redisAlone,
    strike: (stage) => refuseMessages(stage, "53100", 1),
  },
  {
    name: "serialisation failures",
    what: "9 of 10 inserts of messages fail with 40001, for 3 s",
    on: redisAlone,
    strike: (stage) => refuseMessages(stage, "40001", 0.9),
  },
  {
    name: "deadlocks",
    what: "9 of 10 inserts of messages fail with 40P01, for 3 s",
    on: redisAlone,
    strike: (stage) => refuseMessages(stage, "40P01", 0.9),
  },
  {
    name: "clock an hour ahead",
    what: "the wall clock of one API and one worker is set forward",
    on: redisAlone,
    strike: (stage, draw) => stepClocks(stage, draw, HOUR_MS),
  },
  {
    name: "clock an hour behind",
    what: "the wall clock of one API and one worker is set back",
    on: redisAlone,
    strike: (stage, draw) => stepClocks(stage, draw, -HOUR_MS),
  },
  {
    name: "rolling restart",
    what: "SIGTERM to one process after another, each ends with 0 within 10 s",
    on: both,
    async strike({ places }) {
      for (const place of places) {
        const askedAt = performance.now();
        place.process.signal("SIGTERM");
        const how = await place.process.exited;
        const tookMs = Math.round(performance.now() - askedAt);
        if (how !== 0 || tookMs > DRAIN_MS) throw new Error(`a process ended with ${how} after ${tookMs} ms`);
        await place.start();
      }
    },
  },
  {
    name: "started before its servers",
    what: "everything is killed; APIs and workers start 2 s before Postgres and Redis",
    on: redisAlone,
    async strike({ places, servers }) {
      await Promise.all([...places.map((place) => place.kill()), servers.killPostgres(), servers.killRedis()]);
      const starting = Promise.all(places.map((place) => place.start()));
      starting.catch(() => undefined); // told below
      await sleep(2 * RESTART_MS);
      await Promise.all([servers.bringPostgres(), servers.bringRedis()]);
      await starting;
    },
  },
];

async function during(letGoOn: () => void, ms: number): Promise<void> {
  try {
    await sleep(ms);
  } finally {
    letGoOn();
  }
}

async function repeatedly(work: () => Promise<unknown>): Promise<void> {
  const until = performance.now() + TROUBLE_MS;
  while (performance.now() < until) {
    await work();
    await sleep(200);
  }
}

/** Postgres itself raises the error, in the middle of the worker's transaction. */
async function refuseMessages(stage: Stage, state: string, share: number): Promise<void> {
  await stage.withDatabase(async (client) => {
    await client.query(`
      create function refuse_message() returns trigger language plpgsql as $$
      begin
        if random() < ${share} then raise exception 'a fault on purpose' using errcode = '${state}'; end if;
        return null;
      end $$;
      create trigger refuse_message before insert on messages execute function refuse_message()`);
    await sleep(TROUBLE_MS);
    await client.query("drop trigger refuse_message on messages; drop function refuse_message");
  });
}

async function stepClocks({ apis, workers }: Stage, draw: () => number, ms: number): Promise<void> {
  for (const places of [apis, workers]) oneOf(places, draw).process.send({ type: "step-clock", ms });
  await sleep(TROUBLE_MS);
}
