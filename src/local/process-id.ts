import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

/** What tells a process from a later one with the same number: when it began. Undefined when there is no such process. */
export async function beginningOf(pid: number): Promise<string | undefined> {
  const stat = await procFile(pid, "stat");
  if (stat === undefined) return await ps(pid, "lstart=");
  // The program's name, in brackets, may hold spaces and brackets itself; the 22nd field is the 20th after it.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const boot = (await readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => "")).trim();
  // A dead process that its parent has not yet collected runs no more.
  return fields[0] === "Z" ? undefined : `${boot}:${fields[19]}`;
}

/** Whether `pid` is a living `program` that was started for `dir`; a number alone may have gone to somebody else. */
export async function runsFor(pid: number, program: RegExp, dir: string): Promise<boolean> {
  // The command line and not /proc/<pid>/cwd, which root in a container may not read of another user's process.
  const proc = await procFile(pid, "cmdline");
  if (proc !== undefined) {
    const [name = "", ...args] = proc.split("\0");
    return program.test(name) && args.includes(dir);
  }
  // Here the words are joined by spaces, which paths may hold too.
  const line = await ps(pid, "command=");
  return line !== undefined && program.test(line.split(" -", 1)[0] ?? "") && `${line} `.includes(` ${dir} `);
}

const procFile = (pid: number, file: "stat" | "cmdline"): Promise<string | undefined> =>
  readFile(`/proc/${pid}/${file}`, "utf8").catch(() => undefined);

// For systems without /proc; there is none where there is no `ps` either.
const ps = (pid: number, column: string): Promise<string | undefined> =>
  run("ps", ["-ww", "-o", column, "-p", String(pid)]).then(
    ({ stdout }) => stdout.trim() || undefined,
    () => undefined,
  );
