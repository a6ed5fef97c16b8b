import { existsSync } from "node:fs";
import { join } from "node:path";
import { lockData } from "../local/data-lock.ts";
import { providePostgres, provideRedis, type Server } from "../local/servers.ts";
import { type Env, EnvError, readEnvBesideServers } from "../shared/env.ts";

const STOP_MS = 8_000;

/**
 * The servers of the environment, or of the system that runs here; else those that `npm start` would bring up, for as
 * long as the work takes.
 */
export async function withServers(
  { mayBeNew }: { mayBeNew: boolean },
  work: (env: Env, databaseUrl: string) => Promise<void>,
): Promise<void> {
  const env = readEnvBesideServers();
  if (env.DATABASE_URL) return work(env, env.DATABASE_URL);
  if (!mayBeNew && !existsSync(join(env.DATA_DIR, "postgres"))) {
    throw new EnvError([
      `DATABASE_URL: is needed, or a DATA_DIR where npm start has kept its data (not ${env.DATA_DIR})`,
    ]);
  }
  const lock = await lockData(env.DATA_DIR, "a backup or restore");
  const started: Server[] = [];
  try {
    const context = { env, signal: new AbortController().signal, tell: () => {} };
    const postgres = await providePostgres(context);
    started.push(postgres);
    const redis = await provideRedis(context);
    started.push(redis);
    await work({ ...env, DATABASE_URL: postgres.url, REDIS_URL: redis.url }, postgres.url!);
  } finally {
    for (const { ours } of started.reverse()) {
      ours?.letGo();
      await ours?.stop(STOP_MS);
    }
    await lock.release();
  }
}
