import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Env, EnvError, readEnvBesideServers } from "../shared/env.ts";

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
  // Only now: the container image has none of what brings up servers.
  const { withOwnServers } = await import("./own-servers.ts");
  return withOwnServers(env, work);
}
