import { once } from "node:events";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect } from "chai";
import { makeScratch, processesWith, type Scratch, until } from "./scratch.ts";
import { type Started, startStandIns, writeStandIns } from "./stand-ins.ts";

describe("npm start", function () {
  this.timeout(60_000);
  let scratch: Scratch;
  const all: Started[] = [];

  const start = (env: Record<string, string> = {}): Started => {
    const started = startStandIns(scratch.dir, env);
    all.push(started);
    return started;
  };
  const isUp = async (started: Started): Promise<string> => {
    await until(() => started.text().includes("Ctrl-C stops everything") || started.process.exitCode !== null);
    return started.text();
  };
  const addressIn = (text: string): string => /Parley +(http:\S+)/.exec(text)?.[1] ?? text;

  before(async () => {
    scratch = await makeScratch();
  });
  beforeEach(() => writeStandIns(scratch.dir));
  afterEach(async function () {
    // How far it came is all that tells why it came no further.
    if (this.currentTest?.isFailed()) for (const { text } of all) console.log(text());
    for (const { process: child } of all) child.kill("SIGTERM");
    await Promise.all(all.splice(0).map(({ exited }) => exited));
    expect(await processesWith(scratch.dir)).to.deep.equal([]);
    expect(await readdir(join(scratch.dir, "data")).catch(() => [])).to.not.include("parley.pid");
  });
  after(() => scratch.remove());

  it("brings everything up in demo mode, tells how to try it, and leaves nothing when it is stopped", async () => {
    const started = start();
    const text = await isUp(started);
    const url = addressIn(text);
    expect(await (await fetch(url)).json()).to.include({ AUTH_MODE: "demo", LOG_LEVEL: "warn", postgres: true });
    for (const what of [
      "Postgres of our own",
      "tables up to date",
      "chat page up to date",
      "worker",
      `API (${url})`,
      "demo data",
      `${url}/docs`,
    ]) {
      expect(text).to.include(what);
    }
    const servers = join(scratch.dir, "data", "servers.json");
    const told = JSON.parse(await readFile(servers, "utf8"));
    expect(told.DATABASE_URL).to.match(/^postgres/);
    expect(told.QUEUE_NAME).to.equal("parley");
    expect((await stat(servers)).mode & 0o077).to.equal(0);
    expect(text).to.include("DEMO MODE").and.include(`curl -s '${url}/v1/messages/unseen?user_id=7&wait=25'`);
    started.process.kill("SIGTERM");
    expect(await started.exited).to.equal(0);
    expect(await readdir(join(scratch.dir, "data"))).to.not.include("servers.json");
  });

  it("does without Redis when none is installed", async () => {
    const started = start({ PATH: "/nowhere" });
    const text = await isUp(started);
    expect(text).to.include("no redis-server on PATH: the queue lives in Postgres");
    expect(await (await fetch(addressIn(text))).json()).to.include({ redis: "" });
  });

  it("has no demo lines in token mode, and no demo users where others may come", async () => {
    const text = await isUp(start({ AUTH_MODE: "token", HOST: "0.0.0.0", LOG_LEVEL: "silent" }));
    expect(text).to.not.include("DEMO").and.not.include("user_id=").and.not.include("Passw0rd!");
    expect(text).to.include("no demo data");
  });

  it("starts a part again that dies", async () => {
    const started = start();
    const url = addressIn(await isUp(started));
    const [api = ""] = await processesWith(join(scratch.dir, "api.ts"));
    process.kill(Number.parseInt(api, 10), "SIGKILL");
    await until(() => started.text().includes("API runs again"));
    expect((await fetch(url)).status).to.equal(200);
  });

  it("tells the last words of a part that does not come up, and leaves nothing", async () => {
    await writeFile(join(scratch.dir, "api.ts"), `console.error("no such table: log"); process.exit(3);`);
    const started = start();
    expect(await started.exited).to.equal(1);
    expect(started.text()).to.include("✗ API did not start (exit code 3):\n  | no such table: log");
  });

  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    it(`stops what it has started so far at a ${signal} in the middle of the start`, async () => {
      await writeFile(join(scratch.dir, "seeds.ts"), "setInterval(() => {}, 1000);");
      const started = start();
      await Promise.race([
        until(async () => (await processesWith(join(scratch.dir, "seeds.ts"))).length > 0),
        isUp(started).then((text) => Promise.reject(new Error(`it is up, or has ended, without its seeds:\n${text}`))),
      ]);
      started.process.kill(signal);
      expect(await started.exited).to.equal(0);
    });
  }

  it("takes the Ctrl-C that npm hands on for the one that the terminal has sent, a later one for impatience", async () => {
    const started = start({ STUBBORN: "1" });
    await isUp(started);
    const since = performance.now();
    const before = started.text().length;
    started.process.kill("SIGINT");
    // Two signals of a kind at once would be one to the system.
    await until(() => started.text().length > before);
    started.process.kill("SIGINT");
    // The stubborn part lives on, so the second one was not taken for impatience; half a second later one would be.
    await until(() => performance.now() - since > 600);
    expect(await processesWith(join(scratch.dir, "worker.ts"))).to.have.length(1);
    started.process.kill("SIGINT");
    await started.exited;
    expect(performance.now() - since).to.be.lessThan(4_000);
    expect(started.text()).to.not.include("again in");
  });

  it("says in a line that it already runs, or that the port is taken", async () => {
    const first = start();
    const url = addressIn(await isUp(first));
    const second = start();
    expect(await second.exited).to.equal(1);
    expect(second.text())
      .to.match(/^✗ Parley already runs .*\(pid \d+, http:\S+\)\..*\n$/)
      .and.include(url);

    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port } = other.address() as { port: number };
    const third = start({ PORT: String(port), DATA_DIR: join(scratch.dir, "data3") });
    expect(await third.exited).to.equal(1);
    expect(third.text()).to.match(new RegExp(`^✗ Port ${port} is taken \\(127.0.0.1\\).* PORT=\\d+ npm start\\.\\n$`));
    other.close();
  });

  it("tells all mistakes in the environment at once, a line each", async () => {
    const started = start({ PORT: "99999", AUTH_MODE: "maybe", DATABASE_URL: "mysql://x" });
    expect(await started.exited).to.equal(1);
    const lines = started.text().trim().split("\n");
    expect(lines.map((line) => line.trim().split(":")[0])).to.deep.equal([
      "✗ The environment is wrong",
      "PORT",
      "AUTH_MODE",
      "DATABASE_URL",
    ]);
  });
});
