import { readFileSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileSettingOf } from "./secret-files.ts";

/** Where a system on one machine says which servers it uses, for the commands that somebody runs beside it. */
const fileIn = (dataDir: string): string => join(dataDir, "servers.json");

export interface RunningServers {
  readonly DATABASE_URL: string;
  /** Empty where Postgres carries the queue. */
  readonly REDIS_URL: string;
  readonly QUEUE_NAME: string;
  readonly QUEUE_SHARDS: string;
}

/** Passwords stand in the addresses: nobody else may read it. */
export const tellServers = (dataDir: string, servers: RunningServers): Promise<void> =>
  writeFile(fileIn(dataDir), JSON.stringify(servers), { mode: 0o600 });

export const forgetServers = (dataDir: string): Promise<void> => rm(fileIn(dataDir), { force: true });

/** The environment where it names a server, else with those of the system that runs here. `FOO=` means unset. */
export function withRunningServers(source: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const names = ["DATABASE_URL", "REDIS_URL"].flatMap((name) => [name, fileSettingOf(name)]);
  if (names.some((name) => source[name])) return source;
  try {
    const servers = JSON.parse(readFileSync(fileIn(source["DATA_DIR"] || ".data"), "utf8")) as RunningServers;
    const given = Object.entries(source).filter(([, value]) => value !== "");
    return { ...servers, ...Object.fromEntries(given) };
  } catch {
    return source;
  }
}
