import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, stat, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { expect } from "chai";
import { Client } from "pg";
import { type Postgres, startPostgres } from "../../src/local/postgres.ts";
import { StartError } from "../../src/local/until-ready.ts";
import {
  ask,
  importable,
  isAlive,
  makeScratch,
  processesWith,
  rejection,
  runUntilKilled,
  type Scratch,
  until,
} from "./scratch.ts";

// What is looked at here does not depend on the disk.
const flags = { fsync: "off", max_connections: 20 };

describe("the private Postgres", function () {
  this.timeout(30_000);
  let scratch: Scratch;
  let dataDir: string;
  const started: Postgres[] = [];

  const start = async (options: Partial<Parameters<typeof startPostgres>[0]> = {}): Promise<Postgres> => {
    const postgres = await startPostgres({ dataDir, flags, ...options });
    started.push(postgres);
    return postgres;
  };

  const said = () => readFile(join(dataDir, "server.log"), "utf8").catch(() => "");

  // One cluster for all: making one takes longer than all else here.
  before(async () => {
    scratch = await makeScratch();
    dataDir = join(scratch.dir, "postgres");
  });
  afterEach(async () => {
    await Promise.all(started.splice(0).map((postgres) => postgres.stop()));
    expect(await processesWith(scratch.dir)).to.deep.equal([]);
  });
  after(() => scratch.remove());

  it("serves a database called parley, on loopback, with the settings it was given", async () => {
    const { url, port, pid } = await start();
    expect(new URL(url).pathname).to.equal("/parley");
    expect(port).to.not.equal(5432);
    expect(await isAlive(pid)).to.equal(true);
    expect(await ask(url, "show listen_addresses")).to.equal("127.0.0.1");
    expect(await ask(url, "show max_connections")).to.equal("20");
    expect(await ask(url, "show fsync")).to.equal("off");
    expect(await ask(url, "show server_encoding")).to.equal("UTF8");
    expect(await ask(url, "select lower('ÄÖ')")).to.equal("äö");
  });

  it("writes through to the disk unless it is told otherwise", async () => {
    const { url } = await start({ flags: {} });
    expect(await ask(url, "show fsync")).to.equal("on");
    expect(await ask(url, "show synchronous_commit")).to.equal("on");
  });

  it("keeps its data and its password over a restart, on the same port if asked", async () => {
    const first = await start();
    await ask(first.url, "create table restarted as select 7 as n");
    expect(await first.stop()).to.deep.include({ code: 0 });
    const second = await start({ port: first.port });
    expect(second.url).to.equal(first.url);
    expect(await ask(second.url, "select n from restarted")).to.equal(7);
  });

  it("lets nobody in without the password, which nobody else may read", async () => {
    const { url } = await start();
    expect(await rejection(ask(url.replace(/:[^:@]+@/, ":wrong@"), "select 1"))).to.include({ code: "28P01" });
    expect((await stat(join(dataDir, "password"))).mode & 0o777).to.equal(0o600);
  });

  it("ends the server that a killed supervisor has left on its data, and serves them anew", async () => {
    const left = await startAndDie(scratch.dir, dataDir);
    expect(await isAlive(left)).to.equal(true);
    const { url, pid } = await start();
    expect(pid).to.not.equal(left);
    expect(await isAlive(left)).to.equal(false);
    expect(await ask(url, "select n from kept")).to.equal(7);
    // It was asked to end, not killed: nothing had to be recovered.
    expect(await said()).to.include("was shut down at");
  });

  it("leaves the process alone to which the number in its lock now belongs", async () => {
    const first = await start();
    process.kill(first.pid, "SIGKILL");
    await first.exited;
    const lock = join(dataDir, "data", "postmaster.pid");
    // Of the same user: another user's process Postgres itself takes for a stranger.
    const { uid, gid } = await stat(lock);
    const other = spawn("sleep", ["60"], process.getuid?.() === 0 ? { uid, gid } : {});
    try {
      await writeFile(lock, (await readFile(lock, "utf8")).replace(/^\d+/, String(other.pid)));
      expect(await ask((await start()).url, "select 1")).to.equal(1);
      expect(other.exitCode ?? other.signalCode).to.equal(null);
    } finally {
      other.kill("SIGKILL");
      await once(other, "exit");
    }
  });

  it("ends within its time although a client is in the middle of a transaction", async () => {
    const { url, stop } = await start();
    const client = new Client(url);
    client.on("error", () => {}); // the server sends it away: that is the point
    await client.connect();
    await client.query("begin; create table unfinished (n int)");
    expect(await stop()).to.deep.include({ code: 0 });
    // It sent the client away instead of waiting for it, and had nothing to recover afterwards.
    expect(await said())
      .to.include("received fast shutdown request")
      .and.include("database system is shut down");
  });

  it("waits for its port when somebody else still has it", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port } = other.address() as AddressInfo;
    const starting = start({ port });
    await until(async () => (await said()).includes("could not bind"));
    other.close();
    expect(await ask((await starting).url, "select 1")).to.equal(1);
  });

  it("says in its own words why it cannot start, and leaves nothing running", async () => {
    const error = await rejection(start({ flags: { ...flags, wal_level: "nonsense" } }));
    expect(error).to.be.instanceOf(StartError);
    expect(error.message).to.match(/^Postgres did not start \(exit code 1\):\n {2}\| .*wal_level/);
  });

  it("two started at once get ports of their own", async () => {
    const [one, other] = await Promise.all([start(), start({ dataDir: join(scratch.dir, "other") })]);
    expect(one.port).to.not.equal(other.port);
    expect(await ask(one.url, "show port")).to.equal(String(one.port));
    expect(await ask(other.url, "show port")).to.equal(String(other.port));
  });
});

/** A supervisor that starts Postgres, stores something and is killed; returns the number of what it leaves. */
async function startAndDie(dir: string, dataDir: string): Promise<number> {
  const said = await runUntilKilled(
    join(dir, "supervisor.ts"),
    `import { startPostgres } from ${importable("../../src/local/postgres.ts")};
     import { Client } from ${importable("pg")};
     const { url, pid } = await startPostgres(${JSON.stringify({ dataDir, flags })});
     const client = new Client(url);
     await client.connect();
     await client.query("create table kept as select 7 as n");
     console.log(pid);`,
  );
  return Number(said);
}
