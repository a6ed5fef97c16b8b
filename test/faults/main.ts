import { randomInt } from "node:crypto";
import { commandLine, leave } from "../../bench/load/command-line.ts";
import { progressBar } from "../../bench/report.ts";
import { tell, writePage } from "./report.ts";
import { faults } from "./trial/faults.ts";
import { Servers } from "./trial/servers.ts";
import { complaints, nameOf, runTrial, type Verdict } from "./trial/trial.ts";

const HELP = `npm run test:faults [-- words… --seed N --sends N --write --list]

Real APIs and workers on a private Postgres and Redis, 20 clients that send and 6 that read, and one fault after
another. Ends with 1 if any message is lost, stored or delivered twice, or out of order, or another promise is broken.

  words        only the faults with one of these in their names, e.g. "Redis killed"
  --seed N     when each fault strikes, and whom: that of an earlier run repeats it
  --sends N    messages for each fault (2,000 if you say nothing)
  --write      puts what came of each fault into the table of docs/reliability.md (with the usual number of sends)
  --list       names the faults
  --help       this`;

const USUAL_SENDS = 2_000;
const { values, positionals } = commandLine(HELP, {
  seed: { type: "string" },
  sends: { type: "string" },
  write: { type: "boolean" },
  list: { type: "boolean" },
});
const all = faults.flatMap((fault) => fault.on.map((carrier) => ({ fault, carrier, name: nameOf(fault, carrier) })));
const names = all.map(({ name }) => name);
const chosen = all.filter(
  ({ name }) =>
    positionals.length === 0 || positionals.some((words) => name.toLowerCase().includes(words.toLowerCase())),
);
const seed = positive("seed", randomInt(1, 2 ** 31));
const sends = positive("sends", USUAL_SENDS);
if (values.list) leave(all.map(({ name, fault }) => `${name}: ${fault.what}`).join("\n"), 0);
if (chosen.length === 0) leave(`No fault is called ${positionals.join(" or ")}; --list names them`, 1);
if (values.write && sends < USUAL_SENDS) leave(`--write is for ${USUAL_SENDS} sends at least`, 1);

let servers = await Servers.start();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  // They are processes of their own, which would outlive us.
  process.once(signal, () => void servers.stop().finally(() => process.exit(130)));
}
console.log(`${chosen.length} faults, ${sends} sends each; --seed ${seed} repeats this run`);
const bar = progressBar();
const verdicts: Verdict[] = [];
const failed: string[] = [];
for (const [i, { fault, carrier, name }] of chosen.entries()) {
  try {
    const progress = bar(`${i + 1}/${chosen.length} ${name}`);
    const verdict = await runTrial({ servers, fault, carrier, seed, sends, progress });
    verdicts.push(verdict);
    if (complaints(verdict).length > 0) failed.push(name);
    console.log(tell(verdict));
  } catch (error) {
    failed.push(name);
    console.log(`✘ ${name}: could not be carried out`, error);
    // Whatever state it has left its servers in: the next fault finds new ones.
    await servers.stop();
    servers = await Servers.start();
  }
}
await servers.stop();
if (values.write) await writePage(verdicts, seed, names);
for (const name of failed) console.log(`To see it again: npm run test:faults -- "${name}" --seed ${seed}`);
console.log(`${chosen.length - failed.length} of ${chosen.length} faults did no harm`);
process.exit(failed.length > 0 ? 1 : 0);

function positive(name: "seed" | "sends", otherwise: number): number {
  const given = values[name];
  if (given === undefined) return otherwise;
  if (!/^[1-9]\d{0,9}$/.test(given)) leave(`--${name} must be a whole number above 0, not ${given}`, 1);
  return Number(given);
}
