import type { z } from "zod";
import { oneRow } from "../../shared/db/database.ts";
import {
  type MessageRow,
  messageColumns,
  messageOf,
  pointersOf,
  roomOf,
  seenByCountAmong,
  unseenBy,
  unseenCount,
} from "../../shared/db/message-row.ts";
import { enqueue } from "../../shared/jobs/enqueue.ts";
import type { Entry } from "../../shared/log/entry.ts";
import { onceInARow } from "../../shared/once-in-a-row.ts";
import type { Scope } from "../http/route.ts";
import type { Park } from "../realtime/parking.ts";
import { messageJson } from "../realtime/present.ts";
import { isNewMessageFor } from "../realtime/visibility.ts";
import { outcomeOf } from "../realtime/waits.ts";
import { encodeAck, type Marks, mergeMarks } from "./ack.ts";
import { presentMessage } from "./present.ts";
import type { UnseenView } from "./schemas.ts";

export interface ReadUnseen {
  readonly waitMs: number;
  readonly limit: number;
  readonly roomId: number | undefined;
  readonly ack: Marks;
  readonly markSeen: boolean;
  /** Says as well which rooms and messages the number is made of. */
  readonly explain?: boolean | undefined;
  readonly device?: string | undefined;
}

/** A message with its JSON, which is made once however many read it. */
interface Shown {
  readonly id: string;
  readonly room_id: number;
  readonly seq: number;
  readonly json: string;
}

type Explain = NonNullable<z.input<typeof UnseenView>["explain"]>;

interface Found {
  readonly messages: readonly Shown[];
  readonly unseenCount: number;
  readonly explain?: Explain;
}

const NOTHING: Found = { messages: [], unseenCount: 0 };

export interface Unseen {
  readonly messages: readonly Shown[];
  readonly unseen_count: number;
  readonly explain: Explain | undefined;
  readonly ack: string;
  readonly more: boolean;
}

/** The messages go out as the texts that they are already. */
export const unseenJson = onceInARow(
  ({ messages, ...rest }: Unseen): string =>
    `{"messages":[${messages.map(({ json }) => json).join(",")}],${JSON.stringify(rest).slice(1)}`,
);

/** How long an answer with `mark_seen` waits for its mark to be stored, so that the next poll does not repeat it. */
const MARK_WITHIN_MS = 5_000;

/**
 * What the caller has not seen. `ack` counts in this very answer; what of it is not stored yet travels on in the next
 * token, so that nothing is repeated on any process while the job waits.
 */
export async function readUnseen(command: ReadUnseen, scope: Scope): Promise<Unseen> {
  const deadline = performance.now() + command.waitMs;
  for (;;) {
    const snapshot = await takeSnapshot(command, scope);
    const { pending } = snapshot;
    await storeMarks(pending, scope);
    if (snapshot.messages.length > 0) return answer(snapshot, pending, command, scope);

    const waitMs = deadline - performance.now();
    const arrived = waitMs > 0 ? await waitForMessages(snapshot, waitMs, command, scope) : NOTHING;
    // What has come is explained by the database, like what there was.
    if (arrived === "behind" || (command.explain && arrived !== NOTHING)) continue;
    return answer(command.explain ? snapshot : arrived, pending, command, scope);
  }
}

async function waitForMessages(
  { head, roomIds }: Snapshot,
  waitMs: number,
  { roomId, device }: ReadUnseen,
  { caller, client, deps, gone }: Scope,
): Promise<Found | "behind"> {
  const wants = (entry: Entry): boolean =>
    isNewMessageFor(entry, caller.id) && (roomId === undefined || entry.roomId === roomId);
  const park: Park = { kind: "unseen", wants, waitMs, gone, device, present: client.countsAsPresent };
  const wake = await deps.parking.park({ userId: caller.id, pos: head, roomIds }, park);
  if (wake.why === "behind") return "behind";
  if (wake.why === "entries") return foundIn(wake.entries);
  deps.waits.outcomes[outcomeOf(wake.why)]++;
  return NOTHING;
}

/** What many readers wake up to is made once for all of them. */
const foundIn = onceInARow((entries: readonly Entry[]): Found => {
  const messages = entries.map((entry) => ({
    id: entry.message!.id,
    room_id: entry.roomId!,
    seq: entry.message!.seq,
    json: messageJson(entry),
  }));
  return { messages, unseenCount: messages.length };
});

async function answer(found: Found, pending: Marks, command: ReadUnseen, scope: Scope): Promise<Unseen> {
  const { limit, markSeen, waitMs } = command;
  if (waitMs > 0 && found.messages.length > 0) scope.deps.waits.outcomes.data++;
  const page = found.messages.length > limit ? { ...found, messages: found.messages.slice(0, limit) } : found;
  // Nobody's own messages are unseen by them.
  for (const { id } of page.messages) scope.deps.deliveries.add(id);
  if (markSeen && page.messages.length > 0) await markNow(marksOf(page), scope);
  const { epoch } = scope.deps.tail;
  return pending.size === 0 ? unseenOf(page, epoch) : toUnseen(page, epoch, pending);
}

const unseenOf = onceInARow((found: Found, epoch: string): Unseen => toUnseen(found, epoch, new Map()));

const toUnseen = (found: Found, epoch: string, pending: Marks): Unseen => ({
  messages: found.messages,
  unseen_count: found.unseenCount,
  explain: found.explain,
  ack: encodeAck(epoch, mergeMarks(pending, marksOf(found))),
  more: found.unseenCount > found.messages.length,
});

const marksOf = ({ messages }: Found): Map<number, number> =>
  mergeMarks(messages.map((message) => [message.room_id, message.seq] as const));

