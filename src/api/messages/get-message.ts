import { oneRow } from "../../shared/db/database.ts";
import { type MessageRow, messageColumns, seenByCount } from "../../shared/db/message-row.ts";
import { messageNotFound } from "../../shared/policies.ts";
import type { Scope } from "../http/route.ts";
import { isoTime } from "../http/schemas.ts";
import { newestAboutMessage } from "../replicas/newest.ts";
import { readList } from "../replicas/read-list.ts";
import { presentMessage } from "./present.ts";

/** A message is there for the members of its room and for nobody else. */
export async function getMessage(id: string, { caller, deps }: Scope) {
  const row = await oneRow<MessageRow>(
    deps.em,
    `select ${messageColumns}, ${seenByCount}
     from messages m join users u on u.id = m.sender_id
     join members me on me.room_id = m.room_id and me.user_id = $2
     where m.id = $1`,
    [id, caller.id],
  );
  if (!row) throw messageNotFound(id);
  deps.deliveries.ofPage([row], caller.id);
  return presentMessage(row, caller.id);
}

/** Who saw it and when; and who is there, was there when it was sent, and has not. */
export async function getReceipts(id: string, { caller, deps }: Scope) {
  const row = await readList<{ receipts: Receipt[]; unseen_by: { id: number; username: string }[] }>(
    { sql: receiptsSql, parameters: [id, caller.id], newest: newestAboutMessage(id, caller.id) },
    deps,
  );
  if (!row) throw messageNotFound(id);
  return {
    receipts: row.receipts.map(({ seen_at, ...who }) => ({ ...who, seen_at: isoTime(seen_at) })),
    unseen_by: row.unseen_by,
  };
}

interface Receipt {
  user_id: number;
  username: string;
  seen_at: string;
}

const receiptsSql = `
  select
    (select coalesce(jsonb_agg(jsonb_build_object('user_id', u.id, 'username', u.username, 'seen_at', s.at) order by s.at, u.id), '[]')
      from receipts s join users u on u.id = s.user_id
      where s.room_id = m.room_id and s.seq >= m.seq and s.from_seq < m.seq and s.user_id <> m.sender_id) as receipts,
    (select coalesce(jsonb_agg(jsonb_build_object('id', u.id, 'username', u.username) order by u.id), '[]')
      from members x join users u on u.id = x.user_id
      where x.room_id = m.room_id and x.read_seq < m.seq and x.user_id <> m.sender_id) as unseen_by
  from messages m
  join members me on me.room_id = m.room_id and me.user_id = $2
  where m.id = $1`;
