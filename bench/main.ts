import { parseArgs } from "node:util";
import { printProfiles } from "./profile.ts";
import { printTable, progressBar, type Row, type Scenario, saveResults } from "./report.ts";
import { accept } from "./scenarios/accept.ts";
import { backends } from "./scenarios/backends.ts";
import { clients } from "./scenarios/clients.ts";
import { deliver } from "./scenarios/deliver.ts";
import { fanout } from "./scenarios/fanout.ts";
import { growth } from "./scenarios/growth.ts";
import { idle } from "./scenarios/idle.ts";
import { latency } from "./scenarios/latency.ts";
import { plans } from "./scenarios/plans.ts";
import { scale } from "./scenarios/scale.ts";
import { users } from "./scenarios/users.ts";
import { profileInto, startSystem } from "./system.ts";

/** `npm run bench [-- scenario…]`: each figure beside its ceiling, measured in the same run. */
const scenarios: Readonly<Record<string, Scenario>> = {
  accept,
  deliver,
  latency,
  idle,
  fanout,
  ...growth,
  users,
  plans,
  backends,
  clients,
  scale,
};
const { values: options, positionals: wanted } = parseArgs({
  allowPositionals: true,
  options: { profile: { type: "boolean" }, help: { type: "boolean", short: "h" } },
});
if (options.help) {
  console.log(`npm run bench [-- scenario…] [-- --profile]

Starts a system of its own (PostgreSQL, Redis, one API, one worker) and measures each scenario beside the ceiling of
what is underneath, in the same run. Prints one table and saves it in bench/results/.

Scenarios: ${Object.keys(scenarios).join(", ")}; all of them if none is named.
--profile  also says where each process spent its time; the profiles stay in bench/results/ (DevTools opens them)`);
  process.exit();
}
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

const profiles = `bench/results/profiles-${Date.now()}`;
if (options.profile) profileInto(profiles);
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
if (options.profile) await printProfiles(profiles);
console.log(`\nSaved as ${await saveResults(rows)}`);
process.exit();
