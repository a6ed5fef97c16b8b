import { oneRow } from "../../shared/db/database.ts";
import { messageColumns, messageOf } from "../../shared/db/message-row.ts";
import { type Entry, type EntryRow, toEntry } from "../../shared/log/entry.ts";
import type { ApiDeps } from "../deps.ts";
import { type From, offsetGone } from "./offsets.ts";

/** Of one page; what is more comes with the next. */
export const PAGE = 500;

export interface FeedPage {
  readonly entries: readonly Entry[];
  /** Go on from here. */
  readonly next: number;
  /** Whether that is the end of the log, as it was when this was read. */
  readonly upToDate: boolean;
  readonly roomIds: readonly number[];
}

export interface ReadFeed {
  readonly userId: number;
  readonly roomId: number | undefined;
  readonly from: From;
}

/** What this user may see after a position: each room for as long as they were in it, and what concerns them alone. */
export async function readFeed({ userId, roomId, from }: ReadFeed, { em }: Pick<ApiDeps, "em">): Promise<FeedPage> {
  const row = await oneRow<FeedRow>(em, feedSql, [userId, roomId ?? null, from === "now" ? null : from, PAGE]);
  const { head, kept_after: keptAfter, room_ids: roomIds, full_to, entries } = row!;
  if (from !== "now" && from > head) throw offsetGone("This offset is ahead of the log");
  if (from !== "now" && from >= 0 && from < keptAfter) throw offsetGone("The log is not kept that long");
  return { entries: entries.map(toEntry), next: full_to ?? head, upToDate: full_to === null, roomIds };
}

interface FeedRow {
  head: number;
  kept_after: number;
  room_ids: number[];
  /** Where a full page ends; null if the page is the last. */
  full_to: number | null;
  entries: EntryRow[];
}

/**
 * One statement, so that the page is the state at `head`, and nothing is swept between a look at where the log begins
 * and the entries. Each turn of a membership is a range of the room's part of
 * the log, found by index; the positions of all turns are merged before any entry is read. Messages of rooms that are
 * gone are gone with them.
 */
export const feedSql = `
  with head as materialized (
    select h.head, h.kept_after, greatest(coalesce($3::bigint, h.head), h.kept_after) as after
    from log_head h
  ), turns as materialized (
    select t.room_id, greatest(t.joined_pos - 1, head.after) as after, coalesce(t.left_pos, head.head) as until
    from memberships_history t, head
    where t.user_id = $1 and ($2::bigint is null or t.room_id = $2) and coalesce(t.left_pos, head.head) > head.after
  ), found as (
    select x.* from turns t cross join lateral (
      select l.pos from log l where l.room_id = t.room_id and l.pos > t.after and l.pos <= t.until order by l.pos limit $4
    ) x
    union all
    (select l.pos from log l, head
      where l.user_id = $1 and $2::bigint is null and l.pos > head.after order by l.pos limit $4)
  ), page as (
    select l.* from (select pos from found order by pos limit $4) f
    cross join lateral (select * from log where pos = f.pos limit 1) l
  )
  select head.head, head.kept_after,
    (select coalesce(jsonb_agg(room_id), '[]') from members where user_id = $1) as room_ids,
    (select case when count(*) = $4 then max(pos) end from page) as full_to,
    (select coalesce(jsonb_agg(to_jsonb(one) order by one.pos), '[]') from (
      select page.*, x.message from page
      left join lateral (
        select to_jsonb(m) as message from (
          select ${messageColumns}, 0 as seen_by_count from ${messageOf("page.message_id")}
        ) m limit 1
      ) x on true
      where page.message_id is null or x.message is not null
    ) one) as entries
  from head`;
