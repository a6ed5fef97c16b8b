import pg from "pg";
import type { World } from "./world.ts";

export interface Held {
  /** Resolves once so many others wait for a lock on this database. */
  isWaitedFor(count?: number): Promise<void>;
  release(): Promise<void>;
}

/** Runs a statement in a transaction that stays open, so that its locks are held. */
export async function holdLocks(
  { env }: { env: Pick<World["env"], "DATABASE_URL"> },
  sql: string,
  parameters: readonly unknown[] = [],
): Promise<Held> {
  const client = new pg.Client({ connectionString: env.DATABASE_URL });
  await client.connect();
  await client.query("begin");
  await client.query(sql, [...parameters]);
  return {
    async isWaitedFor(count = 1) {
      const waiting = "select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
      // Within a transaction Postgres answers what it answered first, unless it is told to look again.
      do await client.query("select pg_stat_clear_snapshot()");
      while ((await client.query(waiting)).rows.length < count);
    },
    async release() {
      await client.query("rollback");
      await client.end();
    },
  };
}