/** With the queue away the marks are not lost: the next token carries them, and the next poll tries again. */
async function storeMarks(marks: Marks, scope: Scope): Promise<void> {
  if (marks.size === 0) return;
  await enqueueMarks(marks, scope).catch(() => undefined);
}

/** Marks first, answers then: an answer that could not be marked would be given twice. */
async function markNow(marks: Marks, scope: Scope): Promise<void> {
  const { taskWaiters, waits, newId } = scope.deps;
  const taskId = newId();
  const waiting = taskWaiters.wait(taskId, MARK_WITHIN_MS, scope.gone);
  try {
    await enqueueMarks(marks, scope, taskId);
    await waits.during("task", scope.gone, waiting.settled);
  } finally {
    waiting.cancel();
  }
}

/** A job for the read pointers; answers its task id. */
export async function enqueueMarks(
  marks: Marks,
  { caller, deps, requestId }: Pick<Scope, "deps"> & { caller: Pick<Scope["caller"], "id">; requestId?: string },
  taskId = deps.newId(),
): Promise<string> {
  const list = [...marks].map(([roomId, upToSeq]) => ({ roomId, upToSeq }));
  const at = new Date(deps.now()).toISOString();
  // Marks of one person stay in order, wherever what they mark is.
  const queue = deps.backend.queueFor(caller.id);
  const data = { userId: caller.id, marks: list, at, requestId };
  await enqueue(deps.log, queue, { id: taskId, name: "messages.seen", data });
  return taskId;
}

interface Snapshot extends Found {
  /** The log position that this is the state of. */
  readonly head: number;
  readonly roomIds: readonly number[];
  /** What of the ack is not stored yet. */
  readonly pending: Marks;
}

async function takeSnapshot(
  { ack, roomId, limit, explain = false }: ReadUnseen,
  { caller, deps }: Scope,
): Promise<Snapshot> {
  const row = await oneRow<SnapshotRow>(deps.em, snapshotSql, [
    caller.id,
    [...ack.keys()],
    [...ack.values()],
    roomId ?? null,
    limit,
    explain,
  ]);
  const { head, room_ids, pending, messages, unseen_count, explained } = row!;
  const shown = messages.map((message) => ({
    id: message.id,
    room_id: message.room_id,
    seq: message.seq,
    json: JSON.stringify(presentMessage(message, caller.id)),
  }));
  const found = { messages: shown, unseenCount: unseen_count, ...(explained && { explain: { rooms: explained } }) };
  return { head, roomIds: room_ids, pending: mergeMarks(pending), ...found };
}

interface SnapshotRow {
  head: number;
  room_ids: number[];
  pending: [number, number][];
  messages: MessageRow[];
  unseen_count: number;
  explained: Explain["rooms"] | null;
}

const PLACE = { user: "$1", room: "b.room_id", readSeq: "b.read_seq", lastSeq: "b.last_seq" };
const UNSEEN = unseenBy(PLACE);
/** Of each room the oldest so many are named. */
const MOST_EXPLAINED = 100;
/** With so many of their own behind a pointer, and nothing unseen, it moves past them: they are not counted for ever. */
const MOST_OWN = 100;

/**
 * One statement, so that all of it is the state at `head` and nothing before or after. Each room is read from its
 * pointer on, by its index, as far as there is something unseen; the pages of all rooms are merged in commit order.
 */
export const snapshotSql = `
  with mine as materialized (
    select m.room_id, m.read_seq as stored_seq, r.last_seq, a.seq is not null as acked,
      -- An ack covers what was shown, and never what is still to come.
      greatest(m.read_seq, least(coalesce(a.seq, 0), r.last_seq)) as read_seq
    from members m
    cross join lateral ${roomOf("m.room_id")} r
    left join unnest($2::bigint[], $3::bigint[]) as a (room_id, seq) on a.room_id = m.room_id
    where m.user_id = $1
  ), behind as materialized (
    select b.*, ${unseenCount(PLACE)} as n
    from mine b where last_seq > read_seq and ($4::bigint is null or room_id = $4)
  ), page as (
    select b.room_id, x.id, x.pos
    from behind b
    cross join lateral (
      select m.id, m.pos from messages m
      where ${UNSEEN}
      order by m.seq limit least($5, b.n)
    ) x
    where b.n > 0
    order by x.pos limit $5
  ), seen as materialized (
    select * from (select distinct room_id from page) rooms cross join lateral ${pointersOf("rooms.room_id")}
  ), shown as (
    select page.pos, one.* from page join seen pointers using (room_id)
    cross join lateral (select ${messageColumns}, ${seenByCountAmong} from ${messageOf("page.id")}) one
  ), pending as (
    select room_id, read_seq from mine where acked and read_seq > stored_seq
    union all
    select room_id, last_seq from behind where n = 0 and last_seq - read_seq >= ${MOST_OWN}
  )
  select
    (select head from log_head) as head,
    (select coalesce(jsonb_agg(room_id), '[]') from mine) as room_ids,
    (select coalesce(jsonb_agg(jsonb_build_array(room_id, read_seq)), '[]') from pending) as pending,
    (select coalesce(jsonb_agg(to_jsonb(shown) order by shown.pos), '[]') from shown) as messages,
    (select coalesce(sum(n), 0)::bigint from behind) as unseen_count,
    case when $6::boolean then (
      select coalesce(jsonb_agg(jsonb_build_object(
        'room_id', b.room_id, 'unseen_count', b.n, 'read_seq', b.read_seq, 'last_seq', b.last_seq, 'message_ids', x.ids
      ) order by b.room_id), '[]')
      from behind b cross join lateral (
        select jsonb_agg(one.id order by one.seq) as ids
        from (select m.id, m.seq from messages m where ${UNSEEN} order by m.seq limit least(${MOST_EXPLAINED}, b.n)) one
      ) x
      where b.n > 0
    ) end as explained`;
