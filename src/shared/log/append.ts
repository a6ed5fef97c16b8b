import { type EntityManager, oneRow } from "../db/database.ts";
import { channels, type NewEntry } from "./entry.ts";

/** A message that has its place in its room and is about to get its position in the log. */
export interface PlacedMessage {
  readonly id: string;
  readonly roomId: number;
  readonly seq: number;
  readonly senderId: number;
  readonly text: string;
  readonly clientKey: string | null;
  readonly acceptedAt: string;
  readonly requestId?: string | undefined;
}

/**
 * Appends entries, then messages (a room comes before what is said in it), and announces the new head; the caller's commit makes all of it true at once.
 *
 * Lock order, everywhere: rooms by id, then members by (room, user), then `log_head`, last. From here to the commit
 * nobody else gets a position, which is what makes positions gapless and in commit order: a reader that has seen n has
 * seen everything up to n.
 *
 * @returns the position before the first entry.
 */
export async function append(tx: EntityManager, appended: Appended): Promise<number> {
  if (!appended.messages?.length && !appended.entries?.length) throw new Error("append needs at least one entry");
  const result = await oneRow<{ base: number }>(tx, appendSql, appendParameters(appended));
  if (!result) throw new Error("log_head has no row: the database is not migrated");
  return result.base;
}

interface Appended {
  readonly messages?: readonly PlacedMessage[];
  readonly entries?: readonly NewEntry[];
}

/** What `appendSql` takes, in its order. */
export const appendParameters = ({ messages = [], entries = [] }: Appended): unknown[] => [
  messages.length + entries.length,
  messages.map((m) => m.id),
  messages.map((m) => m.roomId),
  messages.map((m) => m.seq),
  messages.map((m) => m.senderId),
  messages.map((m) => m.text),
  messages.map((m) => m.clientKey),
  messages.map((m) => m.acceptedAt),
  messages.map((m) => m.requestId ?? null),
  entries.map((e) => e.roomId ?? null),
  entries.map((e) => e.userId ?? null),
  entries.map((e) => e.type),
  entries.map((e) => e.actorId),
  entries.map((e) => e.messageId ?? null),
  entries.map((e) => e.taskId ?? null),
  entries.map((e) => (e.data ? JSON.stringify(e.data) : null)),
];

/** An entry for messages alone would be two statements more for every batch; this one does it all in one round trip. */
export const appendSql = `
  with head as (
    update log_head set head = head + $1::bigint returning head, head - $1::bigint as base
  ), placed as (
    select t.*, head.base + cardinality($12::text[]) + t.ord as pos
    from head, unnest($2::uuid[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[], $7::text[], $8::timestamptz[],
        $9::text[])
      with ordinality as t (id, room_id, seq, sender_id, text, client_key, accepted_at, request_id, ord)
  ), stored as (
    insert into messages (id, room_id, seq, pos, sender_id, text, client_key, accepted_at, created_at)
    select id, room_id, seq, pos, sender_id, text, client_key, accepted_at, now() from placed
  ), advanced as (
    update rooms r set last_seq = last.seq, last_pos = last.pos, last_message_id = last.id
    from (select distinct on (room_id) room_id, seq, pos, id from placed order by room_id, seq desc) last
    where r.id = last.room_id
  ), logged as (
    insert into log (pos, room_id, user_id, type, actor_id, message_id, task_id, data, at)
    select pos, room_id, null::bigint, 'message.created', sender_id, id, null::uuid,
      case when request_id is not null then jsonb_build_object('request_id', request_id) end, now() from placed
    union all
    select head.base + t.ord, t.room_id, t.user_id, t.type, t.actor_id, t.message_id, t.task_id, t.data, now()
    from head, unnest($10::bigint[], $11::bigint[], $12::text[], $13::bigint[], $14::uuid[], $15::uuid[], $16::jsonb[])
      with ordinality as t (room_id, user_id, type, actor_id, message_id, task_id, data, ord)
  )
  select base, pg_notify('${channels.log}', head::text) from head`;
