import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";

const EVERY_MS = 10;

/** How many transactions wait, on average, and for what. */
export interface Waits {
  /** For the row that hands out positions. */
  readonly head: number;
  /** For a room that another batch holds. */
  readonly rooms: number;
  /** For the disk, or for whoever is writing to it. */
  readonly disk: number;
}

/** Looks at what this database's transactions wait for, again and again, while something is done. */
export async function waitsDuring(database: pg.Client, work: () => Promise<void>): Promise<Waits> {
  const sum = { head: 0, rooms: 0, disk: 0 };
  let looks = 0;
  let working = true;
  const looking = (async () => {
    while (working) {
      const found = (await database.query<Waits>(waitsSql)).rows[0]!;
      for (const name of Object.keys(sum) as (keyof Waits)[]) sum[name] += found[name];
      looks++;
      await sleep(EVERY_MS);
    }
  })();
  try {
    await work();
  } finally {
    working = false;
    await looking;
  }
  return { head: sum.head / looks, rooms: sum.rooms / looks, disk: sum.disk / looks };
}

const waitsSql = `
  select
    (count(*) filter (where wait_event_type = 'Lock' and query like '%update log_head%'))::int as head,
    (count(*) filter (where wait_event_type = 'Lock' and query not like '%update log_head%'))::int as rooms,
    (count(*) filter (where wait_event_type in ('IO', 'LWLock')))::int as disk
  from pg_stat_activity
  where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()`;
