import { Connection } from "../client.ts";
import { spending } from "../cpu.ts";
import { makePairs, type Pair, send } from "../pairs.ts";
import { median, type Row, type Scenario } from "../report.ts";
import { startBareAccept } from "../system.ts";

const CONNECTIONS = 64;
const ROUNDS = 5;
const SENDS = 6_000;
const WARM_UP = 3_000;

/**
 * Sends a second that the door answers with 202, over 64 kept connections. The worker rests: what it does is measured
 * by `deliver`.
 */
export const accept: Scenario = async ({ system, progress }) => {
  const bare = await startBareAccept(system);
  const pairs = await makePairs(system, CONNECTIONS);
  const [ours, theirs] = await Promise.all([system.api.url, bare.url].map(connections));
  const told = progress("accept");
  const rates: number[] = [];
  const ceilings: number[] = [];
  system.worker.pause();
  await round(ours!, pairs, WARM_UP);
  await round(theirs!, pairs, WARM_UP);
  const spent: Record<"ours" | "bare", number>[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    const both = async () => {
      rates.push(await round(ours!, pairs, SENDS));
      ceilings.push(await round(theirs!, pairs, SENDS));
    };
    spent.push(await spending({ ours: system.api.pid, bare: bare.pid }, both));
    told((i + 1) / ROUNDS);
  }
  system.worker.resume();
  for (const connection of [...ours!, ...theirs!]) connection.close();
  await bare.stop();
  const rate = { ours: median(rates), ceiling: median(ceilings) };
  const costOf = (name: "ours" | "bare") => (median(spent.map((round) => round[name])) * 1_000) / SENDS;
  const cost = { ours: costOf("ours"), ceiling: costOf("bare") };
  return [
    { scenario: "accept", figure: "sends a second", ...rate, better: "more" },
    { scenario: "accept", figure: "CPU for 1,000, ms: API", ...cost, better: "less" },
  ] satisfies Row[];
};

const connections = (url: string): Promise<Connection[]> =>
  Promise.all(Array.from({ length: CONNECTIONS }, () => Connection.open(url)));

async function round(open: readonly Connection[], pairs: readonly Pair[], count: number): Promise<number> {
  const startedAt = performance.now();
  let begun = 0;
  await Promise.all(
    open.map(async (connection, i) => {
      while (begun++ < count) await send(connection, pairs[i]!);
    }),
  );
  return count / ((performance.now() - startedAt) / 1_000);
}
