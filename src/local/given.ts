import { Client } from "pg";
import { connectRedis, forOnce } from "../shared/backend/redis-connections.ts";
import { parseRedisUrl, tellPlace } from "../shared/backend/redis-url.ts";
import { StartError } from "./until-ready.ts";

// Long enough for a server in another country; somebody is looking at the screen.
const CONNECT_MS = 10_000;

/** A Postgres that we were told to use must be there; what is wrong with it is said in one line. Returns where it is. */
export async function checkPostgres(url: string): Promise<string> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: CONNECT_MS });
  client.on("error", () => {}); // what matters is thrown below as well
  try {
    await client.connect();
    await client.query("select 1");
    return place(url);
  } catch (error) {
    throw new StartError(`DATABASE_URL: cannot use ${place(url)} (${reason(error)})`);
  } finally {
    await client.end().catch(() => {});
  }
}

export async function checkRedis(url: string): Promise<string> {
  const place = parseRedisUrl(url);
  const client = connectRedis(place, forOnce(CONNECT_MS));
  // `connect` only says "closed"; the cause comes this way.
  let cause: unknown;
  client.on("error", (error) => {
    cause = error;
  });
  try {
    await client.connect();
    await client.ping();
    return tellPlace(place);
  } catch (error) {
    throw new StartError(`REDIS_URL: cannot use ${tellPlace(place)} (${reason(cause ?? error)})`);
  } finally {
    client.disconnect();
  }
}

/** Without user and password: it goes to a screen. */
function place(url: string): string {
  const parsed = URL.parse(url);
  return parsed ? `${parsed.host}${parsed.pathname.length > 1 ? parsed.pathname : ""}` : "the address given";
}

/** A name with several addresses fails with one error for each, and no message of its own; a cluster with its last. */
function reason(error: unknown): string {
  const { lastNodeError } = (error ?? {}) as { lastNodeError?: unknown };
  const one = error instanceof AggregateError ? error.errors[0] : (lastNodeError ?? error);
  return one instanceof Error ? one.message : String(one);
}
