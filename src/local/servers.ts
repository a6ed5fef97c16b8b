import { join } from "node:path";
import type { Env } from "../shared/env.ts";
import { checkPostgres, checkRedis } from "./given.ts";
import { type Postgres, startPostgres } from "./postgres.ts";
import { findRedis, type RedisServer, startRedis } from "./redis.ts";
import { type Kept, supervise } from "./supervise.ts";

export interface Server {
  /** Undefined: there is none, and the parts must do without. */
  readonly url: string | undefined;
  /** Which one it is, for the screen. */
  readonly about: string;
  /** Only what we have started is ours to stop. */
  readonly ours?: Kept;
}

interface Context {
  readonly env: Env;
  readonly signal: AbortSignal;
  readonly tell: (line: string) => void;
}

/** The Postgres of DATABASE_URL, else one of our own. */
export async function providePostgres({ env, signal, tell }: Context): Promise<Server> {
  if (env.DATABASE_URL) {
    return { url: env.DATABASE_URL, about: `Postgres of DATABASE_URL (${await checkPostgres(env.DATABASE_URL)})` };
  }
  const dataDir = join(env.DATA_DIR, "postgres");
  // API, worker and seeds each take up to a pool; the rest is for whoever comes with psql.
  const flags = { max_connections: Math.max(100, 4 * env.DATABASE_POOL) };
  const ours = await supervise<Postgres>({
    name: "Postgres",
    signal,
    tell,
    start: (over, before) => startPostgres({ dataDir, flags, port: before?.port, signal: over }),
  });
  const { url, port } = ours.current;
  return { url, ours, about: `Postgres of our own (127.0.0.1:${port}, data in ${dataDir})` };
}

/** The Redis of REDIS_URL, else one of our own, else none. */
export async function provideRedis({ env, signal, tell }: Context): Promise<Server> {
  if (env.REDIS_URL) return { url: env.REDIS_URL, about: `Redis of REDIS_URL (${await checkRedis(env.REDIS_URL)})` };
  const { program, missing } = await findRedis();
  if (!program) {
    return { url: undefined, about: `${missing}: the queue lives in Postgres (slower; fine for trying out)` };
  }
  const dataDir = join(env.DATA_DIR, "redis");
  const ours = await supervise<RedisServer>({
    name: "Redis",
    signal,
    tell,
    start: (over, before) => startRedis({ program, dataDir, port: before?.port, signal: over }),
  });
  const { url, port } = ours.current;
  return { url, ours, about: `Redis of our own (${program}, 127.0.0.1:${port}, data in ${dataDir})` };
}
