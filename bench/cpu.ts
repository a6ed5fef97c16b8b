import { readdir, readFile } from "node:fs/promises";
import { cpus } from "node:os";

/** Of the clock that the kernel counts in. */
const TICK_MS = 10;

/** Milliseconds that a process has spent on a CPU; those of its children too, unless it is this one. */
export async function cpuMs(pid: number): Promise<number> {
  const all = await Promise.all((await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(readTimes));
  return all
    .filter((one) => one?.pid === pid || (one?.parent === pid && pid !== process.pid))
    .reduce((sum, one) => sum + one!.ms, 0);
}

async function readTimes(name: string): Promise<{ pid: number; parent: number; ms: number } | undefined> {
  const stat = await readFile(`/proc/${name}/stat`, "utf8").catch(() => undefined);
  if (stat === undefined) return undefined;
  // The program's name stands in brackets and may hold anything; what follows is numbers.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  // Its own time, and that of children that have ended.
  const ticks = [11, 12, 13, 14].reduce((sum, i) => sum + Number(fields[i]), 0);
  return { pid: Number(name), parent: Number(fields[1]), ms: ticks * TICK_MS };
}

/** What some processes spend while something is done; where several go by one name, all of them together. */
export async function spending<Name extends string>(
  pids: Readonly<Record<Name, number | readonly number[]>>,
  work: () => Promise<void>,
): Promise<Record<Name, number>> {
  const read = async () =>
    Object.fromEntries(
      await Promise.all(
        Object.entries(pids).map(async ([name, some]) => [name, await together(some as number | readonly number[])]),
      ),
    ) as Record<Name, number>;
  const before = await read();
  await work();
  const after = await read();
  for (const name of Object.keys(before) as Name[]) after[name] -= before[name];
  return after;
}

const together = async (pids: number | readonly number[]): Promise<number> =>
  (await Promise.all([pids].flat().map(cpuMs))).reduce((sum, ms) => sum + ms, 0);

/** Milliseconds that all cores have been busy, whoever kept them so. */
export const machineMs = (): number =>
  cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0);
