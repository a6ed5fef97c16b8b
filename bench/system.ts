import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { nodeFlags } from "../src/api/node-flags.ts";
import { dropEverything } from "../src/local/child.ts";
import { startPostgres } from "../src/local/postgres.ts";
import { findRedis, startRedis } from "../src/local/redis.ts";
import { migrateQueue } from "../src/shared/backend/postgres-backend.ts";
import { migrate } from "../src/shared/db/migrate.ts";
import { createLogger } from "../src/shared/logger.ts";

/** A process that says where it listens. */
export interface Served {
  readonly url: string;
  readonly pid: number;
  /** For how long its event loop was held at the longest since this was asked last. */
  longestHoldMs(): Promise<number>;
  /** Holds it where it is, until it is resumed. */
  pause(): void;
  resume(): void;
  stop(): Promise<void>;
}

/** APIs and workers on a database of their own: one of each, unless more are asked for. */
export interface Chat {
  readonly apis: readonly Served[];
  readonly workers: readonly Served[];
  /** The first of them. */
  readonly api: Served;
  readonly worker: Served;
  /** For data that would take too long to make through the API. */
  readonly database: pg.Client;
}

export interface System extends Chat {
  readonly redisUrl: string;
  /** By name, for what each of them costs. */
  readonly pids: Readonly<Record<"API" | "worker" | "Redis" | "Postgres", number>>;
  /** Another beside it, on the same servers, with so many APIs and as many workers. */
  startAnother(size?: number): Promise<Chat>;
  stop(): Promise<void>;
}

// However it ends: APIs and workers go when their IPC breaks, Postgres and Redis don't.
process.once("exit", dropEverything);

/** Private servers set as in production, one API, one worker: what `npm run api` and `npm run worker` run. */
export async function startSystem({ redis: withRedis = true } = {}): Promise<System> {
  const folder = await mkdtemp(join(tmpdir(), "parley-bench-"));
  const postgres = await startPostgres({ dataDir: join(folder, "postgres") });
  const redis = withRedis ? await startOwnRedis(join(folder, "redis")) : undefined;
  const env = {
    ...(redis && { REDIS_URL: redis.url }),
    DATA_DIR: folder,
    AUTH_MODE: "demo",
    PORT: "0",
  };
  const started: Chat[] = [];
  const start = async (database: string, size: number): Promise<Chat> => {
    const own = { ...env, DATABASE_URL: databaseAt(postgres.url, database), QUEUE_NAME: database };
    const chat = await startChat(own, size);
    started.push(chat);
    return chat;
  };
  const first = await start("parley", 1);
  return {
    ...first,
    redisUrl: redis?.url ?? "",
    pids: { API: first.api.pid, worker: first.worker.pid, Redis: redis?.pid ?? 0, Postgres: postgres.pid },
    async startAnother(size = 1) {
      const name = `parley_${started.length}`;
      await first.database.query(`create database ${name}`);
      return start(name, size);
    },
    async stop() {
      for (const { apis, workers, database } of started) {
        await database.end();
        await Promise.all([...apis, ...workers].map((one) => one.stop()));
      }
      await Promise.all([postgres.stop(), redis?.stop()]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function databaseAt(server: string, name: string): string {
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.href;
}

async function startChat(
  env: Readonly<Record<string, string>> & { DATABASE_URL: string },
  size: number,
): Promise<Chat> {
  await migrate(env.DATABASE_URL, createLogger({ LOG_LEVEL: "warn" }, "bench"));
  if (!env["REDIS_URL"]) await migrateQueue(env.DATABASE_URL);
  const each = (start: () => Promise<Served>) => Promise.all(Array.from({ length: size }, start));
  const [apis, workers] = await Promise.all([
    each(() => serve("src/api/main.ts", env, nodeFlags)),
    each(() => serve("src/worker/main.ts", env)),
  ]);
  const database = new pg.Client({ connectionString: env.DATABASE_URL });
  await database.connect();
  return { apis, workers, api: apis[0]!, worker: workers[0]!, database };
}

async function startOwnRedis(dataDir: string) {
  const { program } = await findRedis();
  if (!program) throw new Error("The benchmark needs redis-server on PATH");
  return startRedis({ program, dataDir });
}

/** The ceilings of what goes through the queue. */
export const startBareQueue = ({ redisUrl }: System): Promise<Served> =>
  serve("bench/bare-queue.ts", { REDIS_URL: redisUrl });
export const startBareAccept = ({ redisUrl }: System): Promise<Served> =>
  serve("bench/bare-accept.ts", { REDIS_URL: redisUrl });

/** The ceiling of an answer that is at hand already. */
export const startBareKoa = (): Promise<Served> => serve("bench/bare-koa.ts", {});

/** The ceiling: a bare `node:http` server in a process of its own. */
export const startBare = (): Promise<Served> => serve("bench/bare.ts", {});

const profiling: string[] = [];

/** From here on each process that is started leaves a profile there when it ends. */
export function profileInto(dir: string): void {
  profiling.push("--cpu-prof", `--cpu-prof-dir=${dir}`);
}

async function serve(script: string, env: Record<string, string>, flags: readonly string[] = []): Promise<Served> {
  const child = spawn(process.execPath, [...flags, ...profiling, "--import", "./bench/watch-loop.ts", script], {
    env: { PATH: process.env["PATH"], ...env },
    // The log is written as in production, and read by nobody.
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const [message] = (await Promise.race([
    once(child, "message"),
    once(child, "exit").then(() => Promise.reject(new Error(`${script} ended before it was ready`))),
  ])) as [{ url?: string }];
  return {
    url: message.url ?? "",
    pid: child.pid!,
    longestHoldMs: () => longestHold(child),
    pause: () => void child.kill("SIGSTOP"),
    resume: () => void child.kill("SIGCONT"),
    stop: () => stop(child),
  };
}

async function longestHold(child: ChildProcess): Promise<number> {
  child.send("longest-hold");
  const [answer] = (await once(child, "message")) as [{ ms: number }];
  return answer.ms;
}

async function stop(child: ChildProcess): Promise<void> {
  // Who is interrupted at a terminal is so together with all that they have started.
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGTERM");
  await once(child, "exit");
}

/** What a process holds in memory, in bytes. */
export async function residentBytes({ pid }: Served): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1_024;
}

/** Files and connections that a process holds open. */
export const openFiles = async ({ pid }: Served): Promise<number> => (await readdir(`/proc/${pid}/fd`)).length;
