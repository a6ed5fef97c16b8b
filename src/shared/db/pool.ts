import pg from "pg";
import { traceStatements } from "../tracing/statements.ts";
import type { Tracing } from "../tracing/tracing.ts";
import { keepPlans } from "./kept-plans.ts";

export interface PoolManners {
  /** Called with every statement; the tests count with it. */
  readonly onStatement?: ((sql: string) => void) | undefined;
  readonly keepPlans?: boolean | undefined;
  readonly tracing?: Tracing | undefined;
}

/** 64-bit integers arrive as numbers (positions stay far below 2^53); statements can be counted, and their plans kept. */
export const preparePool =
  (manners: PoolManners) =>
  (pool: pg.Pool): void => {
    (pool.options.types as pg.TypeOverrides).setTypeParser(pg.types.builtins.INT8, Number);
    pool.on("connect", (client) => {
      if (manners.keepPlans) keepPlans(client);
      if (manners.tracing) traceStatements(client, manners.tracing);
      if (manners.onStatement) countStatements(client, manners.onStatement);
    });
  };

function countStatements(client: pg.ClientBase, onStatement: (sql: string) => void): void {
  const query = client.query.bind(client) as (...args: unknown[]) => unknown;
  const counted = (...args: unknown[]): unknown => {
    const [first] = args;
    onStatement(typeof first === "string" ? first : String((first as { text?: string }).text));
    return query(...args);
  };
  client.query = counted as typeof client.query;
}
