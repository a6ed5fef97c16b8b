import { type Accepted, turnOf } from "../../../bench/load/senders.ts";
import type { Stage } from "./stage.ts";

/** What a trial has left behind, held against what was promised while it ran. */
export interface Books {
  /** In the order of the history. */
  readonly stored: readonly string[];
  /** Accepted, and neither stored nor failed. */
  readonly lost: readonly string[];
  /** Stored more than once. */
  readonly duplicated: readonly string[];
  /** Sends whose id is below that of an earlier one of the same sender. */
  readonly outOfOrder: readonly string[];
  /** Whatever else does not add up. */
  readonly broken: readonly string[];
}

/** By its text, and not by its key: that one is stored once is what is to be shown. */
interface StoredMessage {
  readonly id: string;
  readonly sender_id: number;
  readonly text: string;
}

export async function closeBooks(stage: Stage, accepted: readonly Accepted[]): Promise<Books> {
  return stage.withDatabase(async (client) => {
    const messages = await client.query<StoredMessage>("select id, sender_id, text from messages order by id");
    const failures = await client.query<{ id: string }>("select task_id as id from log where type = 'task.failed'");
    const gaps = await client.query<{ what: string }>(gapsSql);
    const ids = new Set(messages.rows.map(({ id }) => id));
    const failed = new Set(failures.rows.map(({ id }) => id));
    return {
      stored: messages.rows.map(({ id }) => id),
      lost: accepted.filter(({ id }) => !ids.has(id) && !failed.has(id)).map(({ id }) => id),
      duplicated: repeated(messages.rows.map(({ text }) => text)),
      outOfOrder: turnedBack(messages.rows),
      broken: gaps.rows.map(({ what }) => what),
    };
  });
}

/** How many of these ids have come to their end. */
export async function countEnded(stage: Stage, ids: readonly string[]): Promise<number> {
  return stage.withDatabase(async (client) => {
    const { rows } = await client.query<{ n: number }>(
      `select count(*) as n from unnest($1::uuid[]) as t (id)
       where exists (select from messages m where m.id = t.id) or exists (select from log l where l.task_id = t.id)`,
      [ids],
    );
    return rows[0]!.n;
  });
}

/** Positions in the log and numbers in a room are handed out without a gap and without a repetition. */
const gapsSql = `
  select 'the log has gaps' as what from log_head where head <> (select count(*) from log)
  union all
  select 'room ' || r.id || ' has gaps' from rooms r
  where r.last_seq <> (select count(*) from messages m where m.room_id = r.id)`;

export function repeated(values: readonly string[]): string[] {
  const once = new Set<string>();
  return values.filter((value) => once.has(value) || !once.add(value));
}

/** In the order of the history each sender's turns only ever go up. */
function turnedBack(messages: readonly StoredMessage[]): string[] {
  const last = new Map<number, number>();
  return messages
    .filter(({ sender_id, text }) => {
      const turn = turnOf(text);
      const before = last.get(sender_id) ?? -1;
      last.set(sender_id, Math.max(before, turn));
      return turn < before;
    })
    .map(({ id }) => id);
}
