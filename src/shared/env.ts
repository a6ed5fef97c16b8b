import { z } from "zod";
import { isAddress, UNREADABLE, withHost } from "./address.ts";
import { parseRedisUrl, type RedisUrlError } from "./backend/redis-url.ts";
import { MOST_SHARDS } from "./backend/shards.ts";
import { givenIn } from "./given.ts";
import { withRunningServers } from "./running-servers.ts";
import { fileSettingOf, secretsAmong, withSecretFiles } from "./secret-files.ts";

const port = z.coerce.number().int().min(0).max(65_535);
const postgresUrl = z
  .string()
  .regex(/^postgres(ql)?:\/\/\S+$/, {
    error: "must look like postgres://user:password@host:5432/name",
    abort: true,
  })
  .refine((url) => isAddress(withHost(url)), UNREADABLE);
const perMinute = z.coerce.number().int().min(1).max(1_000_000);
const commaList = z.string().transform((text) =>
  text
    .split(",")
    .map((item) => item.trim())
    .filter(Boolean),
);
const redisUrl = z.string().superRefine((url, context) => {
  try {
    parseRedisUrl(url);
  } catch (error) {
    for (const message of (error as RedisUrlError).mistakes) context.addIssue(message);
  }
});

/** Every setting of every process: one schema, so that one table in the README and one `.env.example` tell it all. */
export const envSchema = z.object({
  NODE_ENV: z.enum(["development", "test", "production"]).default("development"),
  PORT: port.default(8000),
  HOST: z.string().default("127.0.0.1"),
  // Where `npm start` keeps its own Postgres and Redis, and the API the secret that nobody gave it.
  DATA_DIR: z.string().default(".data"),
  AUTH_MODE: z.enum(["token", "demo"]).default("token"),
  // Signs access tokens. A list: the first signs, all verify, so that a new one is put in front and the old one taken
  // away a quarter of an hour later. Without it a secret is made once and kept in DATA_DIR.
  AUTH_SECRET: commaList
    .refine(
      (list) => list.length > 0 && list.every((secret) => secret.length >= 32),
      "must be one secret or several with commas between, each of 32 characters at least",
    )
    .optional(),
  // Demo mode is for one machine and its owner, who may be as quick as they like.
  RATE_LIMITS: z.enum(["on", "off"]).optional(),
  // Per user and minute; an address may do ten times as much, for those who share one.
  RATE_SENDS: perMinute.default(1_200),
  RATE_READS: perMinute.default(3_000),
  RATE_LOGINS: perMinute.default(60),
  CORS_ORIGINS: commaList
    .refine((list) => list.every((origin) => origin === "*" || /^https?:\/\/[^/\s]+$/.test(origin)), {
      error: "must be origins like https://chat.example.org with commas between, or *",
    })
    .default([]),
  // Whether X-Forwarded-For is believed: only behind a proxy that sets it.
  TRUST_PROXY: z
    .enum(["true", "false"])
    .default("false")
    .transform((flag) => flag === "true"),
  DATABASE_URL: postgresUrl.optional(),
  // Streaming replicas of it, for history and lists; never for what a cursor depends on.
  DATABASE_REPLICA_URL: commaList
    .pipe(z.array(postgresUrl).min(1, "must be one address or several with commas between"))
    .optional(),
  REDIS_URL: redisUrl.optional(),
  LOG_LEVEL: z.enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"]).default("info"),
  // Jobs waiting before sends are refused: about a quarter of a minute of work for one worker.
  MAX_BACKLOG: z.coerce.number().int().min(1).default(100_000),
  // The prefix that lets several systems share one Redis or one Postgres queue.
  QUEUE_NAME: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,60}$/, "letters, digits, dot, dash and underscore only (no colon)")
    .default("parley"),
  // How long an entry of the log is kept, and with it the cursors that stand before it. 0: for ever.
  LOG_DAYS: z.coerce.number().int().min(0).max(36_500).default(30),
  // Queues that rooms are spread over, so that the nodes of a Redis Cluster share the load.
  QUEUE_SHARDS: z.coerce.number().int().min(1).max(MOST_SHARDS).default(1),
  // Above the sum of what one API or worker keeps busy at once; Postgres allows 100 by default.
  DATABASE_POOL: z.coerce.number().int().min(2).max(200).default(10),
  // Where traces are told, if anywhere. What else its exporter asks of the environment is its own (headers, time-outs).
  OTEL_EXPORTER_OTLP_ENDPOINT: z
    .string()
    .refine((url) => /^https?:$/.test(URL.parse(url)?.protocol ?? ""), "must look like http://collector:4318")
    .optional(),
  OTEL_SERVICE_NAME: z.string().min(1).max(100).optional(),
  OTEL_TRACES_SAMPLER: z
    .enum([
      "always_on",
      "always_off",
      "traceidratio",
      "parentbased_always_on",
      "parentbased_always_off",
      "parentbased_traceidratio",
    ])
    .default("parentbased_always_on"),
  OTEL_TRACES_SAMPLER_ARG: z.coerce.number().min(0).max(1).default(1),
  // Where a worker tells how it is; it needs no port for its work.
  WORKER_PORT: port.optional(),
  // Whoever scrapes shows it as a bearer token, so it is of characters that a header may have.
  METRICS_TOKEN: z
    .string()
    .regex(/^[\x21-\x7e]{16,}$/, "must be 16 characters at least, letters, digits and signs, without spaces")
    .optional(),
});

export type Env = Readonly<z.output<typeof envSchema>>;

const names = Object.keys(envSchema.shape);
/** Everything that may be set: what is secret also by the path of a file. */
export const settingNames: readonly string[] = [...names, ...secretsAmong(names).map(fileSettingOf)];

/** Parsed once, at the start of a process; all mistakes are told at once, a line each. */
export function readEnv(source: NodeJS.ProcessEnv = process.env): Env {
  const { found, mistakes } = withSecretFiles(givenIn(source), names);
  const parsed = envSchema.safeParse(found);
  mistakes.push(...(parsed.success ? conflicts(parsed.data) : parsed.error.issues.map(tell)));
  if (!parsed.success || mistakes.length > 0) throw new EnvError(mistakes);
  return Object.freeze(parsed.data);
}

/** For a command that somebody runs beside a system on this machine: it need not be told where the servers are. */
export const readEnvBesideServers = (): Env => readEnv(withRunningServers(process.env));

/** What a wrong environment says: one line per mistake, no stack. */
export class EnvError extends Error {
  readonly mistakes: readonly string[];
  constructor(mistakes: readonly string[]) {
    super(`The environment is wrong:\n${mistakes.map((line) => `  ${line}`).join("\n")}`);
    this.mistakes = mistakes;
  }
}

const tell = (issue: z.core.$ZodIssue): string => `${issue.path.join(".")}: ${issue.message}`;

/** Demo mode believes whoever speaks, so it may only listen where nobody else can speak. */
function conflicts(env: Env): string[] {
  if (env.AUTH_MODE !== "demo") return [];
  const mistakes: string[] = [];
  if (env.NODE_ENV === "production") mistakes.push("AUTH_MODE: demo mode is refused when NODE_ENV=production");
  if (!isLoopback(env.HOST)) mistakes.push(`HOST: demo mode listens on loopback only, not on ${env.HOST}`);
  return mistakes;
}

export const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
