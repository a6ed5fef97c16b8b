import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, stat, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { expect } from "chai";
import { Redis } from "ioredis";
import { findRedis, type RedisServer, startRedis } from "../../src/local/redis.ts";
import {
  importable,
  isAlive,
  makeScratch,
  processesWith,
  rejection,
  runUntilKilled,
  type Scratch,
  until,
} from "./scratch.ts";

describe("the private Redis", function () {
  this.timeout(20_000);
  let scratch: Scratch;
  let dataDir: string;
  let program = "";
  const started: RedisServer[] = [];

  const start = async (options: { port?: number; signal?: AbortSignal } = {}): Promise<RedisServer> => {
    const redis = await startRedis({ program, dataDir, ...options });
    started.push(redis);
    return redis;
  };

  before(async function () {
    const found = await findRedis();
    if (found.program) program = found.program;
    else this.skip(); // nothing to try it with: see found.missing
  });
  beforeEach(async () => {
    scratch = await makeScratch();
    dataDir = join(scratch.dir, "redis");
  });
  afterEach(async () => {
    await Promise.all(started.splice(0).map((redis) => redis.stop()));
    expect(await processesWith(scratch.dir)).to.deep.equal([]);
    await scratch.remove();
  });

  it("keeps every write and forgets nothing, on loopback only", async () => {
    const { url, port } = await start();
    expect(port).to.not.equal(6379);
    const settings = await using(url, (redis) => redis.config("GET", "*"));
    expect(asRecord(settings)).to.include({
      bind: "127.0.0.1",
      appendonly: "yes",
      appendfsync: "everysec",
      "maxmemory-policy": "noeviction",
      save: "",
      dir: dataDir,
    });
  });

  it("lets nobody in without the password, which nobody else may read", async () => {
    const { port } = await start();
    const error = await rejection(using(`redis://127.0.0.1:${port}`, (redis) => redis.get("a")));
    expect(error.message).to.include("NOAUTH");
    expect((await stat(join(dataDir, "password"))).mode & 0o777).to.equal(0o600);
    // A command line can be read by every user of the machine.
    expect((await processesWith(dataDir)).join()).to.not.include("requirepass");
  });

  it("keeps its data over a restart on the same port", async () => {
    const first = await start();
    await using(first.url, (redis) => redis.set("kept", "7"));
    expect(await first.stop()).to.deep.include({ code: 0 });
    const second = await start({ port: first.port });
    expect(second.url).to.equal(first.url);
    expect(await using(second.url, (redis) => redis.get("kept"))).to.equal("7");
  });

  it("ends the server that a killed supervisor has left on its data, and serves them anew", async () => {
    const left = await startAndDie();
    expect(await isAlive(left)).to.equal(true);
    const { url, pid } = await start();
    expect(pid).to.not.equal(left);
    expect(await isAlive(left)).to.equal(false);
    expect(await using(url, (redis) => redis.get("kept"))).to.equal("7");
  });

  it("leaves the process alone to which the number in its pid file now belongs", async () => {
    await (await start()).stop();
    const other = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
    try {
      await writeFile(join(dataDir, "redis.pid"), String(other.pid));
      const { url } = await start();
      expect(await using(url, (redis) => redis.ping())).to.equal("PONG");
      expect(other.exitCode ?? other.signalCode).to.equal(null);
    } finally {
      other.kill("SIGKILL");
      await once(other, "exit");
    }
  });

  it("waits for its port when somebody else still has it", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const starting = start({ port: (other.address() as AddressInfo).port });
    await until(async () => (await readFile(join(dataDir, "server.log"), "utf8").catch(() => "")).includes("in use"));
    other.close();
    expect(await using((await starting).url, (redis) => redis.ping())).to.equal("PONG");
  });

  it("a start that is called off leaves no process", async () => {
    const calledOff = new AbortController();
    const starting = rejection(start({ signal: calledOff.signal }));
    calledOff.abort();
    await starting;
    expect(await processesWith(dataDir)).to.deep.equal([]);
  });

  /** A supervisor that starts Redis, stores something and is killed; returns the number of what it leaves. */
  async function startAndDie(): Promise<number> {
    const said = await runUntilKilled(
      join(scratch.dir, "supervisor.ts"),
      `import { startRedis } from ${importable("../../src/local/redis.ts")};
       import { Redis } from ${importable("ioredis")};
       const { url, pid } = await startRedis(${JSON.stringify({ program, dataDir })});
       await new Redis(url).set("kept", "7");
       console.log(pid);`,
    );
    return Number(said);
  }
});

async function using<T>(url: string, ask: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(url, { retryStrategy: null, maxRetriesPerRequest: 0, enableReadyCheck: false });
  redis.on("error", () => {}); // what matters is thrown by `ask` as well
  try {
    return await ask(redis);
  } finally {
    redis.disconnect();
  }
}

/** Old answers are a flat list of names and values. */
function asRecord(answer: unknown): Record<string, unknown> {
  if (!Array.isArray(answer)) return answer as Record<string, unknown>;
  const pairs = Array.from({ length: answer.length / 2 }, (_, i) => [answer[2 * i], answer[2 * i + 1]]);
  return Object.fromEntries(pairs);
}
