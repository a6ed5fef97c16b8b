import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { expect } from "chai";
import type { Page } from "playwright-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

interface Finding {
  readonly id: string;
  readonly impact: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
}

/** Nothing that keeps people out, as far as a program can tell. */
export async function expectNoFault(page: Page, name: string, rules?: readonly string[]): Promise<void> {
  const options = JSON.stringify({ resultTypes: ["violations"], ...(rules && { runOnly: rules }) });
  await page.evaluate(axe);
  const found = (await page.evaluate(`axe.run(${options})`)) as { violations: Finding[] };
  const told = found.violations.map(
    ({ id, impact, nodes }) => `${impact} ${id}: ${nodes[0]!.html} ${nodes[0]!.failureSummary}`,
  );
  expect(told, name).to.deep.equal([]);
}
