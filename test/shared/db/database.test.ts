import { expect } from "chai";
import pg from "pg";
import { inTransaction, isDatabaseAway, oneRow, rows } from "../../../src/shared/db/database.ts";
import { buildWorld, type World } from "../../world.ts";

describe("the database", () => {
  let w: World;
  before(async () => {
    w = await buildWorld({ worker: false, env: { DATABASE_POOL: "2" } });
  });
  after(() => w?.close());

  it("has as many connections as before when more of them than it has broke in the middle of a transaction", async () => {
    const { em } = w.deps;
    const killer = new pg.Client({ connectionString: w.env.DATABASE_URL! });
    await killer.connect();
    for (let i = 0; i < 5; i++) {
      const broken = await inTransaction(em, async (tx) => {
        const { pid } = (await oneRow<{ pid: number }>(tx, "select pg_backend_pid() as pid"))!;
        await killer.query("select pg_terminate_backend($1)", [pid]);
        await rows(tx, "select 1");
      }).catch((error: unknown) => error);
      expect(isDatabaseAway(broken), String(broken)).to.equal(true);
    }
    await killer.end();
    const both = [inTransaction(em, (tx) => oneRow(tx, "select 1 as n")), oneRow(em, "select 1 as n")];
    expect(await Promise.all(both)).to.deep.equal([{ n: 1 }, { n: 1 }]);
  });

  it("rolls back what fails, and gives back what succeeds", async () => {
    const { em } = w.deps;
    await rows(em, "create table tried (n int)");
    const failing = inTransaction(em, async (tx) => {
      await rows(tx, "insert into tried values (1)");
      throw new Error("never mind");
    });
    expect(await failing.catch((error: Error) => error.message)).to.equal("never mind");
    const answer = await inTransaction(em, async (tx) => {
      await rows(tx, "insert into tried values (2)");
      return "kept";
    });
    expect(answer).to.equal("kept");
    expect(await rows(em, "select n from tried")).to.deep.equal([{ n: 2 }]);
  });

  it("says so within seconds when it does not answer", async function () {
    this.timeout(15_000);
    const askedAt = performance.now();
    const hung = await rows(w.deps.em, "select pg_sleep(6)").catch((error: unknown) => error);
    expect(isDatabaseAway(hung)).to.equal(true);
    expect(performance.now() - askedAt).to.be.below(7_000);
  });
});
