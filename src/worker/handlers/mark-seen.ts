import { type EntityManager, rows } from "../../shared/db/database.ts";
import type { SeenJob } from "../../shared/jobs/catalog.ts";
import type { LogWrites } from "../../shared/log/writes.ts";
import type { Outcome, Task } from "../task.ts";

/**
 * Moves read pointers, which only ever grow, and writes one receipt for each move, so that a mark that is repeated
 * leaves nothing behind.
 */
export async function moveReadPointers(
  tx: EntityManager,
  tasks: readonly Task<SeenJob>[],
  writes: LogWrites,
): Promise<Map<string, Outcome>> {
  const marks = tasks.flatMap(({ id, data }) =>
    data.marks.map((mark) => ({ taskId: id, userId: data.userId, ...mark })),
  );
  const moved =
    marks.length === 0
      ? []
      : await rows<Moved>(tx, moveSql, [
          marks.map((mark) => mark.roomId),
          marks.map((mark) => mark.userId),
          marks.map((mark) => mark.upToSeq),
        ]);
  const told = new Set<string>();
  for (const { room_id: roomId, user_id: userId, seq } of moved) {
    const taskId = marks.find((mark) => mark.roomId === roomId && mark.userId === userId)!.taskId;
    told.add(taskId);
    writes.add({
      type: "messages.seen",
      roomId,
      actorId: userId,
      taskId,
      data: { user_id: userId, up_to_seq: seq },
    });
  }
  // Whoever waits for a task that moved nothing (any more) has no entry to wake up by.
  writes.silentTasks.push(...tasks.map((task) => task.id).filter((id) => !told.has(id)));
  return new Map(tasks.map((task) => [task.id, { result: {} }]));
}

interface Moved {
  room_id: number;
  user_id: number;
  seq: number;
}

/** Rows are locked in (room, user) order; a pointer goes to the end of the room at most. */
export const moveSql = `
  with wanted as (
    select room_id, user_id, max(up_to_seq) as up_to_seq
    from unnest($1::bigint[], $2::bigint[], $3::bigint[]) as t (room_id, user_id, up_to_seq)
    group by room_id, user_id
  ), locked as (
    select m.room_id, m.user_id, m.read_seq, least(w.up_to_seq, r.last_seq) as target
    from wanted w
    join members m on m.room_id = w.room_id and m.user_id = w.user_id
    join rooms r on r.id = m.room_id
    order by m.room_id, m.user_id
    for update of m
  ), moved as (
    update members m set read_seq = l.target
    from locked l
    where m.room_id = l.room_id and m.user_id = l.user_id and l.target > l.read_seq
    returning m.room_id, m.user_id, l.read_seq as from_seq, m.read_seq as seq
  ), receipted as (
    insert into receipts (room_id, user_id, from_seq, seq, at)
    select room_id, user_id, from_seq, seq, now() from moved
  )
  select room_id, user_id, seq from moved order by room_id, user_id`;
