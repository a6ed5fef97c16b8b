import pg from "pg";
import type { Logger } from "../logger.ts";
import { openDatabase } from "./database.ts";

/** Any number, the same for every process that migrates. */
const LOCK = 7_275_339;

/** Brings a database up to date, one runner at a time; answers what was applied. */
export async function migrate(url: string, log: Logger): Promise<string[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const orm = await openDatabase({ url, poolSize: 2, log });
  try {
    // Held by the session, so that it ends with it however the process ends.
    await client.query("select pg_advisory_lock($1)", [LOCK]);
    const applied = await orm.migrator.up();
    return applied.map(({ name }) => name);
  } finally {
    await orm.close();
    await client.end();
  }
}
