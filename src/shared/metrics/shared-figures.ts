import { readFileSync } from "node:fs";
import { performance } from "node:perf_hooks";
import type { PostgreSqlConnection } from "@mikro-orm/postgresql";
import type { Deps } from "../deps.ts";
import { countJobs } from "../jobs/find.ts";
import { kept } from "./kept.ts";
import { by, type Metrics, one } from "./metrics.ts";

/** Many processes are scraped at once, and each of them asks the one queue. */
const QUEUE_KEPT_MS = 5_000;

/** What every process tells: which it is, its connections, and the queue that all of them share. */
export function tellShared(metrics: Metrics, deps: Pick<Deps, "em" | "backend" | "now">): void {
  tellBuild(metrics, deps);
  tellLoop(metrics);
  tellPool(metrics, deps);
  tellQueue(metrics, deps);
}

function tellBuild(metrics: Metrics, { backend }: Pick<Deps, "backend">): void {
  const { version } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8"));
  const labels = { version: String(version), node: process.versions.node, queue: backend.kind };
  metrics.gauge({
    name: "parley_build_info",
    help: "Always 1: which Parley this is, on which Node, and what carries its queue",
    labels: Object.keys(labels),
    read: () => [[labels, 1]],
  });
}

function tellLoop(metrics: Metrics): void {
  metrics.counter({
    name: "parley_event_loop_busy_seconds_total",
    help: "Time in which the event loop had something to do: its rate is the part of a core that this process uses",
    read: () => one(performance.eventLoopUtilization().active / 1_000),
  });
}

function tellPool(metrics: Metrics, { em }: Pick<Deps, "em">): void {
  metrics.gauge({
    name: "parley_database_pool",
    help: "Connections to Postgres in use and idle, and who waits for one",
    labels: ["state"],
    async read() {
      const pool = await (em.getConnection() as PostgreSqlConnection).getNativeClient();
      const { totalCount, idleCount, waitingCount } = pool;
      return by("state", { used: totalCount - idleCount, idle: idleCount, waiting: waitingCount });
    },
  });
}

function tellQueue(metrics: Metrics, { backend, now }: Pick<Deps, "backend" | "now">): void {
  const counts = kept(QUEUE_KEPT_MS, () => countJobs(backend.queues, "wait", "active", "delayed", "failed"));
  const nextAddedAt = kept(QUEUE_KEPT_MS, () => backend.nextAddedAt());
  metrics.gauge({
    name: "parley_queue_jobs",
    help: "Jobs in the queue that all processes share, as each of them sees it: take the maximum, not the sum",
    labels: ["state"],
    async read() {
      const { wait = 0, active = 0, delayed = 0, failed = 0 } = await counts();
      return by("state", { waiting: wait, active, delayed, failed });
    },
  });
  metrics.gauge({
    name: "parley_queue_oldest_seconds",
    help: "How long the job that is next to be taken has been waiting; 0 if none waits",
    async read() {
      const addedAt = await nextAddedAt();
      return one(addedAt === undefined ? 0 : Math.max(0, now() - addedAt) / 1_000);
    },
  });
}
