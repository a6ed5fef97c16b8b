import { setTimeout as sleep } from "node:timers/promises";
import { Queue } from "bullmq";
import { Redis } from "ioredis";
import { jobOptions } from "../src/shared/jobs/catalog.ts";
import { commandLine, leave } from "./load/command-line.ts";
import { Reader, ways } from "./load/readers.ts";
import { Senders } from "./load/senders.ts";
import { floors, type Sample, trendOf } from "./load/trend.ts";
import { makeGroup, makeGroupOf } from "./people.ts";
import { parkedReads } from "./polls.ts";
import { progressBar } from "./report.ts";
import { openFiles, residentBytes, type System, startSystem } from "./system.ts";

const HELP = `npm run soak [-- TIME]

Measures how many messages a second this machine takes, then sends half as many for TIME (90s, 10m, 2h; 10m if you say
nothing), and looks whether anything grows: memory and open files of API and worker, keys and memory of Redis,
connections to Postgres. Each figure is the line through the second half of the run. Ends with 1 if one is not flat; in a
run of a minute or two that may be what is still warming up.`;

const SENDERS = 40;
const ROOMS = 4;
const CAPACITY_MS = 10_000;
const SAMPLES = 120;
const MOST_EVERY_MS = 10_000;
/** What lies below is noise: so much of the level, or so many of the unit. */
const NOISE = 0.05;
const UNITS_PER_MS = { s: 1_000, m: 60_000, h: 3_600_000 } as const;

interface Figure {
  readonly name: string;
  readonly unit: string;
  /** What may come and go without being a trend. */
  readonly noise: number;
  /** Whether what was given back in between counts. */
  readonly least: boolean;
  read(): Promise<number>;
}

const { positionals } = commandLine(HELP, {});
const forMs = durationOf(positionals[0] ?? "10m");
const system = await startSystem();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  // Its servers are processes of their own, which would outlive it.
  process.once(signal, () => void system.stop().finally(() => process.exit(130)));
}
const redis = new Redis(system.redisUrl);
const bar = progressBar();
const isFlat = await soak(system, redis);
redis.disconnect();
await system.stop();
process.exit(isFlat ? 0 : 1);

async function soak(system: System, redis: Redis): Promise<boolean> {
  const { database, api } = system;
  const { roomId, userIds } = await makeGroup(database, SENDERS + ways.length);
  const roomIds = [roomId];
  while (roomIds.length < ROOMS) roomIds.push(await makeGroupOf(database, userIds));
  const senderIds = userIds.slice(0, SENDERS);
  let delivered = 0;
  const readers = ways.map((way, i) => {
    return new Reader({ way, userId: userIds[SENDERS + i]!, urls: [api.url], onMessage: () => delivered++ });
  });
  await Promise.all(readers.map((reader) => reader.start()));

  let accepted = 0;
  const send = (perSecond: number) =>
    new Senders({
      urls: [api.url],
      senderIds,
      roomIds,
      perSecond,
      turns: Number.POSITIVE_INFINITY,
      keyed: false,
      onAccepted: () => accepted++,
    });
  const beganAt = performance.now();
  await run(send(Number.POSITIVE_INFINITY), (ms) => ms / CAPACITY_MS, bar("capacity"));
  await untilStored(system, accepted);
  const capacity = accepted / ((performance.now() - beganAt) / 1_000);
  const rate = Math.round(capacity / 2);
  console.log(
    `capacity: ${capacity.toFixed(0)} messages a second with ${readers.length} readers; now ${rate} a second`,
  );

  await keepAllFinishedJobs(system, senderIds[0]!);
  const figures = figuresOf(system, redis);
  const samples = new Map<Figure, Sample[]>(figures.map((figure) => [figure, []]));
  const steady = send(rate);
  const sampling = sample(samples);
  accepted = 0;
  await run(steady, (ms) => ms / forMs, bar(`soak ${positionals[0] ?? "10m"}`));
  const reached = accepted / (forMs / 1_000);
  sampling.stop();
  await Promise.all([sampling.done, ...readers.map((reader) => reader.stop())]);
  const refused = [...steady.refusals].map(([answer, times]) => `${times} × ${answer}`).join(", ") || "none";
  console.log(`${accepted} accepted (${reached.toFixed(0)} a second), refused: ${refused}, ${delivered} delivered`);
  return printTrends(samples);
}

