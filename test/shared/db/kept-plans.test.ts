import { expect } from "chai";
import pg from "pg";
import { forKeptPlans, keepPlans } from "../../../src/shared/db/kept-plans.ts";
import { freshDatabase } from "../../services.ts";

const ADD = "select $1::int + $2::int as sum";

describe("a connection that keeps its plans", () => {
  let database: Awaited<ReturnType<typeof freshDatabase>>;
  let client: pg.Client;
  /** What goes to the server. */
  const sent: unknown[] = [];

  beforeEach(async () => {
    database = await freshDatabase();
    client = new pg.Client({ connectionString: database.url, ...forKeptPlans });
    await client.connect();
    const query = client.query.bind(client) as (...args: unknown[]) => unknown;
    sent.length = 0;
    client.query = ((...args: unknown[]) => {
      sent.push(args[0]);
      return query(...args);
    }) as typeof client.query;
  });
  afterEach(async () => {
    await client.end();
    await database.drop();
  });

  const prepared = async () => {
    const { rows } = await client.query<{ statement: string; plans: string }>(
      `select statement, generic_plans::text || ' of ' || (generic_plans + custom_plans)::text as plans
       from pg_prepared_statements order by name`,
    );
    return rows;
  };

  it("parses and plans a statement once, whatever its parameters", async () => {
    keepPlans(client);
    const answers = await Promise.all([1, 2, 3].map((n) => client.query(ADD, [n, 1])));
    expect(answers.map(({ rows }) => rows[0].sum)).to.deep.equal([2, 3, 4]);
    await client.query("select $1::text", ["another"]);
    expect(await prepared()).to.deep.equal([
      { statement: ADD, plans: "3 of 3" },
      { statement: "select $1::text", plans: "1 of 1" },
    ]);
  });

  it("finds by key what it would otherwise read a small table for", async () => {
    keepPlans(client);
    await client.query("create table small (n int primary key); insert into small values (1); analyze small");
    await client.query("select from small where n = $1", [1]);
    const { rows } = await client.query("explain execute kept_1(1)");
    expect(rows.map((row) => row["QUERY PLAN"]).join()).to.match(/Index.*small_pkey.*n = \$1/);
  });

  it("plans anew once a plan has had its time", async () => {
    keepPlans(client, 0);
    await client.query(ADD, [1, 1]);
    await client.query(ADD, [1, 1]);
    expect(sent.map((query) => (typeof query === "string" ? query : (query as { name: string }).name))).to.deep.equal([
      "discard plans",
      "kept_1",
      "discard plans",
      "kept_1",
    ]);
  });
});
