import { type FileHandle, open, rename, rm, stat } from "node:fs/promises";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import type pg from "pg";
import { to as copyTo } from "pg-copy-streams";
import { connect } from "../shared/db/connect.ts";
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
  const half = `${file}.part`;
  const handle = await openHalf(half);
  try {
    const counts = await copyAll(url, handle);
    const { size: bytes } = await stat(half);
    await rename(half, file);
    const rows = Object.values(counts).reduce((sum, { rowCount }) => sum + rowCount, 0);
    return { rows, messages: counts["messages"]?.rowCount ?? 0, bytes };
  } catch (error) {
    await rm(half, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
}

/** Passwords' hashes and sessions are in it: nobody else may read it. Two who wrote it at once would make one of neither. */
async function openHalf(half: string): Promise<FileHandle> {
  try {
    return await open(half, "wx", 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    throw new Error(`${half} is there: a backup is writing it, or was killed in its middle; then remove it`);
  }
}

type Counts = Record<string, { readonly rowCount: number }>;

async function copyAll(url: string, into: FileHandle): Promise<Counts> {
  const client = await connect(url, "parley backup");
  try {
    // With a migration beside it the tables would be others at the end than at the beginning.
    await lockMigrations(client, "shared");
    await client.query("begin isolation level repeatable read, read only");
    const header = await headerOf(client);
    const counts: Counts = {};
    const lines = written(header, (table) => {
      const rows = client.query(copyTo(`copy ${listed(table)} to stdout`));
      counts[table.name] = rows;
      return rows;
    });
    await writeLines(lines, await sizeOf(client, header), into);
    await client.query("commit");
    return counts;
  } finally {
    await client.end();
  }
}

async function writeLines(lines: AsyncIterable<Buffer>, about: number, into: FileHandle): Promise<void> {
  const progress = new Progress("backup", about);
  const counting = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      progress.add(chunk.length);
      done(null, chunk);
    },
  });
  try {
    await pipeline(Readable.from(lines), counting, createGzip(), into.createWriteStream({ flush: true }));
  } finally {
    progress.end();
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