/** Until it is done, which is told from the time that has passed. */
async function run(senders: Senders, doneAfter: (ms: number) => number, progress: (done: number) => void) {
  const beganAt = performance.now();
  const done = (): number => doneAfter(performance.now() - beganAt);
  const sending = senders.run();
  while (done() < 1) {
    progress(done());
    await Promise.race([sleep(250), sending]);
  }
  senders.stop();
  await sending;
  progress(1);
}

async function untilStored({ database }: System, count: number): Promise<void> {
  const sql = "select count(*)::int as n from messages";
  while ((await database.query<{ n: number }>(sql)).rows[0]!.n < count) await sleep(20);
}

/** As many as are ever kept: from then on each job that ends takes the place of an older one. */
async function keepAllFinishedJobs({ redisUrl }: System, userId: number): Promise<void> {
  const connection = new Redis(redisUrl, { maxRetriesPerRequest: null });
  const queue = new Queue("parley", { connection, prefix: "{parley}", defaultJobOptions: jobOptions });
  const { count } = jobOptions.removeOnComplete;
  const data = { userId, marks: [], at: new Date().toISOString() };
  await queue.addBulk(Array.from({ length: count }, () => ({ name: "messages.seen", data })));
  while ((await queue.getCompletedCount()) < count) await sleep(100);
  await queue.close();
  connection.disconnect();
}

function figuresOf({ api, worker, database }: System, redis: Redis): Figure[] {
  const mebi = 1_024 * 1_024;
  const connections = "select count(*)::int as n from pg_stat_activity where datname = current_database()";
  return [
    ...[api, worker].flatMap((process, i) => [
      {
        name: `${["API", "worker"][i]} memory`,
        unit: "MiB",
        noise: 5,
        least: true,
        read: async () => (await residentBytes(process)) / mebi,
      },
      { name: `${["API", "worker"][i]} open files`, unit: "", noise: 3, least: false, read: () => openFiles(process) },
    ]),
    { name: "parked reads", unit: "", noise: 3, least: false, read: () => parkedReads(api.url) },
    { name: "Redis keys", unit: "", noise: 100, least: false, read: () => redis.dbsize() },
    {
      name: "Redis memory",
      unit: "MiB",
      noise: 1,
      least: true,
      read: async () => Number(/used_memory:(\d+)/.exec(await redis.info("memory"))?.[1]) / mebi,
    },
    {
      name: "Postgres connections",
      unit: "",
      noise: 2,
      least: false,
      read: async () => (await database.query<{ n: number }>(connections)).rows[0]!.n,
    },
  ];
}

function sample(samples: ReadonlyMap<Figure, Sample[]>): { stop(): void; done: Promise<void> } {
  const over = new AbortController();
  const everyMs = Math.min(forMs / SAMPLES, MOST_EVERY_MS);
  const loop = async (): Promise<void> => {
    while (!over.signal.aborted) {
      for (const [figure, list] of samples) list.push({ atMs: performance.now(), value: await figure.read() });
      await sleep(everyMs, undefined, { signal: over.signal }).catch(() => undefined);
    }
  };
  return { stop: () => over.abort(), done: loop() };
}

/** Of the second half: the first is for caches to fill and for the heap to find its size. */
function printTrends(samples: ReadonlyMap<Figure, readonly Sample[]>): boolean {
  let allFlat = true;
  const round = (n: number): string => n.toFixed(Math.abs(n) >= 1_000 ? 0 : 1);
  for (const [{ name, unit, noise, least }, list] of samples) {
    const second = list.slice(Math.floor(list.length / 2));
    const { from, to, perMinute } = trendOf(least ? floors(second, 10) : second);
    const isFlat = to - from <= Math.max(noise, from * NOISE);
    allFlat &&= isFlat;
    const slope = `${perMinute >= 0 ? "+" : ""}${perMinute.toFixed(2)} ${unit} a minute`.replace("  ", " ");
    console.log(
      `${isFlat ? "flat   " : "GROWING"}  ${name.padEnd(22)}${`${round(from)} → ${round(to)} ${unit}`.padEnd(26)}${slope}`,
    );
  }
  return allFlat;
}

function durationOf(text: string): number {
  const [, count, unit] = /^(\d{1,6})([smh])$/.exec(text) ?? [];
  const ms = Number(count) * UNITS_PER_MS[unit as keyof typeof UNITS_PER_MS];
  return ms >= UNITS_PER_MS.m ? ms : leave(`How long: 90s, 10m, 2h; a minute at least, not ${text}`, 1);
}
