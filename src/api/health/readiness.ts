import { z } from "zod";
import { oneRow } from "../../shared/db/database.ts";
import { keys, ttl } from "../../shared/store/store.ts";
import { NoAnswer, within } from "../../shared/within.ts";
import type { ApiDeps } from "../deps.ts";
import { count } from "../http/schemas.ts";

const checkNames = ["postgres", "queue", "worker", "backlog", "tail"] as const;
const Check = z.object({ ok: z.boolean(), detail: z.string() });
export const ReadyView = z
  .object({
    status: z.enum(["ready", "not ready"]),
    checks: z.object(
      Object.fromEntries(checkNames.map((name) => [name, Check])) as Record<(typeof checkNames)[number], typeof Check>,
    ),
    parked_reads: count,
    warnings: z.array(z.string()).meta({ description: "What it does without, and does its work all the same" }),
  })
  .meta({ id: "Ready" });

/** A job that waits longer than this means that nobody takes jobs, or too few. */
const OLDEST_JOB_MS = 30_000;
const ANSWER_WITHIN_MS = 2_000;

/** Can this process do its work, and if not, what is missing. */
export async function readiness(deps: ApiDeps): Promise<z.output<typeof ReadyView>> {
  const [postgres, queue, worker, backlog] = await Promise.all([
    check(() => oneRow(deps.em, "select 1")),
    check(() => deps.backend.ping()),
    check(() => checkWorker(deps)),
    check(() => checkBacklog(deps)),
  ]);
  const tail = { ok: deps.tail.connected, detail: deps.tail.connected ? "connected" : "reconnecting" };
  const checks = { postgres, queue, worker, backlog, tail };
  const isReady = Object.values(checks).every(({ ok }) => ok);
  const warnings = deps.replicas?.warnings ?? [];
  return { status: isReady ? "ready" : "not ready", checks, parked_reads: deps.hub.parked, warnings };
}

type CheckResult = z.output<typeof Check>;

/** What is told to everybody, in words of ours; how a server failed, with its address and user, is for the log. */
class NotReady extends Error {}

async function check(work: () => Promise<unknown>): Promise<CheckResult> {
  try {
    const detail = await within(ANSWER_WITHIN_MS, work());
    return { ok: true, detail: typeof detail === "string" ? detail : "ok" };
  } catch (error) {
    const isOurs = error instanceof NotReady || error instanceof NoAnswer;
    return { ok: false, detail: isOurs ? error.message : "can't be reached" };
  }
}

async function checkWorker({ backend, now }: ApiDeps): Promise<string> {
  const seenAt = await backend.store.get(keys.workerSeen());
  const tooLongS = ttl.workerSeenMs / 1_000;
  if (seenAt === null)
    throw new NotReady(`no worker has been seen for ${tooLongS} s: sends are accepted, but nobody stores them`);
  return `seen ${Math.max(0, Math.round((now() - Number(seenAt)) / 1_000))} s ago`;
}

async function checkBacklog({ backend, backlog, now }: ApiDeps): Promise<string> {
  const addedAt = await backend.nextAddedAt();
  const ageMs = addedAt === undefined ? 0 : now() - addedAt;
  if (ageMs > OLDEST_JOB_MS) throw new NotReady(`the oldest job has been waiting for ${Math.round(ageMs / 1_000)} s`);
  return `${backlog.waiting} jobs waiting`;
}
