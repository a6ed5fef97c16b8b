import type pg from "pg";

export interface Hold {
  /** Until so many wait for it, or it is let go. */
  isWaitedFor(by?: number): Promise<void>;
  release(): Promise<void>;
}

/** Keeps a room locked, so that whoever wants to change it or to append to it queues up. */
export const holdRoom = (sql: pg.Pool, roomId: number): Promise<Hold> =>
  hold(sql, "select pg_backend_pid() as pid from rooms where id = $1 for update", [roomId]);

/** Keeps a membership locked: who wants to end it, or to move its read pointer, queues up. */
export const holdMember = (sql: pg.Pool, roomId: number, userId: number): Promise<Hold> =>
  hold(sql, "select pg_backend_pid() as pid from members where room_id = $1 and user_id = $2 for update", [
    roomId,
    userId,
  ]);

async function hold(sql: pg.Pool, lock: string, parameters: readonly number[]): Promise<Hold> {
  const client = await sql.connect();
  await client.query("begin");
  const { rows } = await client.query(lock, [...parameters]);
  let released: Promise<void> | undefined;
  return {
    async isWaitedFor(by = 1) {
      const pid: unknown = rows[0]?.pid;
      while (pid !== undefined && !released) {
        const waiting = await sql.query(waitingSql, [pid]);
        if (waiting.rows.length >= by) return;
      }
    },
    release() {
      released ??= client.query("rollback").then(() => client.release());
      return released;
    },
  };
}

/** Those who wait for it, and those who wait behind them. */
const waitingSql = `
  with recursive waiting as (
    select $1::int as pid
    union
    select a.pid from waiting w join pg_stat_activity a on w.pid = any(pg_blocking_pids(a.pid))
      and a.datname = current_database()
  )
  select from waiting where pid <> $1`;
