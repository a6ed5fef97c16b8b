import { ParleyClient, type Transport } from "../../src/client/index.ts";
import { makePairs, type Pair } from "../pairs.ts";
import { median, type Row, type Scenario } from "../report.ts";
import type { System } from "../system.ts";
import { TEXT } from "../text.ts";
import { openTraffic } from "./deliver.ts";

const TRANSPORTS: readonly Transport[] = ["websocket", "sse", "long-poll"];
const PAIRS = 50;
const IN_FLIGHT = 64;
const ROUNDS = 3;
const MESSAGES = 2_000;
const WARM_UP = 3_000;

/**
 * Messages a second between people who use the TypeScript client, by each of its transports, none lost and none twice;
 * beside the same traffic by bare requests. All of these people are one process.
 */
export const clients: Scenario = async ({ system, progress }) => {
  const bare = await openTraffic(system);
  await bare.round(WARM_UP);
  const rows: Row[] = [];
  for (const transport of TRANSPORTS) {
    const told = progress(`clients, ${transport}`);
    const ours = await openClients(system, transport);
    await ours.round(WARM_UP);
    const rates: number[] = [];
    const ceilings: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      rates.push(await ours.round(MESSAGES));
      ceilings.push(await bare.round(MESSAGES));
      told((round + 1) / ROUNDS);
    }
    ours.close();
    const figure = `${transport}, messages a second`;
    rows.push({ scenario: "clients", figure, ours: median(rates), ceiling: median(ceilings), better: "more" });
  }
  bare.close();
  return rows;
};

interface Chatting extends Pair {
  readonly from: ParleyClient;
  readonly to: ParleyClient;
}

async function openClients(system: System, transport: Transport) {
  const { url } = system.api;
  const pairs = (await makePairs(system, PAIRS)).map((pair): Chatting => {
    const client = (userId: number) => new ParleyClient({ url, auth: { userId } });
    return { ...pair, from: client(pair.sender), to: client(pair.reader) };
  });
  const sent = new Set<string>();
  const heard: string[] = [];
  let wanted = Number.POSITIVE_INFINITY;
  let complete: (() => void) | undefined;
  const hear = (id: string): void => {
    heard.push(id);
    if (heard.length >= wanted) complete?.();
  };
  // Who sends follows as well, as a page does: that is how it learns what became of it.
  await Promise.all(pairs.flatMap(({ from, to }) => [follow(from, transport, () => {}), follow(to, transport, hear)]));

  /** @returns messages a second, from the first send to the last arrival. */
  async function round(count: number): Promise<number> {
    sent.clear();
    heard.length = 0;
    wanted = count;
    const all = new Promise<void>((resolve) => {
      complete = resolve;
    });
    const startedAt = performance.now();
    let begun = 0;
    const send = async (): Promise<void> => {
      while (begun < count) {
        const { from, roomId } = pairs[begun++ % PAIRS]!;
        sent.add((await from.send({ room: roomId }, TEXT).accepted).messageId);
      }
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, send));
    await all;
    const rate = count / ((performance.now() - startedAt) / 1_000);
    if (new Set(heard).size !== heard.length || heard.some((id) => !sent.has(id)))
      throw new Error(`${heard.length} messages heard, of ${sent.size} sent: not each of them once`);
    return rate;
  }

  const close = (): void => {
    for (const { from, to } of pairs) for (const client of [from, to]) client.close();
  };
  return { round, close };
}

/** Resolves once it is live. */
function follow(client: ParleyClient, transport: Transport, hear: (id: string) => void): Promise<void> {
  return new Promise((live) => {
    const onStatus = ({ state }: { state: string }) => state === "live" && live();
    const run = async (): Promise<void> => {
      for await (const event of client.events({ from: "now", transport, onStatus }))
        if (event.type === "message.created") hear(event.data.id);
    };
    void run();
  });
}
