import { createRequire } from "node:module";
import { oneRow } from "../../shared/db/database.ts";
import { countJobs } from "../../shared/jobs/find.ts";
import { within } from "../../shared/within.ts";
import type { ApiDeps } from "../deps.ts";
import { readiness } from "../health/readiness.ts";
import { isoTimeOrNull } from "../http/schemas.ts";

const { version } = createRequire(import.meta.url)("../../../package.json") as { version: string };
const ANSWER_WITHIN_MS = 2_000;

/** What /readyz says and what stands behind it; of what can't be reached nothing is said. */
export async function lookAtHealth(deps: ApiDeps) {
  const [ready, queue, database] = await Promise.all([
    readiness(deps),
    within(ANSWER_WITHIN_MS, readQueue(deps)).catch(() => null),
    within(ANSWER_WITHIN_MS, readDatabase(deps)).catch(() => null),
  ]);
  const process_ = { uptime_s: Math.round(process.uptime()), memory_bytes: process.memoryUsage.rss() };
  return { ...ready, version, node: process.version, process: process_, queue, database };
}

async function readQueue({ backend }: ApiDeps) {
  const counts = await countJobs(backend.queues, "wait", "active", "delayed", "failed", "completed");
  const { wait: waiting = 0, active = 0, delayed = 0, failed = 0, completed = 0 } = counts;
  const carried = { carried_by: backend.kind, shards: backend.queues.length };
  return { ...carried, waiting, active, delayed, failed, completed };
}

interface DatabaseRow {
  readonly version: string;
  readonly size_bytes: number;
  readonly tables: { readonly name: string; readonly rows: number; readonly size_bytes: number }[];
  readonly log: { readonly head: number; readonly oldest: number | null; readonly oldest_at: string | null };
}

async function readDatabase({ em }: ApiDeps) {
  const row = (await oneRow<DatabaseRow>(em, databaseSql))!;
  const { head, oldest, oldest_at } = row.log;
  return { ...row, log: { head, oldest, oldest_at: isoTimeOrNull(oldest_at) } };
}

/** Rows as the statistics have them: to count them would take as long as there are rows. */
const databaseSql = `
  select current_setting('server_version') as version, pg_database_size(current_database()) as size_bytes,
    (select jsonb_agg(jsonb_build_object(
        'name', relname, 'rows', n_live_tup, 'size_bytes', pg_total_relation_size(relid)) order by relname)
      from pg_stat_user_tables
      where schemaname = 'public' and relname in ('users', 'rooms', 'members', 'messages', 'receipts', 'log')) as tables,
    (select jsonb_build_object('head', h.head, 'oldest', l.pos, 'oldest_at', l.at)
      from log_head h left join lateral (select pos, at from log where pos > h.kept_after order by pos limit 1) l on true) as log`;
