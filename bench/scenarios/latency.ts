import { once } from "node:events";
import { Queue, Worker } from "bullmq";
import { Connection } from "../client.ts";
import { makePairs, type Pair, Reader, send } from "../pairs.ts";
import { median, percentile, type Row, type Scenario } from "../report.ts";
import type { System } from "../system.ts";

const PAIRS = 50;
const RATES = [200, 1_000];
const ROUNDS = 5;
const SECONDS = 4;
/** Like any round: what begins finds cold caches and uncompiled code. */
const WARM_UP = { rate: 1_000, seconds: 10 };
const YARDSTICKS = 200;
/** As many sends as could be under way at the worst. */
const CONNECTIONS = 256;

/**
 * From the send to its arrival at a reader who waits, at a steady rate: each message leaves at its time whether or not
 * those before it have arrived. The yardstick: one job that does nothing, through BullMQ, and then one commit.
 */
export const latency: Scenario = async ({ system, progress }) => {
  const pairs = await makePairs(system, PAIRS);
  const rows: Row[] = [];
  await oneRound(system, pairs, WARM_UP);
  for (const rate of RATES) {
    const told = progress(`latency ${rate}/s`);
    const rounds: number[][] = [];
    const yardsticks: number[][] = [];
    for (let i = 0; i < ROUNDS; i++) {
      rounds.push(await oneRound(system, pairs, { rate, seconds: SECONDS }));
      yardsticks.push(await yardstick(system));
      told((i + 1) / ROUNDS);
    }
    for (const [figure, at] of [
      ["p50", 0.5],
      ["p95", 0.95],
      ["p99", 0.99],
    ] as const) {
      rows.push({
        scenario: `latency ${rate.toLocaleString("en")}/s`,
        figure: `${figure}, ms`,
        ours: median(rounds.map((round) => percentile(round, at))),
        ceiling: median(yardsticks.map((round) => percentile(round, at))),
        better: "less",
      });
    }
  }
  return rows;
};

async function oneRound(
  system: System,
  pairs: readonly Pair[],
  { rate, seconds }: { rate: number; seconds: number },
): Promise<number[]> {
  const count = rate * seconds;
  const sentAt = new Map<string, number>();
  const heardAt = new Map<string, number>();
  let complete: (() => void) | undefined;
  const all = new Promise<void>((resolve) => {
    complete = resolve;
  });
  const hear = (id: string, at: number): void => {
    heardAt.set(id, at);
    if (heardAt.size === count) complete?.();
  };
  const readers = await Promise.all(pairs.map((pair) => Reader.start(system.api.url, pair, hear)));
  const connections = await Promise.all(Array.from({ length: CONNECTIONS }, () => Connection.open(system.api.url)));
  try {
    await sendAtRate(connections, { rate, count, pairs }, (id, at) => sentAt.set(id, at));
    await all;
  } finally {
    for (const reader of readers) reader.stop();
    for (const connection of connections) connection.close();
  }
  return [...sentAt].map(([id, at]) => heardAt.get(id)! - at).sort((a, b) => a - b);
}

interface Pace {
  readonly rate: number;
  readonly count: number;
  readonly pairs: readonly Pair[];
}

/** Each at its time, on whichever connection is free. */
async function sendAtRate(
  connections: readonly Connection[],
  { rate, count, pairs }: Pace,
  sent: (id: string, at: number) => void,
): Promise<void> {
  const free = [...connections];
  const sending: Promise<void>[] = [];
  const startedAt = performance.now();
  for (let i = 0; i < count; ) {
    const due = Math.floor(((performance.now() - startedAt) / 1_000) * rate);
    for (; i < Math.min(due, count); i++) {
      const connection = free.pop();
      if (!connection)
        throw new Error(`${CONNECTIONS} sends are under way: ${rate}/s is more than this machine carries`);
      const at = performance.now();
      const sends = send(connection, pairs[i % pairs.length]!).then((id) => {
        sent(id, at);
        free.push(connection);
      });
      // Those that are under way when one fails, or the rate is given up, fail with it.
      sends.catch(() => {});
      sending.push(sends);
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(sending);
}

async function yardstick(system: System): Promise<number[]> {
  const connection = { url: system.redisUrl };
  const queue = new Queue("yardstick", { connection });
  const worker = new Worker("yardstick", async () => {}, { connection });
  await worker.waitUntilReady();
  await system.database.query("create table if not exists yardstick (n int)");
  const times: number[] = [];
  for (let i = 0; i < YARDSTICKS; i++) {
    const startedAt = performance.now();
    const done = once(worker, "completed");
    await queue.add("nothing", {}, { removeOnComplete: true });
    await done;
    await system.database.query("insert into yardstick values (1)");
    times.push(performance.now() - startedAt);
  }
  await worker.close();
  await queue.close();
  return times.sort((a, b) => a - b);
}
