import { lockData } from "../local/data-lock.ts";
import { providePostgres, provideRedis, type Server } from "../local/servers.ts";
import type { Env } from "../shared/env.ts";

const STOP_MS = 8_000;

/** Those that `npm start` would bring up, for as long as the work takes. */
export async function withOwnServers(env: Env, work: (env: Env, databaseUrl: string) => Promise<void>): Promise<void> {
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
