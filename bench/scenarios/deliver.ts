import { Connection } from "../client.ts";
import { spending } from "../cpu.ts";
import { makePairs, type Pair, Reader, send } from "../pairs.ts";
import { median, type Row, type Scenario } from "../report.ts";
import { type Chat, type Served, type System, startBareQueue } from "../system.ts";

const PAIRS = 50;
const IN_FLIGHT = 64;
const ROUNDS = 5;
const MESSAGES = 10_000;
/** What begins finds cold caches and uncompiled code: it takes so many until rounds come out alike. */
const WARM_UP = 20_000;

/** Messages a second from the send to a reader who waits, none lost and none twice; beside a queue that does nothing. */
export const deliver: Scenario = async ({ system, progress }) => {
  const bare = await startBareQueue(system);
  const ours = await openTraffic(system);
  const told = progress("deliver");
  const rates: number[] = [];
  const ceilings: number[] = [];
  await ours.round(WARM_UP);
  await bareRound(bare, WARM_UP);
  const spent: Record<keyof System["pids"] | "client", number>[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const work = async () => void rates.push(await ours.round(MESSAGES));
    spent.push(await spending({ ...system.pids, client: process.pid }, work));
    ceilings.push(await bareRound(bare, MESSAGES));
    told((round + 1) / ROUNDS);
  }
  ours.close();
  await bare.stop();
  const rate = { ours: median(rates), ceiling: median(ceilings) };
  const costs = Object.keys(spent[0]!) as (keyof (typeof spent)[0])[];
  return [
    { scenario: "deliver", figure: "messages a second", ...rate, better: "more" },
    ...costs.map((name) => ({
      scenario: "deliver",
      figure: `CPU for 1,000, ms: ${name}`,
      ours: (median(spent.map((round) => round[name])) * 1_000) / MESSAGES,
      better: "less" as const,
    })),
  ] satisfies Row[];
};

/** 50 pairs with 64 sends under way, whoever's turn it is; of several APIs each has its share, and no pair one of its own. */
export async function openTraffic({ apis, database }: Pick<Chat, "apis" | "database">) {
  const pairs = await makePairs({ database }, PAIRS);
  const urlOf = (i: number): string => apis[i % apis.length]!.url;
  const accepted = new Set<string>();
  const heard = new Map<string, number>();
  let complete: (() => void) | undefined;
  let wanted = Number.POSITIVE_INFINITY;
  const hear = (id: string): void => {
    heard.set(id, (heard.get(id) ?? 0) + 1);
    if (heard.size >= wanted) complete?.();
  };
  const readers = await Promise.all(pairs.map((pair, i) => Reader.start(urlOf(i), pair, hear)));
  const senders = await Promise.all(Array.from({ length: IN_FLIGHT }, (_, i) => Connection.open(urlOf(i))));

  /** @returns messages a second, from the first send to the last arrival. */
  async function round(count: number): Promise<number> {
    accepted.clear();
    heard.clear();
    wanted = count;
    const all = new Promise<void>((resolve) => {
      complete = resolve;
    });
    const startedAt = performance.now();
    let begun = 0;
    await Promise.all(
      senders.map(async (connection) => {
        while (begun < count) accepted.add(await send(connection, pairs[begun++ % PAIRS] as Pair));
      }),
    );
    await all;
    const seconds = (performance.now() - startedAt) / 1_000;
    assertOnce(accepted, heard);
    return count / seconds;
  }

  const close = (): void => {
    for (const open of [...readers.map((reader) => () => reader.stop()), ...senders.map((one) => () => one.close())])
      open();
  };
  return { round, close };
}

function assertOnce(accepted: ReadonlySet<string>, heard: ReadonlyMap<string, number>): void {
  const lost = [...accepted].filter((id) => !heard.has(id)).length;
  const repeated = [...heard.values()].filter((times) => times > 1).length;
  const unknown = [...heard.keys()].filter((id) => !accepted.has(id)).length;
  if (lost + repeated + unknown > 0) throw new Error(`${lost} lost, ${repeated} twice, ${unknown} never accepted`);
}

async function bareRound({ url }: Served, count: number): Promise<number> {
  const response = await fetch(`${url}/?count=${count}&in_flight=${IN_FLIGHT}`);
  return Number(await response.text());
}
