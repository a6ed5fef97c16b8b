import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { expect } from "chai";
import pg from "pg";
import { makePast, type Past } from "../../../bench/past.ts";
import { hotStatements, type Statement } from "../../../bench/statements.ts";
import { migrate } from "../../../src/shared/db/migrate.ts";
import { migrations } from "../../../src/shared/db/migrations/index.ts";
import { appendParameters, appendSql } from "../../../src/shared/log/append.ts";
import { createLogger } from "../../../src/shared/logger.ts";
import { holdLocks } from "../../locks.ts";
import { surroundings } from "../../processes.ts";
import { emptyDatabase } from "../../services.ts";

/** Nobody who uses it waits for longer than this because of a change to the tables. */
const NOTICED_MS = 1_000;

const run = (url: string, to?: string): Promise<string[]> =>
  migrate(url, createLogger({ LOG_LEVEL: "silent" }, "test"), to === undefined ? {} : { to });
const [first, ...others] = migrations.map(({ name }) => name) as [string, ...string[]];

/** What the version before sends: the statements of this one that ask for nothing newer than what is there. */
async function understood(client: pg.Client, past: Past): Promise<Statement[]> {
  const found: Statement[] = [];
  for (const statement of await hotStatements(client, past)) {
    const asked = client.query(`explain ${statement.sql}`, [...statement.parameters]);
    const code = await asked.then(
      () => undefined,
      (error: { code: string }) => error.code,
    );
    // No such column, no such table: this one is newer.
    if (code === undefined) found.push(statement);
    else expect(code, statement.name).to.be.oneOf(["42703", "42P01"]);
  }
  return found;
}

/** Sends and reads, one after the other on some connections, until it is stopped. */
class Traffic {
  sent = 0;
  slowest = { ms: 0, name: "" };
  readonly #url: string;
  readonly #past: Past;
  #stopped = false;
  #running: Promise<unknown> = Promise.resolve();

  constructor(url: string, past: Past) {
    this.#url = url;
    this.#past = past;
  }

