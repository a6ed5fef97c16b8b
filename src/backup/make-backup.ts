import { open, rename, rm } from "node:fs/promises";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import pg from "pg";
import { to as copyTo } from "pg-copy-streams";
import { lockMigrations } from "../shared/db/migrate.ts";
import { type Header, written } from "./file.ts";
import { Progress } from "./progress.ts";
import { listed, tablesIn } from "./tables.ts";

export interface BackupMade {
  readonly rows: number;
  readonly messages: number;
  readonly bytes: number;
}

/**
 * Everything in the database at one moment, into a file that is there under its name once it is whole. Whoever sends and
 * reads meanwhile goes on; a migration waits.
 */
export async function makeBackup(url: string, file: string): Promise<BackupMade> {
  const client = new pg.Client({ connectionString: url, application_name: "parley backup" });
  await client.connect();
  const half = `${file}.part`;
  try {
    // With a migration beside it the tables would be others at the end than at the beginning.
    await lockMigrations(client, "shared");
    await client.query("begin isolation level repeatable read, read only");
    const made = await write(client, half);
    await client.query("commit");
    await rename(half, file);
    return made;
  } catch (error) {
    await rm(half, { force: true });
    throw error;
  } finally {
    await client.end();
  }
}

async function write(client: pg.Client, file: string): Promise<BackupMade> {
  const header = await headerOf(client);
  const progress = new Progress("backup", await sizeOf(client, header));
  const counts: Record<string, { readonly rowCount: number }> = {};
  const lines = written(header, (table) => {
    const rows = client.query(copyTo(`copy ${listed(table)} to stdout`));
    counts[table.name] = rows;
    return rows;
  });
  const counting = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      progress.add(chunk.length);
      done(null, chunk);
    },
  });
  // Passwords' hashes and sessions are in it: nobody else may read it.
  const handle = await open(file, "w", 0o600);
  await pipeline(Readable.from(lines), counting, createGzip(), handle.createWriteStream({ flush: true }));
  progress.end();
  const rows = Object.values(counts).reduce((sum, { rowCount }) => sum + rowCount, 0);
  return { rows, messages: counts["messages"]?.rowCount ?? 0, bytes: await bytesIn(file) };
}

async function bytesIn(file: string): Promise<number> {
  const handle = await open(file);
  try {
    return (await handle.stat()).size;
  } finally {
    await handle.close();
  }
}

async function headerOf(client: pg.Client): Promise<Header> {
  const tables = await tablesIn(client);
  if (tables.length === 0) throw new Error("There is nothing to back up: the database has no tables of Parley");
  const { rows } = await client.query<{ name: string }>("select name from migrations order by id");
  const made_at = new Date().toISOString();
  return { parley_backup: 1, made_at, migrations: rows.map(({ name }) => name), tables };
}

/** In the database when it was last looked at, which is about what it is as text. */
async function sizeOf(client: pg.Client, { tables }: Header): Promise<number> {
  const sql = "select sum(relpages)::float8 * 8192 as bytes from pg_class where relname = any($1)";
  return (await client.query<{ bytes: number }>(sql, [tables.map(({ name }) => name)])).rows[0]!.bytes;
}
