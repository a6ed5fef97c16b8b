/** A message with its sender's name, as SQL returns it. */
export interface MessageRow {
  readonly id: string;
  readonly room_id: number;
  readonly seq: number;
  readonly sender_id: number;
  readonly sender: string;
  readonly text: string;
  readonly client_key: string | null;
  readonly accepted_at: string;
  readonly created_at: string;
  readonly edited_at: string | null;
  readonly deleted_at: string | null;
  readonly seen_by_count: number;
}

/** The columns of a `MessageRow`, for a query over `messages m join users u`; `seen_by_count` is added by the query. */
export const messageColumns = `
  m.id, m.room_id, m.seq, m.sender_id, u.username as sender,
  case when m.deleted_at is null then m.text else '' end as text,
  m.client_key, m.accepted_at, m.created_at, m.edited_at, m.deleted_at`;

/**
 * One message and its sender, for `messageColumns`. The limit is a fence: without it a planner that takes the tables for
 * empty begins with the users, and reads every message of each.
 */
export const messageOf = (id: string): string =>
  `(select * from messages where id = ${id} limit 1) m join users u on u.id = m.sender_id`;

/** By its key, one at a time: to a planner that knows nothing of caches, reading all rooms looks cheaper than a hundred. */
export const roomOf = (id: string): string => `(select * from rooms where id = ${id} limit 1)`;

/** A message was seen by whoever's pointer has passed it since they joined; its sender does not count. */
export const seenByCount = `
  (select count(*) from members s
    where s.room_id = m.room_id and s.read_seq >= m.seq and s.joined_seq < m.seq and s.user_id <> m.sender_id
  ) as seen_by_count`;

/** The pointers of a room in order, for the messages of a page: its members are read once and not for each message. */
export const pointersOf = (room: string): string => `
  (select array_agg(read_seq order by read_seq) as read_seqs, array_agg(joined_seq order by joined_seq) as joined_seqs
    from members where room_id = ${room}) pointers`;

/** The same number by two look-ups in `pointers`: who has joined before it, less those who have not come that far. */
export const seenByCountAmong = `
  width_bucket(m.seq - 1, pointers.joined_seqs) - width_bucket(m.seq - 1, pointers.read_seqs) - (
    select count(*) from members s
    where s.room_id = m.room_id and s.user_id = m.sender_id and s.read_seq >= m.seq and s.joined_seq < m.seq
  ) as seen_by_count`;

/** Someone's place in a room. Each is an SQL expression, its columns with the names of their tables. */
interface Place {
  readonly user: string;
  readonly room: string;
  readonly readSeq: string;
  readonly lastSeq: string;
}

/** What somebody has not seen of a room: what others have said since. Every page of it is this. */
export const unseenBy = ({ user, room, readSeq }: Place): string =>
  `m.room_id = ${room} and m.seq > ${readSeq} and m.sender_id <> ${user} and m.deleted_at is null`;

/**
 * How many that are, without looking at each: a room's seqs have no gaps, so that it is all behind the pointer less the
 * user's own and the deleted ones, which have indexes of their own.
 */
export const unseenCount = ({ user, room, readSeq, lastSeq }: Place): string => `(
  greatest(0, ${lastSeq} - ${readSeq})
  - (select count(*) from messages own
      where own.room_id = ${room} and own.sender_id = ${user} and own.seq > ${readSeq})
  - (select count(*) from messages gone
      where gone.room_id = ${room} and gone.sender_id <> ${user} and gone.seq > ${readSeq}
        and gone.deleted_at is not null))`;
