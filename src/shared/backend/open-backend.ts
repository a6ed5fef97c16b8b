import type { Backend, BackendOptions } from "./backend.ts";
import { openPostgres } from "./postgres-backend.ts";
import { openRedis } from "./redis-backend.ts";

/** Redis where REDIS_URL says so, else Postgres; said in one log line. */
export async function openBackend(options: BackendOptions): Promise<Backend> {
  const { env, log } = options;
  const backend = env.REDIS_URL ? await openRedis(env.REDIS_URL, options) : await openPostgres(options);
  log.info(
    { queue: backend.kind },
    backend.kind === "redis" ? "Redis carries the queue" : "Postgres carries the queue",
  );
  return backend;
}
