import type pg from "pg";
import { roomSql } from "../src/api/directory.ts";
import { pageSql } from "../src/api/messages/list-messages.ts";
import { snapshotSql } from "../src/api/messages/unseen.ts";
import { feedSql, PAGE } from "../src/api/realtime/feed.ts";
import { type Newest, newestInRoom, newestInRoomsOf } from "../src/api/replicas/newest.ts";
import { neededSql } from "../src/api/replicas/replicas.ts";
import { myRoomsSql } from "../src/api/rooms/list-rooms.ts";
import { endedSql } from "../src/api/tasks/cancel-task.ts";
import { keptPlanSettings } from "../src/shared/db/kept-plans.ts";
import { appendParameters, appendSql } from "../src/shared/log/append.ts";
import { tailSql } from "../src/shared/log/tail.ts";
import { moveSql } from "../src/worker/handlers/mark-seen.ts";
import { factsSql } from "../src/worker/handlers/send-message.ts";
import type { Past } from "./past.ts";

export interface Statement {
  readonly name: string;
  readonly sql: string;
  readonly parameters: readonly unknown[];
  /** Whether it runs where plans are kept: in the worker, and in the tail. */
  readonly kept?: true;
}

/** What runs for each message, poll and page, as it stands in the source, asked about the newest of a past. */
export async function hotStatements(database: pg.Client, { reader, largeRoom }: Past): Promise<Statement[]> {
  const { rows } = await database.query<{ head: number; id: string; seq: number }>(
    `select head::int, gen_random_uuid() as id, coalesce((select last_seq from rooms where id = $1), 0)::int + 1 as seq
     from log_head`,
    [largeRoom],
  );
  const { head, id, seq } = rows[0]!;
  const acceptedAt = new Date().toISOString();
  const message = { id, roomId: largeRoom, seq, senderId: reader, text: "hello", clientKey: null, acceptedAt };
  return [
    {
      name: "look before a send",
      sql: factsSql,
      parameters: [[largeRoom], [reader], [id], [reader], ["key"]],
      kept: true,
    },
    { name: "append a message", sql: appendSql, parameters: appendParameters({ messages: [message] }), kept: true },
    { name: "tail of the log", sql: tailSql, parameters: [head - 100, 500], kept: true },
    { name: "unseen", sql: snapshotSql, parameters: [reader, [], [], null, 100, false] },
    { name: "mark as seen", sql: moveSql, parameters: [[largeRoom], [reader], [seq]], kept: true },
    {
      name: "page of a history",
      sql: pageSql("id", "older"),
      parameters: [largeRoom, reader, 51, "ffffffff-ffff-ffff-ffff-ffffffffffff"],
    },
    { name: "my rooms", sql: myRoomsSql, parameters: [reader, null, 0, 101] },
    { name: "needed of a replica: a room", ...needed(newestInRoom("id", largeRoom, reader)) },
    { name: "needed of a replica: my rooms", ...needed(newestInRoomsOf(reader)) },
    { name: "page of the feed", sql: feedSql, parameters: [reader, null, Math.max(0, head - 1_000), PAGE] },
    { name: "room and roles", sql: roomSql, parameters: [largeRoom] },
    { name: "end of a task", sql: endedSql, parameters: [id] },
  ];
}

const needed = ({ sql, parameters }: Newest) => ({ sql: neededSql(sql), parameters });

/** A node of a plan, as Postgres tells it. */
export interface PlanNode {
  readonly "Node Type": string;
  readonly "Relation Name"?: string;
  readonly "Index Name"?: string;
  readonly "Actual Rows": number;
  readonly "Actual Loops": number;
  readonly "Shared Hit Blocks": number;
  readonly "Shared Read Blocks": number;
  readonly Plans?: readonly PlanNode[];
}

export interface Explained {
  readonly Plan: PlanNode;
  readonly "Planning Time": number;
  readonly "Execution Time": number;
}

/** How Postgres means to answer it: where plans are kept, without knowing what is asked for. */
export async function planOf(database: pg.Client, statement: Statement): Promise<PlanNode> {
  if (!statement.kept) return (await explain(database, statement)).Plan;
  return (await asItRuns(database, statement, "generic_plan", [])).Plan;
}

/** Runs it, and takes back what it has written. */
export const explain = (database: pg.Client, statement: Statement): Promise<Explained> =>
  asItRuns(database, statement, "analyze, buffers, timing off", statement.parameters);

async function asItRuns(
  database: pg.Client,
  { sql, kept }: Statement,
  how: string,
  parameters: readonly unknown[],
): Promise<Explained> {
  await database.query("begin");
  try {
    for (const [name, value] of Object.entries(kept ? keptPlanSettings : {}))
      await database.query(`set local ${name} = ${value}`);
    const { rows } = await database.query<{ "QUERY PLAN": [Explained] }>(`explain (${how}, format json) ${sql}`, [
      ...parameters,
    ]);
    return rows[0]!["QUERY PLAN"][0];
  } finally {
    await database.query("rollback");
  }
}

/** Pages of tables and indexes that it has looked at. */
export const pagesOf = ({ Plan }: Explained): number => Plan["Shared Hit Blocks"] + Plan["Shared Read Blocks"];

export const nodesOf = (node: PlanNode): PlanNode[] => [node, ...(node.Plans ?? []).flatMap(nodesOf)];
