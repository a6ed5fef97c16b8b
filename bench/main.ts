import { printTable, progressBar, type Row, type Scenario, saveResults } from "./report.ts";
import { fanout } from "./scenarios/fanout.ts";
import { idle } from "./scenarios/idle.ts";
import { startSystem } from "./system.ts";

/** `npm run bench [-- scenario…]`: each figure beside its ceiling, measured in the same run. */
const scenarios: Readonly<Record<string, Scenario>> = { idle, fanout };
const wanted = process.argv.slice(2);
const names = wanted.length > 0 ? wanted : Object.keys(scenarios);
const unknown = names.filter((name) => !Object.hasOwn(scenarios, name));
if (unknown.length > 0) {
  console.error(`No scenario is called ${unknown.join(", ")}; there are ${Object.keys(scenarios).join(", ")}.`);
  process.exit(1);
}

let stop: (() => Promise<void>) | undefined;
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  // Its servers are processes of their own, which would outlive it.
  process.once(signal, () => void Promise.resolve(stop?.()).finally(() => process.exit(130)));
}

const rows: Row[] = [];
for (const name of names) {
  // A system of its own for each, so that one leaves nothing behind for the next.
  const system = await startSystem();
  stop = system.stop;
  try {
    rows.push(...(await scenarios[name]!({ system, progress: progressBar() })));
  } finally {
    stop = undefined;
    await system.stop();
  }
}
printTable(rows);
console.log(`\nSaved as ${await saveResults(rows)}`);
process.exit();
