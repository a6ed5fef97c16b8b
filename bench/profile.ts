import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

const MOST = 25;

/** Where each process spent its time, by itself and not by what it called; idling is left out. */
export async function printProfiles(dir: string): Promise<void> {
  for (const file of (await readdir(dir)).filter((name) => name.endsWith(".cpuprofile")).sort()) {
    const spent = selfTimes(JSON.parse(await readFile(join(dir, file), "utf8")) as Profile);
    const busy = [...spent.values()].reduce((sum, micros) => sum + micros, 0);
    console.log(`\n${file}: busy for ${(busy / 1e6).toFixed(1)} s`);
    for (const [where, micros] of [...spent].sort((a, b) => b[1] - a[1]).slice(0, MOST)) {
      console.log(`${((100 * micros) / busy).toFixed(1).padStart(6)} %  ${where}`);
    }
  }
}

function selfTimes({ nodes, samples, timeDeltas }: Profile): Map<string, number> {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const spent = new Map<string, number>();
  samples.forEach((id, i) => {
    const name = names.get(id)!;
    if (!name.startsWith("(idle)")) spent.set(name, (spent.get(name) ?? 0) + timeDeltas[i]!);
  });
  return spent;
}

function nameOf({ functionName, url, lineNumber }: Profile["nodes"][number]["callFrame"]): string {
  const place = url.split("/").slice(-3).join("/");
  return `${functionName || "(anonymous)"}${place ? ` ${place}:${lineNumber + 1}` : ""}`;
}
