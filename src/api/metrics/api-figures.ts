import { oneRow } from "../../shared/db/database.ts";
import { kept } from "../../shared/metrics/kept.ts";
import { by, type Metrics, one, type Sample } from "../../shared/metrics/metrics.ts";
import type { ApiDeps } from "../deps.ts";
import type { Lookups } from "../memory.ts";

/** Whoever scrapes by hand, again and again, asks no more of the database than Prometheus does. */
const HEAD_KEPT_MS = 1_000;

/** What an API tells of itself, by the names that dashboards and alerts know. */
export function tellApi(deps: ApiDeps): void {
  tellTraffic(deps);
  tellSends(deps);
  tellWaits(deps);
  tellDelivery(deps);
  tellTail(deps);
  tellCaches(deps);
  tellReplicas(deps);
}

function tellTraffic({ metrics, traffic, limits }: ApiDeps): void {
  metrics.counter({
    name: "parley_http_requests_total",
    help: "Requests answered, by route (`none`: no route), method and status",
    labels: ["method", "route", "status"],
    read: () => [...traffic.samples()],
  });
  metrics.histograms({
    name: "parley_http_request_seconds",
    help: "How long an answer took, without the time that the request was parked",
    label: "route",
    timings: traffic.seconds,
  });
  metrics.counter({
    name: "parley_rate_limited_total",
    help: "Requests and frames that were too many, by budget",
    labels: ["budget"],
    read: () => by("budget", limits.refused),
  });
}

function tellSends({ metrics, sends, backlog }: ApiDeps): void {
  metrics.counter({
    name: "parley_sends_accepted_total",
    help: "Sends that the queue has taken, over HTTP and sockets",
    read: () => one(sends.accepted),
  });
  metrics.counter({
    name: "parley_sends_overloaded_total",
    help: "Sends that were refused because too much is waiting (MAX_BACKLOG)",
    read: () => one(backlog.refused),
  });
}

function tellWaits({ metrics, waits }: ApiDeps): void {
  metrics.gauge({
    name: "parley_parked_reads",
    help: "Reads that wait here: long polls, waits for a task, open streams and sockets",
    labels: ["kind"],
    read: () => by("kind", waits.parked),
  });
  metrics.counter({
    name: "parley_poll_outcomes_total",
    help: "How long polls ended",
    labels: ["outcome"],
    read: () => by("outcome", waits.outcomes),
  });
  metrics.histogram({
    name: "parley_wakeup_seconds",
    help: "From the moment that this process heard of new entries until a waiting reader's answer was written",
    timings: waits.wakeups,
  });
}

function tellDelivery({ metrics, hub: { delivery } }: ApiDeps): void {
  metrics.histogram({
    name: "parley_send_to_delivered_seconds",
    help: "From the acceptance of a message until it was handed to the first reader that waits here",
    timings: delivery.fromSend,
  });
  metrics.histogram({
    name: "parley_stored_to_delivered_seconds",
    help: "From the start of the transaction that stored a message until it was handed to the first that waits here",
    timings: delivery.fromStore,
  });
  metrics.counter({
    name: "parley_entries_handed_total",
    help: "Log entries handed to waiting readers, one for each reader",
    read: () => one(delivery.handed),
  });
}

function tellTail({ metrics, tail, em }: ApiDeps): void {
  const head = kept(HEAD_KEPT_MS, () => oneRow<{ head: number }>(em, "select head from log_head"));
  metrics.gauge({
    name: "parley_tail_lag_entries",
    help: "Entries of the log that this process has not read yet",
    async read() {
      const row = await head();
      return row && one(Math.max(0, row.head - tail.pos));
    },
  });
  metrics.gauge({
    name: "parley_tail_connected",
    help: "Whether this process hears of new entries: 1 or 0",
    read: () => one(Number(tail.connected)),
  });
  metrics.counter({
    name: "parley_tail_reconnects_total",
    help: "How often the tail has come back after it had lost its connection",
    read: () => one(tail.reconnects),
  });
  metrics.counter({
    name: "parley_tail_entries_total",
    help: "Entries of the log that this process has read",
    read: () => one(tail.entries),
  });
}

function tellCaches({ metrics, directory, credentials, usersPages, recalls }: ApiDeps): void {
  const caches = { ...directory.lookups, ...credentials.lookups, users_list: usersPages, recent_entries: recalls };
  tellLookups(metrics, caches);
}

function tellLookups(metrics: Metrics, caches: Readonly<Record<string, Lookups>>): void {
  metrics.counter({
    name: "parley_cache_requests_total",
    help: "What was asked of each cache, and whether it was there",
    labels: ["cache", "result"],
    read: () =>
      Object.entries(caches).flatMap(([cache, { hits, misses }]): Sample[] => [
        [{ cache, result: "hit" }, hits],
        [{ cache, result: "miss" }, misses],
      ]),
  });
}

function tellReplicas({ metrics, replicas }: ApiDeps): void {
  if (!replicas) return;
  metrics.counter({
    name: "parley_list_reads_total",
    help: "Histories and lists, by who answered: a replica, the primary because none was used, or for one that lacked something",
    labels: ["source"],
    read: () => by("source", replicas.reads),
  });
  metrics.gauge({
    name: "parley_replica_used",
    help: "Whether a replica is read from: 1, or 0 while it is left alone",
    labels: ["replica"],
    read: () => replicas.all.map(({ name, why }) => [{ replica: name }, Number(why === undefined)]),
  });
}
