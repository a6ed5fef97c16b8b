import { existsSync, readFileSync } from "node:fs";
import { expect } from "chai";
import { parse } from "yaml";
import { buildUsers, get, type Person, say, toUser } from "../calls.ts";
import { type Scraped, scrape, scrapeUntil } from "../metrics.ts";
import { type Started, startWorkerProcess } from "../processes.ts";
import { buildWorld, type World } from "../world.ts";
import { type Alert, AlertRules, Dashboard, type GridPos, PrometheusConfig } from "./monitoring-schemas.ts";
import { parseQuery, type Query } from "./promql.ts";

const file = (path: string): URL => new URL(`../../deploy/${path}`, import.meta.url);
const text = (path: string): string => readFileSync(file(path), "utf8");

const dashboard = Dashboard.parse(JSON.parse(text("grafana/dashboards/parley.json")));
const alerts: Alert[] = AlertRules.parse(parse(text("prometheus/alerts.yml"))).groups.flatMap(({ rules }) => rules);
const prometheus = PrometheusConfig.parse(parse(text("prometheus/prometheus.yml")));

const panels = dashboard.panels.filter((panel) => panel.type !== "row");
/** A query, and what is said about its answer. */
interface Asked {
  readonly query: Query;
  readonly words: string;
}
const shown = panels.map(({ title, targets }) => ({
  where: `the panel "${title}"`,
  asked: targets.map(({ expr, legendFormat }): Asked => ({ query: parseQuery(expr), words: legendFormat })),
}));
const told = alerts.map(({ alert, expr, annotations: { summary, description } }) => ({
  where: `the alert ${alert}`,
  asked: [{ query: parseQuery(expr), words: `${summary} ${description}`.replaceAll("$labels.", "") }],
}));
const queries = [...shown, ...told].flatMap(({ asked }) => asked.map(({ query }) => query));
const jobs = prometheus.scrape_configs.map(({ job_name }) => job_name);

/** Prometheus makes it itself, of each scrape. */
const UP = "up";
/** And puts these to every figure. */
const TARGET_LABELS = ["job", "instance"];

