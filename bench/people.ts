import { randomBytes } from "node:crypto";
import type pg from "pg";

/** A group of so many members, written straight into the tables; answers its id and theirs. */
export async function makeGroup(database: pg.Client, size: number): Promise<{ roomId: number; userIds: number[] }> {
  const users = await database.query<{ id: string }>(
    `insert into users (username, password_hash)
     select $1 || '-' || n, 'nobody signs in' from generate_series(1, $2::int) n returning id`,
    [uniqueName(size), size],
  );
  const userIds = users.rows.map(({ id }) => Number(id));
  return { roomId: await makeGroupOf(database, userIds), userIds };
}

/** One more group of the same people. */
export async function makeGroupOf(database: pg.Client, userIds: readonly number[]): Promise<number> {
  const room = await database.query<{ id: string }>(
    "insert into rooms (kind, name) values ('group', $1) returning id",
    [uniqueName(userIds.length)],
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
  return roomId;
}

const uniqueName = (size: number): string => `bench-${size}-${randomBytes(6).toString("hex")}`;
