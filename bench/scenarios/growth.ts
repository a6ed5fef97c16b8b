import { Connection } from "../client.ts";
import { makePast, type Past } from "../past.ts";
import { median, type Row, type Scenario } from "../report.ts";
import type { Chat, System } from "../system.ts";

/** The first is what the others stand beside. */
const SIZES = [10_000, 100_000, 1_000_000];
const WARM_UP = 30;
const CALLS = 200;
/** On a machine that is busy with other things as well, fewer calls have to do. */
const MOST_MS = 20_000;

interface Stored {
  readonly url: string;
  readonly past: Past;
  /** Messages of the large room, from all over its past. */
  readonly anywhere: readonly string[];
}

interface Call {
  readonly figure: string;
  readonly as: "reader" | "returning" | "announcer";
  path(stored: Stored, round: number): string;
}

const UNSEEN = "/v1/messages/unseen?limit=100";

const history: Call[] = [
  {
    figure: "the newest page, ms",
    as: "reader",
    path: ({ past }) => `/v1/rooms/${past.largeRoom}/messages?limit=50`,
  },
  {
    figure: "a page from anywhere, ms",
    as: "reader",
    path: ({ past, anywhere }, round) =>
      `/v1/rooms/${past.largeRoom}/messages?limit=50&before=${anywhere[round % anywhere.length]}`,
  },
];

const unseen: Call[] = [
  { figure: "a few unseen, ms", as: "reader", path: () => UNSEEN },
  { figure: "back after 4 in 10 of all, ms", as: "returning", path: () => UNSEEN },
  { figure: "1 in 10 of all are one's own, ms", as: "announcer", path: () => UNSEEN },
];

const rooms: Call[] = [
  { figure: "a hundred rooms, ms", as: "reader", path: () => "/v1/rooms?limit=100" },
  { figure: "back after 4 in 10 of all, ms", as: "returning", path: () => "/v1/rooms?limit=100" },
];

/** What one call costs when there is more history behind it; it should cost the same. */
export const growth: Readonly<Record<string, Scenario>> = {
  history: besideItself("history", history),
  unseen: besideItself("unseen", unseen),
  rooms: besideItself("rooms", rooms),
};

/** The sizes take turns, call by call, so that whatever else the machine does falls on all of them alike. */
function besideItself(scenario: string, calls: readonly Call[]): Scenario {
  return async ({ system, progress }) => {
    const stored = await storeAll(system, progress(`${scenario}: a past`));
    const connections = await Promise.all(stored.map(({ url }) => Connection.open(url)));
    const told = progress(scenario);
    const rows: Row[] = [];
    for (const [i, call] of calls.entries()) {
      const times = await takeTurns(stored, connections, call, (done) => told((i + done) / calls.length));
      const [least, ...more] = times.map(median);
      const named = (k: number) => `${scenario}, ${SIZES[k + 1]!.toLocaleString("en")} stored`;
      rows.push(
        ...more.map(
          (ours, k) =>
            ({ scenario: named(k), figure: call.figure, ours, ceiling: least!, better: "less" }) satisfies Row,
        ),
      );
    }
    for (const connection of connections) connection.close();
    return rows;
  };
}

async function storeAll(system: System, told: (done: number) => void): Promise<Stored[]> {
  const chats = [system, await system.startAnother(), await system.startAnother()];
  const last = SIZES.length - 1;
  const stored = await Promise.all(
    SIZES.map((messages, i) => store(chats[i]!, messages, i === last ? told : () => undefined)),
  );
  return stored;
}

async function store({ api, database }: Chat, messages: number, told: (done: number) => void): Promise<Stored> {
  const past = await makePast(database, messages, told);
  // As autovacuum leaves behind what has grown for days.
  await database.query("vacuum analyze");
  const { rows } = await database.query<{ id: string }>(
    `select id from messages where room_id = $1 and seq > 50 and seq % greatest(1, $2::int / 5000) = 0 order by random() limit 500`,
    [past.largeRoom, messages / 10],
  );
  return { url: api.url, past, anywhere: rows.map(({ id }) => id) };
}

async function takeTurns(
  stored: readonly Stored[],
  connections: readonly Connection[],
  { as, path }: Call,
  told: (done: number) => void,
): Promise<number[][]> {
  const times: number[][] = stored.map(() => []);
  const beganAt = performance.now();
  for (let round = 0; round < WARM_UP + CALLS && performance.now() - beganAt < MOST_MS; round++) {
    for (const [i, one] of stored.entries()) {
      const startedAt = performance.now();
      const { status, body } = await connections[i]!.get(path(one, round), one.past[as]);
      const ms = performance.now() - startedAt;
      if (status !== 200) throw new Error(`${path(one, round)} answered ${status}: ${body}`);
      if (round >= WARM_UP) times[i]!.push(ms);
    }
    told((round + 1) / (WARM_UP + CALLS));
  }
  return times;
}
