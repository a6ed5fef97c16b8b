import { rows } from "../../shared/db/database.ts";
import type { RemoveBatch } from "./batches.ts";

/** A row that is over is still there for somebody who looks for what has happened. */
const LOOKED_FOR = "interval '30 days'";
/** A refresh token that is used again ends its session; after so long it is only refused. */
const THEFT_NOTICED = "interval '7 days'";

/** What is over, by table: the condition, and the columns that tell one row from another. */
const over = [
  // First, so that a session goes with few of them.
  { table: "refresh_tokens", key: "hash", where: `used_at < now() - ${THEFT_NOTICED}` },
  { table: "sessions", key: "id", where: `least(expires_at, ended_at) < now() - ${LOOKED_FOR}` },
  { table: "api_tokens", key: "id", where: `least(expires_at, revoked_at) < now() - ${LOOKED_FOR}` },
  { table: "deliveries", key: "message_id", where: `at < now() - ${LOOKED_FOR}` },
  { table: "api_clients", key: "id", where: `revoked_at < now() - ${LOOKED_FOR}` },
  // What Redis forgets by itself.
  { table: "kv", key: "key", where: "expires_at < now()" },
  { table: "rate_limits", key: "key", where: "expire < extract(epoch from now()) * 1000" },
] as const;

/** A row that somebody is using is left for the next time. */
export const removeOver: readonly { readonly what: string; readonly remove: RemoveBatch }[] = over.map(
  ({ table, key, where }) => ({
    what: table,
    async remove(tx, most) {
      const removed = await rows(
        tx,
        `delete from ${table} where ${key} in (
           select ${key} from ${table} where ${where} limit $1 for update skip locked) returning 1`,
        [most],
      );
      return removed.length;
    },
  }),
);
