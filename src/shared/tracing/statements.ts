import type pg from "pg";
import type { Tracing } from "./tracing.ts";

/** Enough to know which one it is. */
const MOST_TEXT = 300;

type Query = (text: unknown, values?: unknown[]) => Promise<unknown>;

/** Every statement of a connection, with its text and without its parameters. */
export function traceStatements(client: pg.ClientBase, tracing: Tracing): void {
  const query = client.query.bind(client) as Query;
  const traced: Query = (text, values) => {
    if (typeof text !== "string") return query(text, values);
    const flat = text.replace(/\s+/g, " ").trim();
    const name = flat.split(" ", 1)[0]!.toLowerCase();
    // Without parameters there may be values in the text.
    const shown = values?.length ? flat.slice(0, MOST_TEXT) : undefined;
    return tracing.statement(name, shown, () => query(text, values));
  };
  client.query = traced as typeof client.query;
}
