import { expect } from "chai";
import pg from "pg";
import { makePast, type Past } from "../../../bench/past.ts";
import { explain, hotStatements, nodesOf, pagesOf, planOf } from "../../../bench/statements.ts";
import { freshDatabase } from "../../services.ts";

/** With what is said, and with who is there. */
const HISTORY = ["messages", "log", "receipts"];
const GROWING = [...HISTORY, "memberships_history", "members", "rooms", "users"];

interface Filled {
  readonly client: pg.Client;
  readonly past: Past;
  drop(): Promise<void>;
}

async function openFresh(): Promise<Omit<Filled, "past">> {
  const { url, drop } = await freshDatabase();
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  // So that nothing is analyzed before the test says so.
  for (const table of GROWING) await client.query(`alter table ${table} set (autovacuum_enabled = off)`);
  return {
    client,
    async drop() {
      await client.end();
      await drop();
    },
  };
}

/** Room and sender alone, and nothing said. */
async function empty(): Promise<Filled> {
  const opened = await openFresh();
  await opened.client.query("insert into users (username, password_hash) values ('ann', '')");
  await opened.client.query("insert into rooms (kind, name) values ('group', 'room')");
  return { ...opened, past: { reader: 1, returning: 1, announcer: 1, largeRoom: 1 } };
}

/** A past of so many messages, among many rooms and people who have nothing to do with it. */
async function filled(messages: number): Promise<Filled> {
  const opened = await openFresh();
  const past = await makePast(opened.client, messages, () => {});
  for (const sql of [
    `insert into users (username, password_hash) select 'other-' || n, '' from generate_series(1, 20000) n`,
    `insert into rooms (kind, name) select 'group', 'other-' || n from generate_series(1, 20000) n`,
    `insert into members (room_id, user_id) select r.id, u.id from rooms r
       join users u on u.username = r.name and r.name like 'other-%'`,
    `insert into memberships_history (room_id, user_id, joined_pos, joined_at)
       select room_id, user_id, 0, now() from members join rooms on id = room_id where name like 'other-%'`,
  ])
    await opened.client.query(sql);
  return { ...opened, past };
}

const readWhole = async ({ client, past }: Filled, tables: readonly string[]): Promise<string[]> => {
  const found: string[] = [];
  for (const statement of await hotStatements(client, past)) {
    const whole = nodesOf(await planOf(client, statement)).filter((node) => node["Node Type"] === "Seq Scan");
    const grown = whole.map((node) => node["Relation Name"]!).filter((table) => tables.includes(table));
    found.push(...grown.map((table) => `${statement.name}: ${table}`));
  }
  return found;
};

const pages = async ({ client, past }: Filled): Promise<Map<string, number>> => {
  const found = new Map<string, number>();
  for (const statement of await hotStatements(client, past)) {
    found.set(statement.name, pagesOf(await explain(client, statement)));
  }
  return found;
};

describe("the plans of the hottest statements", function () {
  this.timeout(120_000);
  const open: Filled[] = [];
  const use = async (making: Promise<Filled>): Promise<Filled> => {
    const made = await making;
    open.push(made);
    return made;
  };
  after(() => Promise.all(open.map((one) => one.drop())));

  it("read no messages but those they ask for when there is nobody there yet", async () => {
    expect(await readWhole(await use(empty()), ["messages", "receipts"])).to.deep.equal([]);
  });

  it("read no table whole that grows, analyzed or not, and no more of a longer history than of a short one", async () => {
    const [small, large] = [await use(filled(10_000)), await use(filled(100_000))];
    for (const known of [false, true]) {
      for (const one of [small, large]) {
        if (known) await one.client.query("analyze");
        // Before the first analysis a planner takes somebody to be in very many rooms.
        expect(await readWhole(one, known ? GROWING : HISTORY)).to.deep.equal([]);
      }
      const [before, after] = [await pages(small), await pages(large)];
      // An index is a level deeper, and what was on one page is on two; ten times as much is read by no one.
      const grown = [...after].filter(([name, count]) => count > before.get(name)! * 2);
      expect(grown.map(([name, count]) => `${name}: ${before.get(name)} to ${count} pages`)).to.deep.equal([]);
    }
  });
});
