import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { createGunzip } from "node:zlib";
import type pg from "pg";
import { from as copyFrom } from "pg-copy-streams";
import { connect } from "../shared/db/connect.ts";
import { lockMigrations } from "../shared/db/migrate.ts";
import { migrations } from "../shared/db/migrations/index.ts";
import { BackupReader, type Header } from "./file.ts";
import { Progress } from "./progress.ts";
import { listed, ourTables, statementsOf, tablesIn } from "./tables.ts";

export interface Restored {
  readonly madeAt: string;
  readonly rows: number;
  readonly messages: number;
}

/**
 * Ids that were given after the backup are not given again to somebody else: who still knows a room or a user by theirs
 * finds nothing, and not another one.
 */
const IDS_LEFT_OUT = 100_000;

/** Whoever was told to stop a moment ago may still be on the way out. */
const LEAVE_WITHIN_MS = 2_000;
const LOOK_EVERY_MS = 50;

/** All of the file, or nothing: tables, rows and a log of another name, in one transaction. */
export async function restoreBackup(url: string, file: string, { force }: { force: boolean }): Promise<Restored> {
  const progress = new Progress("restore", (await stat(file)).size);
  const compressed = createReadStream(file).on("data", (chunk) => progress.add(chunk.length));
  const chunks = createGunzip();
  // What goes wrong with it is heard by whoever reads it, from the first byte on: an error that nobody hears ends all.
  pipeline(compressed, chunks).catch(() => undefined);
  const reader = new BackupReader(chunks);
  try {
    const header = await reader.header();
    assertKnown(header);
    const counts = await putInto(url, header, reader, force);
    const rows = Object.values(counts).reduce((sum, count) => sum + count, 0);
    return { madeAt: header.made_at, rows, messages: counts["messages"] ?? 0 };
  } finally {
    progress.end();
    chunks.destroy();
  }
}

type Counts = Record<string, number>;

async function putInto(url: string, header: Header, reader: BackupReader, force: boolean): Promise<Counts> {
  const client = await connect(url, "parley restore");
  try {
    await lockMigrations(client, "alone");
    await assertAlone(client);
    if (!force) await assertEmpty(client);
    await client.query("begin");
    const counts = await replaceAll(client, header, reader);
    await client.query("commit");
    return counts;
  } finally {
    await client.end();
  }
}

function assertKnown({ migrations: applied }: Header): void {
  const unknown = applied.filter((name) => !migrations.some((known) => known.name === name));
  if (unknown.length > 0)
    throw new Error(`This backup is of a newer version (${unknown.join(", ")}): restore it with that`);
}

/** Processes that run on what is replaced under them would go on with what they remember of it. */
async function assertAlone(client: pg.Client): Promise<void> {
  for (const until = performance.now() + LEAVE_WITHIN_MS; ; await sleep(LOOK_EVERY_MS)) {
    const { rows } = await client.query(
      `select from pg_stat_activity
       where datname = current_database() and pid <> pg_backend_pid() and application_name like 'parley%'`,
    );
    if (rows.length === 0) return;
    if (performance.now() > until)
      throw new Error("An API, a worker or a backup is connected to this database: stop them all first");
  }
}

async function assertEmpty(client: pg.Client): Promise<void> {
  for (const { name } of await tablesIn(client)) {
    if (name === "log_head") continue;
    const { rows } = await client.query(`select from "${name}" limit 1`);
    if (rows.length === 0) continue;
    throw new Error(
      `The database is not empty: there is something in ${name}. Restore into an empty one, or say --force, which ` +
        "deletes every user, room and message that is in it now",
    );
  }
}

async function replaceAll(client: pg.Client, header: Header, reader: BackupReader): Promise<Counts> {
  await client.query("set local lock_timeout = '5s'");
  await client.query(`drop table if exists ${ourTables.map((name) => `"${name}"`).join(", ")} cascade`);
  await makeTables(client, header);
  const counts: Counts = {};
  for (const table of header.tables) {
    // What a migration has put there is in the backup as well.
    await client.query(`delete from "${table.name}"`);
    const into = client.query(copyFrom(`copy ${listed(table)} from stdin`));
    await pipeline(Readable.from(reader.rows()), into);
    counts[table.name] = into.rowCount;
  }
  await reader.check(counts);
  await leaveOutIds(client);
  // Cursors of the time after the backup lead nowhere now, and must not lead to what comes in their place.
  await client.query("update log_head set epoch = substr(md5(random()::text || clock_timestamp()::text), 1, 8)");
  await client.query("analyze");
  return counts;
}

/** As the migrations made them, up to where the backup was; nobody is beside it, so nothing is made concurrently. */
async function makeTables(client: pg.Client, { migrations: applied }: Header): Promise<void> {
  await client.query(`create table if not exists migrations (
    id serial primary key, name varchar(255) not null, executed_at timestamptz(6) not null default current_timestamp(6))`);
  await client.query("delete from migrations");
  for (const name of applied) {
    const migration = migrations.find((known) => known.name === name)!;
    for (const sql of statementsOf(migration)) await client.query(sql.replaceAll(/\bconcurrently\b/gi, ""));
    await client.query("insert into migrations (name) values ($1)", [name]);
  }
}

async function leaveOutIds(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ table: string; column: string }>(
    `select table_name as table, column_name as column from information_schema.columns
     where table_schema = 'public' and table_name = any($1) and is_identity = 'YES'`,
    [ourTables],
  );
  for (const { table, column } of rows) {
    await client.query(
      `select setval(pg_get_serial_sequence('"${table}"', '${column}'), coalesce(max("${column}"), 0) + ${IDS_LEFT_OUT})
       from "${table}"`,
    );
  }
}
