import type pg from "pg";

/** Who finds all by key is never better off reading a table whole; what takes a millisecond is not worth compiling. */
export const keptPlanSettings = { plan_cache_mode: "force_generic_plan", enable_seqscan: "off", jit: "off" } as const;

/**
 * For connections that run the same few statements all the time, each finding what it needs by key: planning would cost
 * as much as running them.
 */
export const forKeptPlans: pg.ClientConfig = {
  options: Object.entries(keptPlanSettings)
    .map(([name, value]) => `-c ${name}=${value}`)
    .join(" "),
  // A statement is sent when it is there, and not when the one before has been answered.
  pipeline: true,
};

/** Tables grow; a plan that was made while they were empty must not outlive that by long. */
const PLAN_LIFE_MS = 1_000;

type Query = (text: unknown, values?: unknown[]) => Promise<unknown>;

/** Statements with parameters are parsed once for each connection, and planned once in a while. */
export function keepPlans(client: pg.ClientBase, planLifeMs = PLAN_LIFE_MS): void {
  const query = client.query.bind(client) as Query;
  const names = new Map<string, string>();
  let plannedAt = performance.now();
  const kept: Query = (text, values) => {
    if (typeof text !== "string" || !values?.length) return query(text, values);
    if (performance.now() - plannedAt >= planLifeMs) {
      plannedAt = performance.now();
      // Nobody waits for it: a connection that breaks tells whoever asked for more.
      query("discard plans").catch(() => {});
    }
    const name = names.get(text) ?? `kept_${names.size + 1}`;
    names.set(text, name);
    return query({ name, text, values });
  };
  client.query = kept as typeof client.query;
}
