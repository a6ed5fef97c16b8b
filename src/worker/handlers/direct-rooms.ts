import { type EntityManager, rows } from "../../shared/db/database.ts";
import type { SendJob } from "../../shared/jobs/catalog.ts";
import type { LogWrites } from "../../shared/log/writes.ts";
import { directKey } from "../../shared/policies.ts";
import type { Task } from "../task.ts";

/** The direct room of each direct message, by task id; made here if the message is the first of the two. */
export async function ensureDirectRooms(
  tx: EntityManager,
  sends: readonly Task<SendJob>[],
  writes: LogWrites,
): Promise<Map<string, number>> {
  const direct = sends.filter((task) => task.data.recipientId !== undefined);
  if (direct.length === 0) return new Map();
  const keyOfTask = new Map(direct.map((task) => [task.id, directKey(task.data.senderId, task.data.recipientId!)]));
  const keys = [...new Set(keyOfTask.values())];
  const known = await findByKeys(tx, keys);
  const missing = keys.filter((key) => !known.has(key));
  if (missing.length > 0) {
    await makeRooms(tx, missing, writes);
    // Asked again rather than returned: another worker may have made some of them at the same moment.
    for (const [key, id] of await findByKeys(tx, missing)) known.set(key, id);
  }
  const found = [...keyOfTask].map(([taskId, key]) => [taskId, known.get(key)] as const);
  return new Map(found.filter((pair): pair is [string, number] => pair[1] !== undefined));
}

/** A room whose other half has closed their account is not there to be written to. */
async function findByKeys(tx: EntityManager, keys: readonly string[]): Promise<Map<string, number>> {
  const found = await rows<{ id: number; direct_key: string }>(
    tx,
    `select r.id, r.direct_key from rooms r where r.direct_key = any($1::text[]) and not exists (
       select from members m join users u on u.id = m.user_id where m.room_id = r.id and u.deactivated_at is not null)`,
    [keys],
  );
  return new Map(found.map((room) => [room.direct_key, room.id]));
}

interface NewDirectRoom {
  id: number;
  members: { id: number; username: string }[];
}

/** A pair with an unknown or deactivated user makes no room; the message is refused for want of one. */
async function makeRooms(tx: EntityManager, keys: readonly string[], writes: LogWrites): Promise<void> {
  const made = await rows<NewDirectRoom>(tx, makeSql, [keys]);
  for (const { id: roomId, members } of made) {
    const data = { id: roomId, kind: "direct", name: null, is_public: false, members };
    writes.add({ type: "room.created", roomId, actorId: null, data });
    for (const { id: userId } of members) writes.joined(roomId, userId);
  }
}

/** In key order, so that two workers that make the same rooms wait for each other and never for ever. */
const makeSql = `
  with pairs as (
    select k.key, split_part(k.key, ':', 1)::bigint as low, split_part(k.key, ':', 2)::bigint as high
    from unnest($1::text[]) as k (key)
  ), made as (
    insert into rooms (kind, direct_key)
    select 'direct', p.key
    from pairs p
    join users a on a.id = p.low and a.deactivated_at is null
    join users b on b.id = p.high and b.deactivated_at is null
    order by p.key
    on conflict (direct_key) do nothing
    returning id, direct_key
  ), joined as (
    insert into members (room_id, user_id, role)
    select made.id, both_sides.user_id, 'member'
    from made join pairs p on p.key = made.direct_key
    cross join lateral (values (p.low), (p.high)) as both_sides (user_id)
  )
  select made.id, jsonb_agg(jsonb_build_object('id', u.id, 'username', u.username) order by u.id) as members
  from made join pairs p on p.key = made.direct_key join users u on u.id in (p.low, p.high)
  group by made.id`;
