import { expect } from "chai";
import type { FeedEntry } from "../../../bench/load/transports.ts";
import type { Cluster } from "./cluster.ts";
import { positionOf } from "./reader.ts";

export interface LogRow {
  readonly pos: number;
  readonly type: string;
  readonly room_id: number | null;
  readonly actor_id: number | null;
  readonly message_id: string | null;
  readonly data: Record<string, unknown> | null;
  readonly seq: number | null;
  readonly text: string | null;
  /** Its message went with its room: whoever reads late finds nothing to read. */
  readonly gone: boolean;
}

const columns = `l.pos, l.type, l.room_id, l.actor_id, l.message_id, l.data, m.seq, m.text,
  l.message_id is not null and not exists (select from rooms r where r.id = l.room_id) as gone`;

/** What a user may read after a position: their rooms for as long as they were there, and what is for them alone. */
export const entitled = (cluster: Cluster, userId: number, after: number): Promise<LogRow[]> =>
  cluster.rows<LogRow>(
    `select ${columns} from log l left join messages m on m.id = l.message_id
     where l.pos > $2 and (l.user_id = $1 or exists (
       select from memberships_history t
       where t.room_id = l.room_id and t.user_id = $1 and t.joined_pos <= l.pos and l.pos <= coalesce(t.left_pos, l.pos)))
     order by l.pos`,
    [userId, after],
  );

export async function expectGaplessLog(cluster: Cluster): Promise<void> {
  const [found] = await cluster.rows(
    `select h.head, (select count(*) from log) as count, (select min(pos) from log) as first,
       (select max(pos) from log) as last from log_head h`,
  );
  const { head } = found!;
  expect(found).to.deep.equal({ head, count: head, first: 1, last: head });
  const gaps = await cluster.rows(
    `select r.id from rooms r left join messages m on m.room_id = r.id
     group by r.id having count(m.seq) <> r.last_seq or coalesce(max(m.seq), 0) <> r.last_seq`,
  );
  expect(gaps, "rooms with gaps").to.deep.equal([]);
}

/** Who was where when, as the log's own entries tell it. */
export async function expectTurnsAsLogged(cluster: Cluster): Promise<void> {
  const log = await cluster.rows<LogRow>(
    `select ${columns} from log l left join messages m on m.id = l.message_id where l.room_id is not null order by pos`,
  );
  const turns = await cluster.rows("select room_id, user_id, joined_pos, left_pos from memberships_history");
  expect(sorted(turns as unknown as Turn[])).to.deep.equal(sorted(turnsOf(log)));
}

interface Turn {
  readonly room_id: number;
  readonly user_id: number;
  readonly joined_pos: number;
  left_pos: number | null;
}

function turnsOf(log: readonly LogRow[]): Turn[] {
  const turns: Turn[] = [];
  for (const { pos, type, room_id, data } of log) {
    const open = turns.filter((turn) => turn.room_id === room_id && turn.left_pos === null);
    const join = (user_id: number) => turns.push({ room_id: room_id!, user_id, joined_pos: pos, left_pos: null });
    if (type === "room.created") for (const { id } of data!["members"] as { id: number }[]) join(id);
    if (type === "member.joined") join(Number(data!["user_id"]));
    for (const turn of open) {
      if (type === "room.deleted" || (type === "member.left" && data!["user_id"] === turn.user_id)) turn.left_pos = pos;
    }
  }
  return turns;
}

const sorted = (turns: readonly Turn[]): Turn[] =>
  turns.toSorted((a, b) => a.joined_pos - b.joined_pos || a.user_id - b.user_id);

/** Exactly what they may read, whole. That none came twice and all in order, the reader has seen to. */
export function expectExactly(got: readonly FeedEntry[], truth: readonly LogRow[], who: string): void {
  const rows = new Map(truth.map((row) => [row.pos, row]));
  const seen = new Set(got.map(({ offset }) => positionOf(offset)));
  const missing = truth.filter(({ pos, gone }) => !gone && !seen.has(pos));
  const foreign = got.filter(({ offset }) => !rows.has(positionOf(offset)));
  expect([...missing, ...foreign], `${who}: ${JSON.stringify({ missing, foreign })}`).to.have.length(0);
  for (const entry of got) {
    const row = rows.get(positionOf(entry.offset))!;
    const { type, room_id, actor_id } = row;
    expect(entry, who).to.include({ type, room_id, actor_id });
    if (row.message_id === null) expect(entry.data, who).to.deep.equal(row.data ?? {});
    else expect(entry.data, `${who}: ${JSON.stringify(entry)}`).to.include({ ...messageOf(row), room_id });
  }
}

const messageOf = ({ gone, message_id: id, seq, text }: LogRow) => (gone ? { id } : { id, seq, text });

export interface Outcomes {
  readonly stored: readonly { readonly task: string; readonly user: number; readonly text: string | null }[];
  readonly failed: readonly { readonly task: string; readonly user: number }[];
}

/** How the log says that tasks ended, each as often as it says so. */
export async function outcomes(cluster: Cluster, userIds: readonly number[], after: number): Promise<Outcomes> {
  const found = await cluster.rows<{ type: string; task: string; user: number; text: string | null }>(
    `select l.type, coalesce(l.message_id, l.task_id) as task, coalesce(l.user_id, l.actor_id) as user, m.text
     from log l left join messages m on m.id = l.message_id
     where l.type in ('message.created', 'task.failed') and coalesce(l.user_id, l.actor_id) = any($1) and l.pos > $2
     order by l.pos`,
    [userIds, after],
  );
  return {
    stored: found.filter(({ type }) => type === "message.created"),
    failed: found.filter(({ type }) => type === "task.failed"),
  };
}
