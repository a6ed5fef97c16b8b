import { z } from "zod";

const text = z.string().trim().min(1);
const count = z.int().min(0);

const Target = z.strictObject({
  refId: z.string().regex(/^[A-Z]$/),
  datasource: z.strictObject({ type: z.literal("prometheus"), uid: z.string().regex(/^\$\{datasource\}$/) }),
  expr: text,
  legendFormat: z.string(),
  instant: z.boolean().optional(),
  format: z.enum(["table", "time_series"]).optional(),
});

const GridPos = z.strictObject({ x: count.max(23), y: count, w: z.int().min(1).max(24), h: z.int().min(1) });
export type GridPos = z.output<typeof GridPos>;

const Row = z.looseObject({
  id: z.int().positive(),
  type: z.literal("row"),
  title: text,
  collapsed: z.literal(false),
  gridPos: GridPos,
  panels: z.tuple([]),
});

const Panel = z.looseObject({
  id: z.int().positive(),
  type: z.enum(["timeseries", "table", "stat"]),
  title: text,
  description: text,
  datasource: Target.shape.datasource,
  gridPos: GridPos,
  targets: z.array(Target).min(1),
  fieldConfig: z.looseObject({ defaults: z.looseObject({ unit: text.optional() }), overrides: z.array(z.unknown()) }),
});

/** What Grafana needs to import it, and what is asked of ours besides. */
export const Dashboard = z.looseObject({
  uid: text.max(40),
  title: text,
  schemaVersion: z.int().min(36),
  templating: z.strictObject({
    list: z.tuple([z.looseObject({ name: z.literal("datasource"), type: z.literal("datasource") })]),
  }),
  panels: z.array(z.union([Row, Panel])).min(1),
});
export type Dashboard = z.output<typeof Dashboard>;

const duration = z.string().regex(/^\d+[smh]$/);

const Alert = z.strictObject({
  alert: z.string().regex(/^Parley[A-Z]\w+$/),
  expr: text,
  for: duration,
  labels: z.strictObject({ severity: z.enum(["critical", "warning"]) }),
  annotations: z.strictObject({ summary: text, description: text }),
});
export type Alert = z.output<typeof Alert>;

export const AlertRules = z.strictObject({
  groups: z.array(z.strictObject({ name: text, rules: z.array(Alert).min(1) })).min(1),
});

export const PrometheusConfig = z.strictObject({
  global: z.strictObject({ scrape_interval: duration, evaluation_interval: duration }),
  rule_files: z.array(text),
  scrape_configs: z.array(
    z.strictObject({
      job_name: text,
      dns_sd_configs: z.array(z.strictObject({ names: z.array(text), type: z.literal("A"), port: z.int() })),
    }),
  ),
});
