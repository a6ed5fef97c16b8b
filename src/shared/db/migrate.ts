import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import type { Logger } from "../logger.ts";
import { connect } from "./connect.ts";
import { openDatabase } from "./database.ts";
import { LOCK_WITHIN_MS, patientMigrator } from "./patient-migrator.ts";

/** Any number, the same for every process that migrates. */
const LOCK = 7_275_339;
const ASK_AGAIN_MS = 200;

/**
 * Brings a database up to date, or up to one migration, one runner at a time and beside the traffic; answers what was
 * applied.
 */
export async function migrate(url: string, log: Logger, { to }: { to?: string } = {}): Promise<string[]> {
  const client = await connect(url, "parley migrate");
  const unlocked = new Promise<never>((_, reject) => client.on("error", reject));
  unlocked.catch(() => {});
  // One connection: what is set for a statement is said to the connection that runs it.
  const one = { poolSize: 1, statementTimeoutMs: 0, lockTimeoutMs: LOCK_WITHIN_MS };
  const orm = await openDatabase({ url, log, migrator: patientMigrator(log), ...one });
  try {
    await lockMigrations(client, "alone");
    // Who has lost the lock is not the only runner any more.
    const applied = await Promise.race([orm.migrator.up(to === undefined ? undefined : { to }), unlocked]);
    return applied.map(({ name }) => name);
  } finally {
    await orm.close();
    await client.end();
  }
}

/**
 * Held by the session, so that it ends with it however the process ends. Asked for again and again: an index that is
 * made beside the traffic waits for every statement that runs, and so would wait for one that waits for this lock.
 * Shared by those who want the tables to stay as they are.
 */
export async function lockMigrations(client: pg.Client, how: "alone" | "shared"): Promise<void> {
  const sql = `select pg_try_advisory_lock${how === "shared" ? "_shared" : ""}($1) as mine`;
  while (!(await client.query<{ mine: boolean }>(sql, [LOCK])).rows[0]!.mine) await sleep(ASK_AGAIN_MS);
}
