import type pg from "pg";
import { migrations } from "../shared/db/migrations/index.ts";

export interface Table {
  readonly name: string;
  readonly columns: readonly string[];
}

/** What a migration would run; it needs neither driver nor settings to say so. */
export function statementsOf({ class: Made }: (typeof migrations)[number]): string[] {
  const migration = new Made(undefined as never, undefined as never);
  void migration.up();
  return migration.getQueries().map(String);
}

/** Every table that we have made, or shall have: a database may hold others, which are none of our business. */
export const ourTables: readonly string[] = migrations
  .flatMap(statementsOf)
  .flatMap((sql) => /^\s*create (?:unlogged )?table (?:if not exists )?(\w+)/i.exec(sql)?.[1] ?? []);

/** Our tables as they are in this database, each after those that it refers to; caches, which may be lost, are not. */
export async function tablesIn(client: pg.ClientBase): Promise<Table[]> {
  const { rows } = await client.query<Table & { needs: string[] }>(tablesSql, [ourTables]);
  const sorted: Table[] = [];
  const isPlaced = (name: string): boolean => sorted.some((table) => table.name === name);
  while (sorted.length < rows.length) {
    const next = rows.find(({ name, needs }) => !isPlaced(name) && needs.every(isPlaced));
    if (!next) throw new Error("tables refer to each other in a circle");
    sorted.push({ name: next.name, columns: next.columns });
  }
  return sorted;
}

const tablesSql = `
  select c.relname as name,
    array(select a.attname::text from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      order by a.attnum) as columns,
    array(select distinct f.relname::text from pg_constraint r join pg_class f on f.oid = r.confrelid
      where r.conrelid = c.oid and r.contype = 'f' and f.oid <> c.oid) as needs
  from pg_class c
  where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and c.relpersistence = 'p' and c.relname = any($1)
  order by c.relname`;

const quoted = (name: string): string => `"${name}"`;

export const listed = ({ name, columns }: Table): string => `${quoted(name)} (${columns.map(quoted).join(", ")})`;
