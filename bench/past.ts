import type pg from "pg";

/** Who asks in a database with a past. Everybody is in 100 rooms. */
export interface Past {
  /** Has read all but a few messages, the same few whatever the past. */
  readonly reader: number;
  /** Has read nothing in the large rooms, where four of ten messages are. */
  readonly returning: number;
  /** Has never read the room where one of ten messages is, all of them their own. */
  readonly announcer: number;
  readonly largeRoom: number;
}

const CHUNK = 50_000;

/**
 * So many messages (10,000 or a multiple), written straight into the tables as the worker would have left them: in
 * rooms large and small, each with its place in its room and in the log. Whatever their number, the newest of each
 * room are the same, so that answers are of the same length. Nobody has analyzed the tables yet.
 */
export async function makePast(database: pg.Client, messages: number, progress: (done: number) => void): Promise<Past> {
  // Nothing of it has to outlive the run, and its foreign keys hold by the way it is made.
  await database.query("set synchronous_commit = off; set session_replication_role = replica");
  for (const sql of before) await database.query(sql);
  await database.query(planSql, [messages]);
  await database.query("create index on planned (n)");
  for (let from = 0; from < messages; from += CHUNK) {
    await database.query(sendSql, [from, from + CHUNK]);
    progress((0.9 * from) / messages);
  }
  for (const sql of afterwards) await database.query(sql);
  await database.query("reset synchronous_commit; reset session_replication_role");
  progress(1);
  const { rows } = await database.query<Past>(whoSql);
  return rows[0]!;
}

const before = [
  `insert into users (username, password_hash) select 'person-' || n, 'nobody signs in' from generate_series(0, 199) n`,
  // Of a hundred messages 53 are said in 5 large rooms, 32 in 800 groups and 15 between 1,500 pairs.
  `create temp table planned_rooms as
     select 'large' as kind, n, 1060 as per_10k from generate_series(0, 4) n
     union all select 'group', n, 4 from generate_series(0, 799) n
     union all select 'direct', n, 1 from generate_series(0, 1499) n`,
  `create temp table planned_members as
     select kind, n, k, k as person from planned_rooms, generate_series(0, 199) k where kind = 'large'
     union all
     select kind, n, k, (n + k * (array[1, 3, 7, 9])[1 + n / 200]) % 200
     from planned_rooms, generate_series(0, 19) k where kind = 'group'
     union all
     select kind, n, k, (n + k * (array[1, 2, 3, 4, 5, 6, 7, 100])[1 + n / 200]) % 200
     from planned_rooms, generate_series(0, 1) k where kind = 'direct'`,
  `create temp table people as select id, row_number() over (order by id) - 1 as person from users`,
  `alter table planned_members add user_id bigint`,
  `update planned_members set user_id = id from people where people.person = planned_members.person`,
  `alter table planned_rooms add room_id bigint default nextval(pg_get_serial_sequence('rooms', 'id'))`,
  `insert into rooms (id, kind, name, direct_key)
   select room_id, case kind when 'direct' then 'direct' else 'group' end,
     case when kind <> 'direct' then kind || '-' || n end,
     case when kind = 'direct' then min(user_id) || ':' || max(user_id) end
   from planned_rooms join planned_members using (kind, n) group by room_id, kind, n`,
  `insert into members (room_id, user_id, role)
   select room_id, user_id, case when kind <> 'direct' and k = 0 then 'owner' else 'member' end
   from planned_members join planned_rooms using (kind, n)`,
  `insert into log (pos, room_id, type, data, at)
   select row_number() over (order by r.id), r.id, 'room.created', jsonb_build_object('id', r.id, 'kind', r.kind,
     'name', r.name, 'is_public', false, 'members', jsonb_agg(jsonb_build_object('id', u.id, 'username', u.username))),
     now() from rooms r join members m on m.room_id = r.id join users u on u.id = m.user_id group by r.id`,
  `insert into memberships_history (room_id, user_id, joined_pos, joined_at)
   select m.room_id, m.user_id, l.pos, l.at from members m join log l on l.room_id = m.room_id`,
  `analyze planned_members`,
];

/** Which message is the how-manyth: those of all rooms mixed, in each room in order, who says it counted from the end. */
const planSql = `
  create temp table planned as
  select row_number() over (order by (seq - random()) / last_seq) as n, room_id, seq,
    members[1 + case kind when 'direct' then (last_seq - seq) % 2 when 'group' then (last_seq - seq) % 20
      else case when n = 4 then 199 else (last_seq - seq) * 37 % 199 end end] as sender_id
  from (
    select room_id, p.kind, p.n, p.per_10k * ($1::int / 10000) as last_seq, array_agg(m.user_id order by m.k) as members
    from planned_rooms p join planned_members m using (kind, n) group by room_id, p.kind, p.n, p.per_10k
  ) p
  cross join lateral generate_series(1, last_seq) seq`;

const sendSql = `
  with placed as (
    select p.*, rooms.n + p.n as pos, now() - interval '90 days' + p.n * interval '7 seconds' as at
    from planned p, (select count(*) as n from rooms) rooms where p.n > $1 and p.n <= $2
  ), sent as (
    insert into messages (id, room_id, seq, pos, sender_id, text, accepted_at, created_at)
    select (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || '70008' || lpad(to_hex(pos), 15, '0'))::uuid,
      room_id, seq, pos, sender_id, 'About as long as what people write to each other, now and then with a link: ' || seq, at, at
    from placed order by pos returning *
  )
  insert into log (pos, room_id, type, actor_id, message_id, at)
  select pos, room_id, 'message.created', sender_id, id, created_at from sent`;

const afterwards = [
  `update rooms set (last_seq, last_pos, last_message_id) = (
     select seq, pos, id from messages m where m.room_id = rooms.id order by seq desc limit 1)`,
  `update members m set read_seq = case
     when r.name = 'large-4' then case when u.username = 'person-199' then 0 else r.last_seq end
     when r.name like 'large-%' and u.username = 'person-198' then 0
     when r.kind = 'direct' or (m.room_id * 31 + m.user_id * 17) % 40 < 30 then r.last_seq
     else r.last_seq - 3 end
   from rooms r, users u where r.id = m.room_id and u.id = m.user_id`,
  `insert into receipts (room_id, user_id, from_seq, seq, at)
   select room_id, user_id, 0, read_seq, now() from members where read_seq > 0`,
  `insert into log (pos, room_id, type, actor_id, task_id, data, at)
   select last.pos + row_number() over (), room_id, 'messages.seen', user_id, gen_random_uuid(),
     jsonb_build_object('user_id', user_id, 'up_to_seq', seq), at
   from receipts, (select max(pos) as pos from log) last`,
  `update log_head set head = (select max(pos) from log)`,
  `drop table planned, planned_members, planned_rooms, people`,
];

const whoSql = `
  select min(id)::int as reader, (max(id) - 1)::int as returning, max(id)::int as announcer,
    (select id::int from rooms where name = 'large-0') as "largeRoom" from users`;
