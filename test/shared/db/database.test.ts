import { expect } from "chai";
import pg from "pg";
import { Closers } from "../../../src/shared/closers.ts";
import {
  type EntityManager,
  inPipeline,
  inTransaction,
  isDatabaseAway,
  oneRow,
  rows,
  violatedConstraint,
} from "../../../src/shared/db/database.ts";
import { LogWrites } from "../../../src/shared/log/writes.ts";
import { createLogger } from "../../../src/shared/logger.ts";
import { openWorkerDeps } from "../../../src/worker/deps.ts";
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

describe("a pipeline", () => {
  let w: World;
  let closers: Closers;
  let em: EntityManager;

  before(async () => {
    w = await buildWorld({ worker: false });
    closers = new Closers();
    const env = { ...w.env, DATABASE_POOL: 2 };
    ({ em } = await openWorkerDeps({ env, log: createLogger({ LOG_LEVEL: "silent" }, "test"), closers }));
    await rows(em, "create table piped (n int primary key)");
  });
  after(async () => {
    await closers.closeAll((name, cause) => {
      throw new Error(`could not close ${name}`, { cause });
    });
    await w.close();
  });

  const kept = async () => (await rows<{ n: number }>(em, "select n from piped order by n")).map(({ n }) => n);
  const insert = (tx: EntityManager, n: number) => rows(tx, "insert into piped values ($1)", [n]);

  it("commits what nobody has waited for", async () => {
    const answer = await inPipeline(em, async (tx) => {
      void insert(tx, 1);
      void insert(tx, 2);
      return "done";
    });
    expect(answer).to.equal("done");
    expect(await kept()).to.deep.equal([1, 2]);
  });

  it("fails, and leaves nothing behind, when something failed that nobody has waited for", async () => {
    const failing = inPipeline(em, async (tx) => {
      void insert(tx, 3);
      insert(tx, 1).catch(() => {});
    });
    expect(violatedConstraint(await failing.catch((error: unknown) => error))).to.equal("piped_pkey");
    expect(await kept()).to.deep.equal([1, 2]);
  });

  it("runs again when Postgres asks for it, for what nobody has waited for as well", async () => {
    let attempts = 0;
    await inPipeline(em, async (tx) => {
      await insert(tx, 4);
      if (++attempts < 3) rows(tx, "do $$ begin raise exception using errcode = '40001'; end $$").catch(() => {});
    });
    expect(attempts).to.equal(3);
    expect(await kept()).to.deep.equal([1, 2, 4]);
  });

  it("has as many connections as before when more of them than it has broke in the middle", async () => {
    for (let i = 0; i < 5; i++) {
      const broken = await inPipeline(em, async (tx) => {
        const { pid } = (await oneRow<{ pid: number }>(tx, "select pg_backend_pid() as pid"))!;
        await rows(w.deps.em, "select pg_terminate_backend($1)", [pid]);
        await insert(tx, 5);
      }).catch((error: unknown) => error);
      expect(isDatabaseAway(broken), String(broken)).to.equal(true);
    }
    await Promise.all([inPipeline(em, (tx) => insert(tx, 6)), inPipeline(em, (tx) => insert(tx, 7))]);
    expect(await kept()).to.deep.equal([1, 2, 4, 6, 7]);
  });

  it("leaves no failure without somebody who hears of it, whatever else failed with the connection", async () => {
    const failing = inPipeline(em, async (tx) => {
      const { pid } = (await oneRow<{ pid: number }>(tx, "select pg_backend_pid() as pid"))!;
      await rows(w.deps.em, "select pg_terminate_backend($1)", [pid]);
      const writes = new LogWrites();
      writes.silentTasks.push("nobody's");
      writes.add({ type: "task.failed", actorId: null, userId: 1 });
      await writes.flush(tx);
    });
    // It would end a worker.
    const uncaught: unknown[] = [];
    const hear = (reason: unknown) => uncaught.push(reason);
    process.on("unhandledRejection", hear);
    expect(isDatabaseAway(await failing.catch((error: unknown) => error))).to.equal(true);
    await new Promise((resolve) => setImmediate(resolve));
    process.off("unhandledRejection", hear);
    expect(uncaught).to.deep.equal([]);
  });
});
