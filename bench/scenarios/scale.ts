import { availableParallelism } from "node:os";
import { machineMs, spending } from "../cpu.ts";
import { median, type Row, type Scenario } from "../report.ts";
import type { Chat, System } from "../system.ts";
import { type Waits, waitsDuring } from "../waits.ts";
import { openTraffic } from "./deliver.ts";

const ROUNDS = 5;
const MESSAGES = 10_000;
const WARM_UP = 15_000;
/** Below this it says what binds. */
const WANTED = 1.5;

const kinds = ["API", "worker", "Redis", "Postgres", "client"] as const;
type Kind = (typeof kinds)[number];

/** What one side did in one round. */
interface Round {
  readonly rate: number;
  readonly seconds: number;
  /** Milliseconds of CPU. */
  readonly spent: Readonly<Record<Kind, number>>;
  /** Of the machine, whoever kept them busy. */
  readonly busyCores: number;
  readonly waits: Waits;
}

/**
 * The traffic of `deliver` through two APIs and two workers, beside one of each, in turns on the same servers; whoever is
 * written to reads from another API than the one that took the message, as often as not.
 */
export const scale: Scenario = async ({ system, progress }) => {
  const two = await system.startAnother(2);
  const sides = { one: await openSide(system, system), two: await openSide(two, system) };
  const told = progress("scale");
  for (const side of [sides.one, sides.two]) await side.warmUp();
  const rounds: Record<keyof typeof sides, Round[]> = { one: [], two: [] };
  for (let i = 0; i < ROUNDS; i++) {
    // Whoever comes first in one round comes second in the next.
    const turns = i % 2 === 0 ? (["one", "two"] as const) : (["two", "one"] as const);
    for (const name of turns) rounds[name].push(await sides[name].round());
    told((i + 1) / ROUNDS);
  }
  for (const side of [sides.one, sides.two]) side.close();
  const [ours, ceiling] = [typical(rounds.two), typical(rounds.one)];
  if (ours.rate < WANTED * ceiling.rate) console.log(`\nscale: what binds: ${whatBinds(ours, two)}`);
  return rowsOf(ours, ceiling);
};

async function openSide(chat: Chat, { pids }: System) {
  const traffic = await openTraffic(chat);
  const ofAll = {
    API: chat.apis.map(({ pid }) => pid),
    worker: chat.workers.map(({ pid }) => pid),
    Redis: pids.Redis,
    Postgres: pids.Postgres,
    client: process.pid,
  };
  const round = async (): Promise<Round> => {
    let rate = 0;
    let waits: Waits = { head: 0, rooms: 0, disk: 0 };
    const before = { at: performance.now(), busyMs: machineMs() };
    const spent = await spending(ofAll, async () => {
      waits = await waitsDuring(chat.database, async () => {
        rate = await traffic.round(MESSAGES);
      });
    });
    const busyCores = (machineMs() - before.busyMs) / (performance.now() - before.at);
    return { rate, seconds: MESSAGES / rate, spent, busyCores, waits };
  };
  return { round, warmUp: () => traffic.round(WARM_UP), close: traffic.close };
}

function typical(rounds: readonly Round[]): Round {
  const of = (figure: (round: Round) => number): number => median(rounds.map(figure));
  const spent = Object.fromEntries(kinds.map((kind) => [kind, of((round) => round.spent[kind])]));
  return {
    rate: of(({ rate }) => rate),
    seconds: of(({ seconds }) => seconds),
    spent: spent as Record<Kind, number>,
    busyCores: of(({ busyCores }) => busyCores),
    waits: {
      head: of(({ waits }) => waits.head),
      rooms: of(({ waits }) => waits.rooms),
      disk: of(({ waits }) => waits.disk),
    },
  };
}

const coresOf = ({ spent, seconds }: Round): number =>
  kinds.reduce((sum, kind) => sum + spent[kind], 0) / 1_000 / seconds;

/** Of what can be full, the first that is: all cores, a lock, one kind of process. */
function whatBinds(round: Round, { apis, workers }: Chat): string {
  const { spent, seconds, busyCores, waits } = round;
  const cores = availableParallelism();
  if (busyCores > 0.85 * cores) {
    const ours = `${coresOf(round).toFixed(2)} of them by this system and its clients`;
    return `CPU: ${busyCores.toFixed(2)} of ${cores} cores are busy, ${ours}`;
  }
  if (waits.head > 0.5) return `the lock on log_head: ${waits.head.toFixed(2)} transactions wait for it on average`;
  if (waits.rooms > 0.5) return `the locks on rooms: ${waits.rooms.toFixed(2)} transactions wait for one on average`;
  const processes = { API: apis.length, worker: workers.length, Redis: 1, client: 1 };
  const busy = (Object.keys(processes) as (keyof typeof processes)[])
    .map((kind) => ({ kind, share: spent[kind] / 1_000 / seconds / processes[kind] }))
    .sort((a, b) => b.share - a.share)[0]!;
  if (busy.share > 0.85) return `the ${busy.kind}: each is busy for ${(100 * busy.share).toFixed(0)} % of its time`;
  return `no core, lock or process is full; ${waits.disk.toFixed(2)} transactions wait for the disk on average`;
}

function rowsOf(ours: Round, ceiling: Round): Row[] {
  const row = (figure: string, of: (round: Round) => number, better: Row["better"] = "less"): Row => ({
    scenario: "scale",
    figure,
    ours: of(ours),
    ceiling: of(ceiling),
    better,
  });
  return [
    row("messages a second: two APIs and workers, beside one", ({ rate }) => rate, "more"),
    row("cores in use, those of the clients included", coresOf),
    row("cores of the machine that are busy", ({ busyCores }) => busyCores),
    ...kinds.map((kind) => row(`CPU for 1,000, ms: ${kind}`, ({ spent }) => (spent[kind] * 1_000) / MESSAGES)),
    ...waitRows("two", ours),
    ...waitRows("one", ceiling),
  ];
}

/** How many transactions wait at any moment; with nothing to be a part of, where there is nothing to wait for. */
const waitRows = (side: string, { waits }: Round): Row[] =>
  [["log_head", waits.head] as const, ["a room", waits.rooms] as const, ["the disk", waits.disk] as const].map(
    ([what, ours]) => ({
      scenario: "scale",
      figure: `${side}: transactions that wait for ${what}`,
      ours,
      better: "less",
    }),
  );