  async start(): Promise<void> {
    const [sender, reader] = [await this.#connect(), await this.#connect()];
    const reads = (await understood(reader, this.#past)).filter(({ name }) => name !== "append a message");
    const names = ["tail of the log", "unseen", "mark as seen", "page of a history", "my rooms"];
    expect(reads.map(({ name }) => name)).to.include.members(names);
    const until = async (client: pg.Client, work: () => Promise<void>) => {
      while (!this.#stopped) await work();
      await client.end();
    };
    this.#running = Promise.all([
      until(sender, () => this.#send(sender)),
      until(reader, async () => {
        for (const { name, sql, parameters } of reads) await this.#timed(reader, name, sql, parameters);
      }),
    ]);
    this.#running.catch(() => undefined); // told by `stop`
  }

  /** Resolves when so many more were sent; fails with the first that could not be. */
  async goesOnFor(sends: number): Promise<void> {
    const enough = this.sent + sends;
    while (this.sent < enough) await Promise.race([this.#running, new Promise((resolve) => setImmediate(resolve))]);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #connect(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: this.#url });
    await client.connect();
    return client;
  }

  /** As a worker does: the room is locked, then the message appended. */
  async #send(client: pg.Client): Promise<void> {
    const { largeRoom, reader } = this.#past;
    await this.#timed(client, "begin", "begin");
    const lock = "select last_seq::int + 1 as seq from rooms where id = $1 for update";
    const { seq } = (await this.#timed(client, "lock the room", lock, [largeRoom])).rows[0];
    const acceptedAt = new Date().toISOString();
    const message = {
      id: randomUUID(),
      roomId: largeRoom,
      seq,
      senderId: reader,
      text: "hi",
      clientKey: null,
      acceptedAt,
    };
    await this.#timed(client, "append", appendSql, appendParameters({ messages: [message] }));
    await this.#timed(client, "commit", "commit");
    this.sent++;
  }

  async #timed(client: pg.Client, name: string, sql: string, parameters: readonly unknown[] = []) {
    const since = performance.now();
    const answer = await client.query(sql, [...parameters]);
    const ms = performance.now() - since;
    if (ms > this.slowest.ms) this.slowest = { ms, name };
    return answer;
  }
}

describe("migrating beside the traffic", function () {
  this.timeout(60_000);
  let database: Awaited<ReturnType<typeof emptyDatabase>>;
  let client: pg.Client;

  beforeEach(async () => {
    database = await emptyDatabase();
    client = new pg.Client({ connectionString: database.url });
    await client.connect();
    await run(database.url, first);
  });
  afterEach(async () => {
    await client.end();
    await database.drop();
  });

  const isWhole = async () => {
    const { rows } = await client.query(
      `select head::int, (select count(*)::int from log) as entries, (select coalesce(max(pos), 0)::int from log) as last from log_head`,
    );
    expect(rows[0]).to.deep.equal({ head: rows[0].head, entries: rows[0].head, last: rows[0].head });
    const broken = "select relname from pg_index join pg_class c on c.oid = indexrelid where not indisvalid";
    expect((await client.query(broken)).rows).to.deep.equal([]);
    const { rows: applied } = await client.query("select name from migrations order by id");
    expect(applied.map(({ name }) => name)).to.deep.equal([first, ...others]);
  };

  it("each migration lets who sends and reads among 200,000 messages go on", async () => {
    const past = await makePast(client, 200_000, () => {});
    await client.query("analyze");
    for (const name of others) {
      const traffic = new Traffic(database.url, past);
      await traffic.start();
      await traffic.goesOnFor(5);
      expect(await run(database.url, name)).to.deep.equal([name]);
      await traffic.goesOnFor(5);
      await traffic.stop();
      expect(traffic.slowest.ms, `${name}: ${traffic.slowest.name}`).to.be.below(NOTICED_MS);
    }
    await isWhole();
  });

  it("a transaction that stays open is waited for by the migration alone, and not by everybody", async () => {
    const past = await makePast(client, 10_000, () => {});
    const { rows: tables } = await client.query("select tablename from pg_tables where schemaname = 'public'");
    const looked = tables.map(({ tablename }) => `(select count(*) from ${tablename})`).join(", ");
    const held = await holdLocks({ env: { DATABASE_URL: database.url } }, `select ${looked}`);
    const traffic = new Traffic(database.url, past);
    await traffic.start();
    let done = false;
    const running = run(database.url).finally(() => {
      done = true;
    });
    // It asks, gives way, and asks again, while everybody goes on.
    for (let times = 0; times < 3; times++) {
      await held.isWaitedFor();
      await traffic.goesOnFor(20);
    }
    expect(done).to.equal(false);
    await held.release();
    expect(await running).to.deep.equal(others);
    await traffic.stop();
    expect(traffic.slowest.ms, traffic.slowest.name).to.be.below(NOTICED_MS);
    await isWhole();
  });

  it("two at once apply each migration once, and after one that was killed the next one goes on", async () => {
    await client.query("insert into users (username, password_hash) values ('ann', '')");
    await client.query("insert into rooms (kind, name) values ('group', 'room')");
    const held = await holdLocks(
      { env: { DATABASE_URL: database.url } },
      `insert into messages (id, room_id, seq, pos, sender_id, text, accepted_at)
       select gen_random_uuid(), r.id, 1, 1, u.id, 'hello', now() from rooms r, users u`,
    );
    const env = { ...surroundings(), DATABASE_URL: database.url, REDIS_URL: "redis://127.0.0.1:1" };
    const killed = spawn(process.execPath, ["src/migrate.ts"], { env, stdio: "ignore" });
    // In the middle of an index.
    await held.isWaitedFor();
    killed.kill("SIGKILL");
    await once(killed, "exit");
    const both = [run(database.url), run(database.url)];
    await held.release();
    const applied = (await Promise.all(both)).filter((names) => names.length > 0);
    expect(applied).to.have.length(1);
    expect(applied[0]).to.include("006-retention");
    await isWhole();
  });

  it("one that has lost its lock says so and leaves the rest to the next one", async () => {
    const held = await holdLocks({ env: { DATABASE_URL: database.url } }, "select from messages");
    const running = run(database.url).catch((error: Error) => error);
    await held.isWaitedFor();
    await client.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'parley migrate' and datname = current_database()",
    );
    await held.release();
    expect(String(await running)).to.include("terminating connection");
    await run(database.url);
    await isWhole();
  });
});
