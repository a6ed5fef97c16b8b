import { type EntityManager, rows } from "../../shared/db/database.ts";
import { AppError } from "../../shared/errors.ts";
import type { SendJob } from "../../shared/jobs/catalog.ts";
import type { PlacedMessage } from "../../shared/log/append.ts";
import type { LogWrites } from "../../shared/log/writes.ts";
import { CANCEL_LOCK, keyMismatch, sendCancelled } from "../../shared/sends.ts";
import type { Outcome, Task } from "../task.ts";
import { ensureDirectRooms } from "./direct-rooms.ts";

type SendTask = Task<SendJob>;

/** Gives each message its place in its room, or the reason why it has none; nothing is written before `append`. */
export async function placeMessages(
  tx: EntityManager,
  tasks: readonly SendTask[],
  writes: LogWrites,
): Promise<Map<string, Outcome>> {
  const outcomes = new Map<string, Outcome>();
  if (tasks.length === 0) return outcomes;
  // Within a batch, places follow the order of acceptance.
  const sends = tasks.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const directRooms = await ensureDirectRooms(tx, sends, writes);
  const roomOf = (task: SendTask): number | undefined => task.data.roomId ?? directRooms.get(task.id);

  // Sent together and done one after the other: the facts are read when the rooms are locked.
  const [rooms, facts] = await Promise.all([lockRooms(tx, sends.map(roomOf)), readFacts(tx, sends, roomOf)]);
  for (const task of sends) outcomes.set(task.id, settle(task, roomOf(task), { rooms, facts, writes }));
  return outcomes;
}

/** In id order, as everywhere; a room that is gone is missing from the answer. */
async function lockRooms(tx: EntityManager, ids: readonly (number | undefined)[]): Promise<Map<number, number>> {
  const wanted = [...new Set(ids.filter((id) => id !== undefined))];
  const found = await rows<{ id: number; last_seq: number }>(
    tx,
    // The lock is what makes `seq` gapless: a reader that has seen 7 has seen 1 to 6.
    // Not "for update": a receipt's foreign key shares the key of the room, after its member was locked.
    `select id, last_seq, pg_advisory_xact_lock_shared(${CANCEL_LOCK}) from rooms
     where id = any($1::bigint[]) order by id for no key update`,
    [wanted],
  );
  return new Map(found.map((room) => [room.id, room.last_seq]));
}

interface Stored {
  readonly id: string;
  readonly roomId: number;
  readonly text: string;
}

interface Facts {
  readonly members: Set<string>;
  /** Messages that are stored already, by task id and by sender and key. */
  readonly stored: Map<string, Stored>;
  /** Tasks whose sender wants them stored no more. */
  readonly cancelled: Set<string>;
}

interface FactRow extends Stored {
  readonly kind: "member" | "stored" | "cancelled";
  readonly key: string;
}

const keyOf = ({ senderId, clientKey }: SendJob): string => (clientKey === null ? "" : `${senderId}:${clientKey}`);
const memberKey = (roomId: number, userId: number): string => `${roomId}:${userId}`;

/** Read after the rooms are locked, so that a message, a leave or a cancelling that committed just before is seen. */
async function readFacts(
  tx: EntityManager,
  sends: readonly SendTask[],
  roomOf: (task: SendTask) => number | undefined,
): Promise<Facts> {
  const keyed = sends.filter((task) => task.data.clientKey !== null);
  const found = await rows<FactRow>(tx, factsSql, [
    sends.map((task) => roomOf(task) ?? 0),
    sends.map((task) => task.data.senderId),
    sends.map((task) => task.id),
    keyed.map((task) => task.data.senderId),
    keyed.map((task) => task.data.clientKey),
  ]);
  const keysOf = (kind: FactRow["kind"]) => new Set(found.filter((row) => row.kind === kind).map(({ key }) => key));
  const stored = new Map(found.filter(({ kind }) => kind === "stored").map((row) => [row.key, row]));
  return { members: keysOf("member"), stored, cancelled: keysOf("cancelled") };
}

export const factsSql = `
  select 'member' as kind, m.room_id || ':' || m.user_id as key, null::uuid as id, null::bigint as "roomId", null as text
  from (select distinct * from unnest($1::bigint[], $2::bigint[]) as t (room_id, user_id)) w
  join members m on m.room_id = w.room_id and m.user_id = w.user_id
  join users u on u.id = m.user_id and u.deactivated_at is null
  union all
  select 'stored', m.id::text, m.id, m.room_id, m.text from messages m where m.id = any($3::uuid[])
  union all
  -- One look-up by its index for each, so that no statistics can make it a scan of the log.
  select 'cancelled', t.id::text, null, null, null
  from unnest($3::uuid[]) as t (id)
  cross join lateral (
    select from log l where l.task_id = t.id and l.data->'error'->>'code' = 'cancelled' limit 1
  ) c
  union all
  select 'stored', m.sender_id || ':' || m.client_key, m.id, m.room_id, m.text
  from unnest($4::bigint[], $5::text[]) as k (sender_id, client_key)
  join messages m on m.sender_id = k.sender_id and m.client_key = k.client_key`;

interface Places {
  readonly rooms: Map<number, number>;
  readonly facts: Facts;
  readonly writes: LogWrites;
}

/** Stored before, refused, or given its place. */
function settle(task: SendTask, roomId: number | undefined, { rooms, facts, writes }: Places): Outcome {
  const itself = facts.stored.get(task.id);
  if (itself) return { result: { message_id: itself.id } };
  if (facts.cancelled.has(task.id)) return { problem: sendCancelled() };
  const sameKey = facts.stored.get(keyOf(task.data));
  if (sameKey && !isSame(sameKey, roomId, task.data.text)) return { problem: keyMismatch() };
  if (sameKey) {
    // Whoever waits for this one has no entry to wake up by.
    writes.silentTasks.push(task.id);
    return { result: { message_id: sameKey.id } };
  }
  const problem = refuse(task, roomId, rooms, facts);
  return problem ? { problem } : { result: { message_id: place(task, roomId!, { rooms, facts, writes }) } };
}

/** What a deleted message said is not known any more: it is the same as whatever has its key. */
const isSame = (stored: Stored, roomId: number | undefined, text: string): boolean =>
  stored.roomId === roomId && (stored.text === text || stored.text === "");

/** Checked again here, because it may have changed since the API looked. */
function refuse(task: SendTask, roomId: number | undefined, rooms: Map<number, number>, facts: Facts) {
  if (roomId === undefined) return new AppError("user_not_found", `No user has the id ${task.data.recipientId}`);
  if (!rooms.has(roomId)) return new AppError("room_not_found", `No room has the id ${roomId}`);
  if (!facts.members.has(memberKey(roomId, task.data.senderId))) {
    return new AppError("not_a_member", `You are not a member of room ${roomId}`);
  }
  return undefined;
}

function place(task: SendTask, roomId: number, { rooms, facts, writes }: Places): string {
  const seq = rooms.get(roomId)! + 1;
  rooms.set(roomId, seq);
  const { senderId, text, clientKey, acceptedAt, requestId } = task.data;
  const message: PlacedMessage = { id: task.id, roomId, seq, senderId, text, clientKey, acceptedAt, requestId };
  writes.messages.push(message);
  // The same key twice in one batch is one message, like the same key in two.
  facts.stored.set(task.id, message);
  if (clientKey !== null) facts.stored.set(keyOf(task.data), message);
  return task.id;
}
