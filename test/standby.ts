import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { type Postgres, startPostgres } from "../src/local/postgres.ts";
import { migrateQueue } from "../src/shared/backend/postgres-backend.ts";
import { migrate } from "../src/shared/db/migrate.ts";
import { createLogger } from "../src/shared/logger.ts";

const run = promisify(execFile);

const flags = { fsync: "off", full_page_writes: "off", max_connections: 100, log_statement: "all" };

/** A primary and a server that streams from it; each writes every statement that it is asked into its log. */
export interface Pair {
  readonly primary: Postgres;
  /** The one that runs now. */
  readonly standby: Postgres;
  /** On the standby; as one statement, each on a connection of its own. */
  onStandby(sql: string): Promise<unknown[]>;
  onPrimary(sql: string): Promise<unknown[]>;
  /** How many statements with these words in them the server was asked. */
  asked(server: "primary" | "standby", words: string): Promise<number>;
  /** Where it listened before. */
  startStandby(): Promise<void>;
  stop(): Promise<void>;
}

/** The standby begins as a copy of the migrated primary, taken while it is stopped. */
export async function startPair(folder: string): Promise<Pair> {
  const dataDir = { primary: join(folder, "primary"), standby: join(folder, "standby") };
  const first = await startPostgres({ dataDir: dataDir.primary, flags });
  await migrate(first.url, createLogger({ LOG_LEVEL: "silent" }, "test"));
  await migrateQueue(first.url);
  await first.stop();
  await run("cp", ["-a", dataDir.primary, dataDir.standby]);
  await writeFile(join(dataDir.standby, "data", "standby.signal"), "");
  const primary = await startPostgres({ dataDir: dataDir.primary, flags, port: first.port });
  const { port, username, password } = new URL(primary.url);
  const follow = {
    primary_conninfo: `host=127.0.0.1 port=${port} user=${username} password=${password}`,
    wal_retrieve_retry_interval: "100ms",
  };
  const start = (port?: number) => startPostgres({ dataDir: dataDir.standby, flags: { ...flags, ...follow }, port });
  let standby = await start();
  return {
    primary,
    get standby() {
      return standby;
    },
    onStandby: (sql) => query(standby.url, sql),
    onPrimary: (sql) => query(primary.url, sql),
    async asked(server, words) {
      const log = await readFile(join(dataDir[server], "server.log"), "utf8");
      return log.split("LOG:  ").filter((line) => line.startsWith("execute") && line.includes(words)).length;
    },
    async startStandby() {
      standby = await start(standby.port);
    },
    async stop() {
      await standby.stop();
      await primary.stop();
    },
  };
}

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}
