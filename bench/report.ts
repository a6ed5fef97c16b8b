import { mkdir, writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import type { System } from "./system.ts";

/** One figure beside its ceiling, measured in the same run. */
export interface Row {
  readonly scenario: string;
  readonly figure: string;
  readonly ours: number;
  /** Undefined where there is nothing to stand beside it. */
  readonly ceiling?: number | undefined;
  readonly better: "less" | "more";
}

export type Scenario = (context: {
  readonly system: System;
  /** Names a step; what it returns is told how much of it is done, from 0 to 1. */
  progress(step: string): (done: number) => void;
}) => Promise<Row[]>;

/** Of sorted values: 0 is the first, 1 the last. */
export const percentile = (sorted: readonly number[], at: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * at))]!;

export const median = (values: readonly number[]): number =>
  percentile(
    values.toSorted((a, b) => a - b),
    0.5,
  );

const format = (n: number): string => (n >= 100 ? n.toFixed(0) : n.toFixed(1));

export function printTable(rows: readonly Row[]): void {
  const cells = [
    ["scenario", "figure", "Parley", "ceiling", "ratio"],
    ...rows.map((row) => [
      row.scenario,
      row.figure,
      format(row.ours),
      row.ceiling === undefined ? "" : format(row.ceiling),
      ratio(row),
    ]),
  ];
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map((line) => line[column]!.length)));
  for (const line of cells) {
    console.log(line.map((cell, i) => (i < 2 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join("  "));
  }
}

const ratio = ({ ours, ceiling }: Row): string => (ceiling === undefined ? "" : `${(ours / ceiling).toFixed(2)} ×`);

export async function saveResults(rows: readonly Row[]): Promise<string> {
  const file = `bench/results/${new Date().toISOString().replace(/[:.]/g, "-")}.json`;
  await mkdir("bench/results", { recursive: true });
  const machine = { cores: cpus().length, model: cpus()[0]?.model, node: process.version };
  await writeFile(file, `${JSON.stringify({ at: new Date().toISOString(), machine, rows }, null, 2)}\n`);
  return file;
}

/** On a terminal one line that fills up; elsewhere a line when a step begins. */
export function progressBar(): (step: string) => (done: number) => void {
  let last = "";
  return (step) => (done) => {
    if (process.stderr.isTTY) {
      const filled = Math.round(done * 30);
      process.stderr.write(
        `\r${step.padEnd(24)} ${"█".repeat(filled)}${"░".repeat(30 - filled)}${done >= 1 ? "\n" : ""}`,
      );
    } else if (step !== last) {
      process.stderr.write(`${step} …\n`);
      last = step;
    }
  };
}
