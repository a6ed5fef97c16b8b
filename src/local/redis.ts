import { execFile } from "node:child_process";
import { addAbortListener } from "node:events";
import { mkdir, readFile, realpath, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { Redis } from "ioredis";
import { type Child, type Running, startChild } from "./child.ts";
import { freePort } from "./free-port.ts";
import { endLeftover } from "./leftover.ts";
import { secretIn } from "./secret.ts";
import { openServerLog } from "./server-log.ts";
import { StartError, untilReady } from "./until-ready.ts";
import { retryWhile } from "./within.ts";

const run = promisify(execFile);

export interface RedisServer extends Running {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
}

interface Options {
  /** From `findRedis`. */
  readonly program: string;
  readonly dataDir: string;
  /** Where it listened before, if its clients already know it. */
  readonly port?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

// The line of versions on which the queue is used; Valkey counts on from Redis 7.2.
const OLDEST_MAJOR = 7;
const STOP_MS = 4_000;
// A large append-only file is read again before the first answer.
const READY_MS = 120_000;
const ATTEMPTS = 10;
const PAUSE_MS = 200;

/** The Redis or Valkey on PATH that is new enough, or what is in the way. */
export async function findRedis(): Promise<{ program?: string; missing: string }> {
  let missing = "no redis-server on PATH";
  for (const program of ["redis-server", "valkey-server"]) {
    const about = await run(program, ["--version"]).catch(() => ({ stdout: "" }));
    const [, version, major] = /\bv=((\d+)[\d.]*)/.exec(about.stdout) ?? [];
    if (Number(major) >= OLDEST_MAJOR) return { program, missing: "" };
    if (version) missing = `${program} ${version} on PATH is older than ${OLDEST_MAJOR}`;
  }
  return { missing };
}

/** A Redis of our own: on loopback, with a password, its data in `dataDir`. */
export async function startRedis({ program, dataDir, port, signal }: Options): Promise<RedisServer> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  // As the process will name it: a leftover is recognised by this path.
  const dir = await realpath(dataDir);
  await clearTheWay(dir);
  for (let attempt = 1; ; attempt++) {
    try {
      return await launch(program, dir, port ?? (await freePort()), signal);
    } catch (error) {
      // Somebody else was quicker to take the port.
      const mayPass = error instanceof StartError && error.message.includes("Address already in use");
      if (!mayPass || attempt === ATTEMPTS) throw error;
    }
    await sleep(PAUSE_MS, undefined, { signal });
  }
}

async function launch(
  program: string,
  dir: string,
  port: number,
  signal: AbortSignal | undefined,
): Promise<RedisServer> {
  const password = await secretIn(join(dir, "password"));
  const log = await openServerLog(dir);
  try {
    const child = await spawnRedis(program, { dir, port, password, log: log.fd });
    const start = { name: program, withinMs: READY_MS, signal, lastWords: log.lastWords };
    await untilReady(child, start, async (over) => {
      await rm(join(dir, PID_FILE), { force: true }); // root's, perhaps, if that was the last to start it
      await writeFile(join(dir, PID_FILE), String(child.pid));
      await retryWhile(always, over, () => ask(child.pid, port, password, over));
    });
    const { pid, exited } = child;
    const url = `redis://:${password}@127.0.0.1:${port}`;
    return { url, port, pid, exited, stop: (graceMs = STOP_MS) => child.end(graceMs) };
  } finally {
    await log.close();
  }
}

interface Spawn {
  readonly dir: string;
  readonly port: number;
  readonly password: string;
  readonly log: number;
}

/** What others may see is on the command line, by which a leftover is recognised; the password comes through stdin. */
async function spawnRedis(program: string, { dir, port, password, log }: Spawn): Promise<Child> {
  const args = ["--bind", "127.0.0.1", "--port", String(port), "--dir", dir, "--set-proc-title", "no", "-"];
  // Root leaves no files of its own in somebody's folder: they could not be opened the next time.
  const { uid, gid } = await stat(dir);
  const ids = process.getuid?.() === 0 ? { uid, gid } : {};
  const child = await startChild(program, args, { ...ids, cwd: "/", stdio: ["pipe", log, log] });
  const settings = [`requirepass ${password}`, "daemonize no", 'save ""', "appendonly yes", "appendfsync everysec"];
  // A queue must refuse what it cannot hold, never forget what it has taken.
  settings.push("maxmemory-policy noeviction");
  // It may end before it has read this; its exit tells.
  child.process.stdin?.on("error", () => {}).end(`${settings.join("\n")}\n`);
  return child;
}

// What never answers ends with the time it has for its start.
const always = () => true;

async function ask(pid: number, port: number, password: string, over: AbortSignal): Promise<void> {
  const options = { host: "127.0.0.1", port, password, lazyConnect: true, retryStrategy: null, connectTimeout: 2_000 };
  const client = new Redis(options);
  client.on("error", () => {}); // what matters is thrown below as well
  // A stranger who took the port may also say nothing at all.
  const listener = addAbortListener(over, () => client.disconnect());
  try {
    // Waits until the data are loaded.
    await client.connect();
    const answer = await client.info("server");
    // A stranger without a password, who was quicker to take the port, would let us in.
    if (!answer.includes(`process_id:${pid}\r`)) throw new Error("somebody else answers");
  } finally {
    listener[Symbol.dispose]();
    client.disconnect();
  }
}

const PID_FILE = "redis.pid";

async function clearTheWay(dir: string): Promise<void> {
  const pid = Number.parseInt(await readFile(join(dir, PID_FILE), "utf8").catch(() => ""), 10);
  if (pid > 0) await endLeftover({ pid, program: /(^|\/)(redis|valkey)-server$/, dir, signals: ["SIGTERM"] });
}
