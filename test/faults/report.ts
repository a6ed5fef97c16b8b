import { readFile, writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import { complaints, type Verdict } from "./trial/trial.ts";

const PAGE = new URL("../../docs/reliability.md", import.meta.url);
const BEGIN = "<!-- made by `npm run test:faults -- --write`: begin -->";
const END = "<!-- end -->";

const number = (n: number): string => n.toLocaleString("en");
const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;

/** For the terminal: a line that says it all, and what is wrong. */
export function tell(verdict: Verdict): string {
  const { name, accepted, stored, lost, duplicated, outOfOrder, stallMs, readyMs, refusals } = verdict;
  const wrong = complaints(verdict);
  const refused = [...refusals].map(([answer, times]) => `${times} × ${answer}`).join(", ");
  const lines = [
    `${wrong.length > 0 ? "✘" : "✔"} ${name}: ${number(accepted)} accepted, ${number(stored)} stored, ${lost} lost, ` +
      `${duplicated} duplicated, ${outOfOrder} out of order; longest stall ${seconds(stallMs.accepting)} accepting, ` +
      `${seconds(stallMs.delivering)} delivering; ready after ${seconds(readyMs)}${refused && `; ${refused}`}`,
    ...wrong.map((line) => `    ${line}`),
  ];
  return lines.join("\n");
}

/** Puts a row for each fault of this run into the table of docs/reliability.md; those of other faults stay. */
export async function writePage(verdicts: readonly Verdict[], seed: number, names: readonly string[]): Promise<void> {
  const page = await readFile(PAGE, "utf8");
  const [before, after] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (before < 0 || after < before) throw new Error(`${PAGE.pathname} lacks the marks ${BEGIN} and ${END}`);
  const rows = new Map([...rowsIn(page.slice(before, after)), ...verdicts.map((one) => [one.name, row(one)] as const)]);
  const inOrder = names.map((name) => rows.get(name)).filter((line) => line !== undefined);
  const made = [BEGIN, "", ...HEAD, ...inOrder, "", about(seed), "", ""].join("\n");
  await writeFile(PAGE, page.slice(0, before) + made + page.slice(after));
}

const HEAD = [
  "| fault | what is done | sends accepted | stored | lost | duplicated | out of order | longest stall: accepting | delivering |",
  "|---|---|--:|--:|--:|--:|--:|--:|--:|",
];

/** By the name of the fault. */
const rowsIn = (table: string): [string, string][] =>
  table.split("\n").flatMap((line): [string, string][] => {
    const name = /^\| ([^|]+?) \|/.exec(line)?.[1];
    return name === undefined ? [] : [[name, line]];
  });

const row = ({ name, what, accepted, stored, lost, duplicated, outOfOrder, stallMs }: Verdict): string =>
  `| ${[
    name,
    what,
    number(accepted),
    number(stored),
    lost,
    duplicated,
    outOfOrder,
    seconds(stallMs.accepting),
    seconds(stallMs.delivering),
  ].join(" | ")} |`;

const about = (seed: number): string =>
  `Made last on ${new Date().toISOString().slice(0, 10)} with seed ${seed}, Node ${process.versions.node}, ` +
  `${cpus().length} × ${cpus()[0]?.model.trim() ?? "an unknown processor"}, load and servers on the same machine.`;
