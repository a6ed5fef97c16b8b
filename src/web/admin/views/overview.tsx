import type { ComponentChildren } from "preact";
import { health } from "../live.ts";
import { linkTo } from "../route.ts";
import type { Health } from "../views.ts";
import { Badge, bytes, Card, many, Sheet, Time } from "./bits.tsx";

/** How the system is, looked at again every few seconds while somebody looks here. */
export function Overview() {
  const seen = health.value;
  if (!seen) {
    return (
      <Sheet title="Overview">
        <p class="list-note">Loading…</p>
      </Sheet>
    );
  }
  const { queue, database } = seen;
  const rowsOf = (name: string) => database?.tables.find((table) => table.name === name)?.rows;
  return (
    <Sheet
      title="Overview"
      actions={
        <Badge kind={seen.status === "ready" ? "good" : "bad"}>{seen.status === "ready" ? "Ready" : "Not ready"}</Badge>
      }
    >
      {seen.warnings.map((warning) => (
        <p key={warning} class="notice warn">
          {warning}
        </p>
      ))}
      <ul class="tiles">
        <Tile name="Jobs waiting" value={queue && many(queue.waiting + queue.delayed)} />
        <Tile name="Failed jobs" value={queue && many(queue.failed)} href={linkTo("jobs")} />
        <Tile name="Parked reads" value={many(seen.parked_reads)} />
        <Tile name="Users, about" value={told(rowsOf("users"))} href={linkTo("users")} />
        <Tile name="Messages, about" value={told(rowsOf("messages"))} />
        <Tile name="Database" value={database && bytes(database.size_bytes)} />
      </ul>
      <div class="cards">
        <Card title="Checks">
          <ul class="checks">
            {Object.entries(seen.checks).map(([name, { ok, detail }]) => (
              <li key={name}>
                <span class="check-name">{name}</span>
                <span class={ok ? "muted" : "wrong"}>{detail}</span>
                <Badge kind={ok ? "good" : "bad"}>{ok ? "OK" : "Fails"}</Badge>
              </li>
            ))}
          </ul>
        </Card>
        <Card title="System">
          <Facts facts={factsOf(seen)} />
        </Card>
      </div>
    </Sheet>
  );
}

const told = (count: number | undefined) => (count === undefined ? null : many(count));

const Tile = ({ name, value, href }: { name: string; value: string | null; href?: string }) => (
  <li class="tile">
    <span class="tile-name">{href ? <a href={href}>{name}</a> : name}</span>
    <span class="tile-value">{value ?? "?"}</span>
  </li>
);

function factsOf({ version, node, process, queue, database }: Health): [string, ComponentChildren][] {
  const shards = queue && queue.shards > 1 ? `, in ${queue.shards} queues` : "";
  return [
    ["Parley", version],
    ["Node", node],
    ["This process", `up for ${span(process.uptime_s)}, ${bytes(process.memory_bytes)}`],
    ["Queue", queue ? `${queue.carried_by === "redis" ? "Redis" : "PostgreSQL"}${shards}` : "can't be reached"],
    ["Jobs running", queue ? many(queue.active) : "?"],
    ["PostgreSQL", database?.version ?? "can't be reached"],
    ["Log", database ? `${many(database.log.head)} entries` : "?"],
    ["Oldest entry kept", database ? <Time at={database.log.oldest_at} none="none yet" /> : "?"],
  ];
}

function span(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.floor(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3_600)} h` : `${Math.floor(seconds / 86_400)} days`;
}

export const Facts = ({ facts }: { facts: readonly (readonly [string, ComponentChildren])[] }) => (
  <dl class="facts">
    {facts.map(([name, value]) => (
      <div key={name}>
        <dt>{name}</dt>
        <dd>{value}</dd>
      </div>
    ))}
  </dl>
);
