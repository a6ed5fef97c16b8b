import { makePast } from "../past.ts";
import type { Row, Scenario } from "../report.ts";
import { explain, hotStatements, type PlanNode, pagesOf } from "../statements.ts";

const STORED = 100_000;

/** How Postgres answers what is asked for each message, poll and page; how many pages of tables and indexes that takes. */
export const plans: Scenario = async ({ system: { database }, progress }) => {
  const past = await makePast(database, STORED, progress("plans: a past"));
  await database.query("vacuum analyze");
  const rows: Row[] = [];
  for (const statement of await hotStatements(database, past)) {
    const explained = await explain(database, statement);
    const { "Planning Time": planning, "Execution Time": execution, Plan } = explained;
    console.log(`\n${statement.name}: planned in ${planning.toFixed(2)} ms, ran for ${execution.toFixed(2)} ms`);
    for (const line of describe(Plan, 1)) console.log(line);
    rows.push({ scenario: "plans", figure: `${statement.name}, pages`, ours: pagesOf(explained), better: "less" });
  }
  console.log();
  return rows;
};

/** What reads or writes a table, a line each; what only hands rows on is left out. */
function describe(node: PlanNode, depth: number): string[] {
  const below = (deeper: number): string[] => (node.Plans ?? []).flatMap((child) => describe(child, deeper));
  const where = [node["Relation Name"], node["Index Name"]].filter(Boolean).join(" by ");
  if (!where) return below(depth);
  const rows = Math.round(node["Actual Rows"] * node["Actual Loops"]);
  const loops = node["Actual Loops"] === 1 ? "" : ` in ${node["Actual Loops"]} look-ups`;
  return [`${"  ".repeat(depth)}${node["Node Type"]} ${where}: ${rows} rows${loops}`, ...below(depth + 1)];
}
