import { type EntityManager, rows } from "../db/database.ts";

interface Turn {
  readonly roomId: number;
  readonly userId: number;
  /** The log position of the entry that made it true. */
  readonly pos: number;
}

/** From this position on the room's entries are theirs to read. */
export async function openMemberships(tx: EntityManager, turns: readonly Turn[]): Promise<void> {
  if (turns.length === 0) return;
  await rows(
    tx,
    `insert into memberships_history (room_id, user_id, joined_pos, joined_at)
     select t.room_id, t.user_id, t.pos, now()
     from unnest($1::bigint[], $2::bigint[], $3::bigint[]) as t (room_id, user_id, pos)`,
    columns(turns),
  );
}

/** Up to this position, its own entry included, they still read; nothing after it. */
export async function closeMemberships(tx: EntityManager, turns: readonly Turn[]): Promise<void> {
  if (turns.length === 0) return;
  await rows(
    tx,
    `update memberships_history h set left_pos = t.pos, left_at = now()
     from unnest($1::bigint[], $2::bigint[], $3::bigint[]) as t (room_id, user_id, pos)
     where h.room_id = t.room_id and h.user_id = t.user_id and h.left_pos is null`,
    columns(turns),
  );
}

const columns = (turns: readonly Turn[]): number[][] => [
  turns.map((turn) => turn.roomId),
  turns.map((turn) => turn.userId),
  turns.map((turn) => turn.pos),
];
