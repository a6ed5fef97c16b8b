import type pg from "pg";

/** A group of so many members, written straight into the tables; answers its id and theirs. */
export async function makeGroup(database: pg.Client, size: number): Promise<{ roomId: number; userIds: number[] }> {
  const name = `bench-${size}-${Date.now()}`;
  const users = await database.query<{ id: string }>(
    `insert into users (username, password_hash)
     select $1 || '-' || n, 'nobody signs in' from generate_series(1, $2::int) n returning id`,
    [name, size],
  );
  const userIds = users.rows.map(({ id }) => Number(id));
  const room = await database.query<{ id: string }>(
    "insert into rooms (kind, name) values ('group', $1) returning id",
    [name],
  );
  const roomId = Number(room.rows[0]!.id);
  await database.query(
    `with joined as (
       insert into members (room_id, user_id) select $1, id from unnest($2::bigint[]) as t (id) returning user_id
     )
     insert into memberships_history (room_id, user_id, joined_pos, joined_at)
     select $1, user_id, (select head from log_head), now() from joined`,
    [roomId, userIds],
  );
  await database.query("analyze");
  return { roomId, userIds };
}