describe("the dashboard and the alerts", () => {
  let world: World;
  let worker: Started;
  /** By name: the labels that it has, and which values were told of each. */
  const known = new Map<string, Map<string, Set<string>>>();

  const learn = ({ series }: Scraped, job: string): void => {
    for (const { name, labels } of series) {
      const ofName = known.get(name) ?? new Map<string, Set<string>>();
      known.set(name, ofName);
      for (const [label, value] of Object.entries({ ...labels, job, instance: "one:8000" })) {
        ofName.set(label, (ofName.get(label) ?? new Set()).add(value));
      }
    }
  };

  before(async () => {
    world = await buildWorld({ worker: false });
    const { DATABASE_URL, REDIS_URL, QUEUE_NAME } = world.env;
    worker = await startWorkerProcess({ DATABASE_URL, REDIS_URL, QUEUE_NAME, WORKER_PORT: "0" });
    const [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
    await say(world, ann, toUser(ben), "hello");
    await get(world, "/v1/messages/unseen", ben.id);
    // What Node tells of its collections it tells from the first scrape on, once there was one.
    const collected = ({ text }: Scraped): boolean => text.includes("nodejs_gc_duration_seconds_sum");
    learn(await scrapeUntil(world, collected), "parley-api");
    // It is none, and is left alone for it, which is told.
    const withReplica = await world.startApi({ DATABASE_REPLICA_URL: DATABASE_URL! });
    learn(await scrape(withReplica), "parley-api");
    learn(await scrapeUntil(worker, collected), "parley-worker");
    known.set(
      UP,
      new Map([
        ["job", new Set(jobs)],
        ["instance", new Set()],
      ]),
    );
  });
  after(async () => {
    await worker?.end();
    await world?.close();
  });

  const unknownIn = ({ selectors }: Query): string[] =>
    selectors.map(({ metric }) => metric).filter((metric) => !known.has(metric));

  const wrongLabelsIn = ({ selectors }: Query): string[] =>
    selectors.flatMap(({ metric, matchers }) =>
      matchers
        .filter(({ label, operator, value }) => {
          const values = known.get(metric)!.get(label);
          return values === undefined || (operator === "=" && !values.has(value));
        })
        .map(({ label, value }) => `${metric}{${label}="${value}"}`),
    );

  /** Grouped by what none of its figures has, all of them are one. */
  const strangersAmong = (labels: readonly string[], { selectors }: Query): string[] =>
    labels.filter((label) => !selectors.some(({ metric }) => known.get(metric)!.has(label)));

  const check = ({ query, words }: Asked): void => {
    expect(query.selectors, query.text).to.not.have.length(0);
    expect(unknownIn(query), query.text).to.deep.equal([]);
    expect(wrongLabelsIn(query), query.text).to.deep.equal([]);
    expect(strangersAmong(query.grouping, query), query.text).to.deep.equal([]);
    const named = [...words.matchAll(/{{ ?(?!\$value)(\w+)/g)].map(([, label]) => label!);
    const kept = query.grouping.length > 0 ? query.grouping : named;
    expect(
      named.filter((label) => !kept.includes(label)),
      words,
    ).to.deep.equal([]);
    expect(strangersAmong(named, query), words).to.deep.equal([]);
  };

  for (const { where, asked } of [...shown, ...told]) {
    it(`ask for figures and labels that there are: ${where}`, () => {
      for (const one of asked) check(one);
    });
  }

  it("know every figure of our own: the dashboard shows each", () => {
    const asked = new Set(
      shown.flatMap(({ asked }) => asked.flatMap(({ query }) => query.selectors.map(({ metric }) => metric))),
    );
    const ours = [...known.keys()].filter((name) => name.startsWith("parley_"));
    const missing = new Set(ours.map((name) => name.replace(/_(bucket|sum|count)$/, "")));
    for (const name of asked) missing.delete(name.replace(/_(bucket|sum|count)$/, ""));
    expect([...missing]).to.deep.equal([]);
  });

  it("ask for jobs by the names under which Prometheus scrapes them", () => {
    const asked = queries.flatMap(({ selectors }) => selectors.flatMap(({ matchers }) => matchers));
    const names = asked.filter(({ label, operator }) => label === "job" && operator === "=").map(({ value }) => value);
    expect([...new Set(names)].sort()).to.deep.equal([...jobs].sort());
    expect(TARGET_LABELS.every((label) => known.get("parley_build_info")!.has(label))).to.equal(true);
  });
});

describe("Prometheus", () => {
  it("looks for the processes of docker-compose.yml where they listen", () => {
    const { services } = parse(readFileSync(new URL("../../docker-compose.yml", import.meta.url), "utf8"), {
      merge: true,
    });
    const listening = { api: services.api.environment.PORT, worker: services.worker.environment.WORKER_PORT };
    const asked = prometheus.scrape_configs.flatMap(({ dns_sd_configs }) =>
      dns_sd_configs.flatMap(({ names, port }) => names.map((name) => [name, port])),
    );
    expect(Object.fromEntries(asked)).to.deep.equal(listening);
  });
});

describe("the dashboard", () => {
  it("numbers its panels, each once", () => {
    const ids = dashboard.panels.map(({ id }) => id);
    expect(new Set(ids).size).to.equal(ids.length);
  });

  it("lays its panels side by side, never one over another", () => {
    const places = dashboard.panels.map(({ gridPos, title }) => ({ title, ...gridPos }));
    const overlaps = (a: GridPos, b: GridPos): boolean =>
      a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
    const wrong = places.flatMap((a, i) =>
      places.slice(i + 1).flatMap((b) => (overlaps(a, b) ? [`${a.title} over ${b.title}`] : [])),
    );
    expect(wrong).to.deep.equal([]);
    expect(places.filter(({ x, w }) => x + w > 24)).to.deep.equal([]);
  });

  it("is found by Grafana where it is provisioned, with a Prometheus to ask", () => {
    const provider = parse(text("grafana/provisioning/dashboards/parley.yml"));
    expect(provider).to.have.nested.property("providers[0].options.path", "/var/lib/grafana/dashboards");
    const source = parse(text("grafana/provisioning/datasources/prometheus.yml"));
    expect(source.datasources).to.have.length(1);
    expect(source.datasources[0]).to.deep.include({ type: "prometheus", isDefault: true });
    expect(source.datasources[0].jsonData.timeInterval).to.equal(prometheus.global.scrape_interval);
  });
});

describe("the alerts", () => {
  it("have a name each", () => {
    const names = alerts.map(({ alert }) => alert);
    expect(new Set(names).size).to.equal(names.length);
  });

  it("are read by Prometheus, and told of in docs/operating.md", () => {
    for (const path of prometheus.rule_files) expect(existsSync(file(`prometheus/${path}`)), path).to.equal(true);
    const page = readFileSync(new URL("../../docs/operating.md", import.meta.url), "utf8");
    expect(alerts.map(({ alert }) => alert).filter((name) => !page.includes(`\`${name}\``))).to.deep.equal([]);
  });
});
