/** Asked of the primary: where in the log a list changed last, as `newest`; no row if the caller may not see it. */
export interface Newest {
  readonly sql: string;
  readonly parameters: readonly unknown[];
}

/**
 * The last entry of a room, found by its key: the greatest of all (room, position) up to here, if it is of this room. A
 * planner that is asked for the last of one room may go through the log from its end.
 */
const newestOfRoom = (room: string): string => `(
  select l.pos from (
    select room_id, pos from log
    where room_id is not null and (room_id, pos) <= (${room}, 9223372036854775807)
    order by room_id desc, pos desc limit 1
  ) l where l.room_id = ${room})`;

/** For its members. */
export const newestInRoom = (by: "id" | "direct_key", room: number | string, userId: number): Newest => ({
  sql: `
    select ${newestOfRoom("r.id")} as newest
    from rooms r join members me on me.room_id = r.id and me.user_id = $2 where r.${by} = $1`,
  parameters: [room, userId],
});

export const newestAboutMessage = (id: string, userId: number): Newest => ({
  sql: `
    select ${newestOfRoom("m.room_id")} as newest
    from messages m join members me on me.room_id = m.room_id and me.user_id = $2 where m.id = $1`,
  parameters: [id, userId],
});

/** In their rooms, and in those that they have left: these are not in their list any more. */
export const newestInRoomsOf = (userId: number): Newest => ({
  sql: `
    select greatest(
      (select max(${newestOfRoom("me.room_id")}) from members me where me.user_id = $1),
      (select max(left_pos) from memberships_history where user_id = $1)) as newest`,
  parameters: [userId],
});

/** Whatever it was. */
export const newestOfAll: Newest = { sql: "select head as newest from log_head", parameters: [] };
