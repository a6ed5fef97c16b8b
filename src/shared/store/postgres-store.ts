import { type EntityManager, oneRow, rows } from "../db/database.ts";
import type { Store } from "./store.ts";

/** Expired rows are swept by every so many writes, which is as often as it is worth. */
const SWEEP_EVERY = 1_000;

/** The store where there is no Redis: one unlogged table. */
export function createPostgresStore(em: EntityManager): Store {
  let writes = 0;
  const sweepSometimes = async (): Promise<void> => {
    if (++writes % SWEEP_EVERY === 0) await rows(em, "delete from kv where expires_at < now()");
  };
  return {
    async get(key) {
      const found = await oneRow<{ value: string }>(em, "select value from kv where key = $1 and expires_at > now()", [
        key,
      ]);
      return found?.value ?? null;
    },
    async getMany(list) {
      const sql = "select key, value from kv where key = any($1::text[]) and expires_at > now()";
      const found = await rows<{ key: string; value: string }>(em, sql, [list]);
      const values = new Map(found.map(({ key, value }) => [key, value]));
      return list.map((key) => values.get(key) ?? null);
    },
    async take(key) {
      const sql = "delete from kv where key = $1 returning case when expires_at > now() then value end as value";
      return (await oneRow<{ value: string | null }>(em, sql, [key]))?.value ?? null;
    },
    async set(key, value, ttlMs) {
      await rows(em, setSql, [key, value, ttlMs]);
      await sweepSometimes();
    },
    async setIfAbsent(key, value, ttlMs) {
      const row = await oneRow<{ value: string }>(em, setIfAbsentSql, [key, value, ttlMs]);
      await sweepSometimes();
      return row?.value ?? value;
    },
    async delete(key) {
      await rows(em, "delete from kv where key = $1", [key]);
    },
    async clear() {
      await rows(em, "delete from kv");
    },
  };
}

const expiry = "now() + $3::float8 * interval '1 millisecond'";

const setSql = `
  insert into kv (key, value, expires_at) values ($1, $2, ${expiry})
  on conflict (key) do update set value = excluded.value, expires_at = excluded.expires_at`;

/** The update keeps a value that still holds: it is there to return the row in every case. */
const setIfAbsentSql = `
  insert into kv (key, value, expires_at) values ($1, $2, ${expiry})
  on conflict (key) do update set
    value = case when kv.expires_at > now() then kv.value else excluded.value end,
    expires_at = case when kv.expires_at > now() then kv.expires_at else excluded.expires_at end
  returning value`;
