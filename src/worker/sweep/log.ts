import { type EntityManager, oneRow, rows } from "../../shared/db/database.ts";
import type { RemoveBatch } from "./batches.ts";

/**
 * The oldest entries, if they are older than so many days. Where the log begins moves in the transaction that removes
 * them: a reader sees both or neither, and so gets every entry or hears that they are gone.
 */
export const removeOldEntries =
  (days: number): RemoveBatch =>
  async (tx, most) => {
    const { kept_after: keptAfter, until } = await look(tx, most, days);
    if (until === null || until <= keptAfter) return 0;
    await rows(tx, "delete from log where pos > $1 and pos <= $2", [keptAfter, until]);
    // Last, because whoever appends waits for it: from here it is one commit.
    await rows(tx, "update log_head set kept_after = $1", [until]);
    return until - keptAfter;
  };

const look = async (tx: EntityManager, most: number, days: number) =>
  (await oneRow<{ kept_after: number; until: number | null }>(tx, oldestSql, [most, days]))!;

/** By position: times need not be in order, and have no index. The first entry that is young enough ends it. */
const oldestSql = `
  select h.kept_after, coalesce(min(o.pos) filter (where o.at >= now() - make_interval(days => $2::int)) - 1, max(o.pos))
    as until
  from log_head h
  left join lateral (select pos, at from log where pos > h.kept_after order by pos limit $1) o on true
  group by h.kept_after`;
