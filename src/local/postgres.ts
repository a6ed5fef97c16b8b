import { addAbortListener } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Client, DatabaseError } from "pg";
import type { Manners, Running } from "./child.ts";
import { type Cluster, openCluster } from "./cluster.ts";
import { freePort } from "./free-port.ts";
import { endLeftover } from "./leftover.ts";
import { beginningOf } from "./process-id.ts";
import { startAs } from "./run-as.ts";
import { openServerLog } from "./server-log.ts";
import { StartError, untilReady } from "./until-ready.ts";
import { retryWhile } from "./within.ts";

export interface Postgres extends Running {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
}

interface Options {
  readonly dataDir: string;
  /** Settings of the server, e.g. `{ fsync: "off" }`. */
  readonly flags?: Readonly<Record<string, string | number>>;
  /** Where it listened before, if its clients already know it. */
  readonly port?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

// "Fast" shutdown: sends the clients away and writes everything out. Then "immediate": ends at once and recovers next time.
const manners: Manners = { kind: "SIGINT", firm: "SIGQUIT" };
const STOP_MS = 8_000;
// After a crash it replays what it had not yet written to the tables.
const READY_MS = 120_000;
// Somebody else was quicker to take the port; or a process of a server that was killed has not noticed it yet.
const MAY_PASS = /could not bind|pre-existing shared memory block/;
const ATTEMPTS = 10;
const PAUSE_MS = 200;

/** A Postgres of our own: it listens on loopback, keeps its data in `dataDir`, and the database `parley` exists. */
export async function startPostgres({ dataDir, flags = {}, port, signal }: Options): Promise<Postgres> {
  const cluster = await openCluster({ dataDir, durable: flags["fsync"] !== "off", signal });
  await clearTheWay(cluster.data);
  for (let attempt = 1; ; attempt++) {
    try {
      return await launch(cluster, port ?? (await freePort()), flags, signal);
    } catch (error) {
      if (attempt === ATTEMPTS || !(error instanceof StartError && MAY_PASS.test(error.message))) throw error;
    }
    await sleep(PAUSE_MS, undefined, { signal });
  }
}

async function launch(
  cluster: Cluster,
  port: number,
  flags: object,
  signal: AbortSignal | undefined,
): Promise<Postgres> {
  const settings = { listen_addresses: "127.0.0.1", port, unix_socket_directories: "", timezone: "UTC", ...flags };
  const args = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const log = await openServerLog(cluster.root);
  try {
    const words = [cluster.binaries.postgres, "-D", cluster.data, ...args];
    const child = await startAs(cluster.runAs, words, log.fd, manners);
    const server = `postgres://parley:${cluster.password}@127.0.0.1:${port}`;
    const start = { name: "Postgres", withinMs: READY_MS, signal, lastWords: log.lastWords };
    await untilReady(child, start, (over) =>
      retryWhile(isStarting, over, () => ensureDatabase(server, cluster.root, over)),
    );
    const { pid, exited } = child;
    return { url: `${server}/parley`, port, pid, exited, stop: (graceMs = STOP_MS) => child.end(graceMs) };
  } finally {
    await log.close();
  }
}

async function ensureDatabase(server: string, root: string, over: AbortSignal): Promise<void> {
  const client = new Client({ connectionString: `${server}/postgres`, ssl: false, connectionTimeoutMillis: 5_000 });
  client.on("error", () => {}); // it ended while we were connected: the next attempt or the end of the process tells
  // Whoever was quicker to take the port may never say a word.
  const listener = addAbortListener(over, () => void client.end().catch(() => {}));
  try {
    await client.connect();
    const { rowCount } = await client.query("select from pg_database where datname = 'parley'");
    if (!rowCount) await client.query("create database parley");
  } catch (error) {
    if (!(error instanceof DatabaseError) || error.code !== "28P01") throw error;
    throw new StartError(
      `The password in ${root} is not that of its data: bring it back, or delete the folder to begin anew`,
    );
  } finally {
    listener[Symbol.dispose]();
    await client.end().catch(() => {});
  }
}

/** Nobody listens yet, the connection was cut, or 57P03: it listens but is still recovering. */
const isStarting = (error: unknown): boolean =>
  error instanceof DatabaseError ? error.code === "57P03" : !(error instanceof StartError);

/** A supervisor that was killed has left its server running, or only a lock that must not keep us out. */
async function clearTheWay(data: string): Promise<void> {
  const lock = join(data, "postmaster.pid");
  const text = await readFile(lock, "utf8").catch(() => "");
  const pid = Number.parseInt(text, 10);
  if (!(pid > 0)) return;
  await endLeftover({ pid, program: /(^|\/)postgres$/, dir: data, signals: ["SIGINT", "SIGQUIT"] });
  if ((await beginningOf(pid)) === undefined) return;
  // The number went to somebody else, and Postgres would believe that it is still in use. Its own parent's number it
  // takes for stale, and goes on to check the rest of the file (no server process may still hold the shared memory).
  await writeFile(lock, text.replace(/^\d+/, String(process.pid)));
}
