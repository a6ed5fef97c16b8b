import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { Client } from "pg";

const run = promisify(execFile);

export interface Scratch {
  readonly dir: string;
  remove(): Promise<void>;
}

/** A folder of the test's own. Others may walk through it: as root, Postgres runs under another user. */
export async function makeScratch(): Promise<Scratch> {
  const dir = await realpath(await mkdtemp(join(tmpdir(), "parley-local-")));
  await chmod(dir, 0o755);
  return { dir, remove: () => rm(dir, { recursive: true, force: true, maxRetries: 5 }) };
}

/** The processes that have `word` in their command line, a line each. */
export async function processesWith(word: string): Promise<string[]> {
  const { stdout } = await run("ps", ["-eww", "-o", "pid=,stat=,args="]);
  return stdout.split("\n").filter((line) => line.includes(word) && !/^\s*\d+\s+Z/.test(line));
}

/** Looks until it is so; a test that waits for ever is ended by mocha. */
export async function until(isSo: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await isSo())) await sleep(10);
}

/** Runs a supervisor that ends with `kill -9`, and gives what it has said. */
export async function runUntilKilled(path: string, code: string): Promise<string> {
  await writeFile(path, `${code}\nprocess.kill(process.pid, "SIGKILL");`);
  const supervisor = spawn(process.execPath, [path], { stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  supervisor.stdout.on("data", (chunk) => {
    said += chunk;
  });
  await once(supervisor, "close");
  return said;
}

/** The word by which a script in another folder imports this file or package. */
export const importable = (path: string): string =>
  JSON.stringify(path.startsWith(".") ? new URL(path, import.meta.url).href : import.meta.resolve(path));

/** A dead process that nobody has collected yet does not count. */
export async function isAlive(pid: number): Promise<boolean> {
  const { stdout } = await run("ps", ["-o", "stat=", "-p", String(pid)]).catch(() => ({ stdout: "" }));
  return /^[^Z]/.test(stdout.trim());
}

/** What a promise rejects with; that it must reject is part of it. */
export const rejection = (promise: Promise<unknown>): Promise<Error> =>
  promise.then(
    () => {
      throw new Error("it was expected to reject");
    },
    (error: Error) => error,
  );

/** The first value of the first row. */
export async function ask(url: string, query: string): Promise<unknown> {
  const client = new Client(url);
  await client.connect();
  try {
    const { rows } = await client.query({ text: query, rowMode: "array" });
    return rows[0]?.[0];
  } finally {
    await client.end();
  }
}
