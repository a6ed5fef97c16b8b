import { createHash, randomUUID } from "node:crypto";
import { link, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { beginningOf } from "./process-id.ts";
import { StartError } from "./until-ready.ts";

export interface DataLock {
  release(): Promise<void>;
}

interface Holder {
  readonly pid: number;
  /** Tells the holder from a later process with its number. */
  readonly began: string;
  readonly address: string;
}

/** One supervisor per data folder: two would end each other's Postgres. The lock of a dead one counts for nothing. */
export async function lockData(dataDir: string, address: string): Promise<DataLock> {
  await mkdir(dataDir, { recursive: true });
  const path = join(dataDir, "parley.pid");
  const holder: Holder = { pid: process.pid, began: (await beginningOf(process.pid)) ?? "", address };
  // No two texts are the same, so that whoever has read an old one cannot take a new one for it.
  const mine = `${JSON.stringify({ ...holder, id: randomUUID() })}\n`;
  for (;;) {
    const seen = await follow(path);
    if (seen.holder) throw new StartError(taken(dataDir, seen.holder));
    if (await inherit(path, seen, mine)) return { release: () => release(path, mine) };
  }
}

const taken = (dataDir: string, { pid, address }: Holder): string =>
  `Parley already runs with the data in ${dataDir} (pid ${pid}, ${address}). ` +
  "Stop it with Ctrl-C where it was started, or start another with DATA_DIR=.data2 PORT=8001 npm start.";

/** Removing a stale file and then making one's own would let two in. Here each stale file has one heir, by its text. */
export async function inherit(path: string, { at, dead }: Seen, mine: string): Promise<boolean> {
  if (!(await place(at, mine))) return false;
  // Somebody may have inherited and moved up since we looked; then what we have placed is nobody's heir.
  const now = await follow(path);
  if (now.at !== at || now.text !== mine) {
    await rm(at);
    return false;
  }
  if (at !== path) await rename(at, path);
  for (const file of dead) if (file !== path) await rm(file, { force: true });
  return true;
}

interface Seen {
  /** The living holder's file, or the one that nobody has yet. */
  readonly at: string;
  readonly text?: string;
  readonly holder?: Holder;
  readonly dead: readonly string[];
}

/** From the file of the first to that of the last heir. */
export async function follow(path: string): Promise<Seen> {
  const dead: string[] = [];
  for (let at = path; ; ) {
    const text = await readIfThere(at);
    if (text === undefined) return { at, dead };
    const holder = parse(text);
    if (holder && (await beginningOf(holder.pid)) === holder.began) return { at, text, holder, dead };
    dead.push(at);
    at = `${path}.${createHash("sha256").update(text).digest("hex").slice(0, 16)}`;
  }
}

/** All of it or nothing, and only where nothing is: a file of that name with half a text would look stale. */
async function place(at: string, text: string): Promise<boolean> {
  const draft = `${at}.${randomUUID()}`;
  try {
    await writeFile(draft, text);
    await link(draft, at);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return false;
    if (code !== "EACCES") throw error;
    throw new StartError(`${dirname(at)} belongs to another user: start as that one, or elsewhere with DATA_DIR=…`);
  } finally {
    await rm(draft, { force: true });
  }
}

const readIfThere = (path: string): Promise<string | undefined> =>
  readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    return undefined;
  });

function parse(text: string): Holder | undefined {
  try {
    const { pid, began, address } = JSON.parse(text);
    return Number.isInteger(pid) && typeof began === "string" ? { pid, began, address } : undefined;
  } catch {
    return undefined;
  }
}

async function release(path: string, mine: string): Promise<void> {
  if ((await readIfThere(path)) === mine) await rm(path, { force: true });
}
