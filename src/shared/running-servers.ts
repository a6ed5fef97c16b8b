import { readFileSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { givenIn } from "./given.ts";
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

/** The environment where it names a server, else with those of the system that runs here. */
export function withRunningServers(source: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const names = ["DATABASE_URL", "REDIS_URL"].flatMap((name) => [name, fileSettingOf(name)]);
  const given = givenIn(source);
  if (names.some((name) => given[name])) return given;
  try {
    const servers = JSON.parse(readFileSync(fileIn(given["DATA_DIR"] ?? ".data"), "utf8")) as RunningServers;
    return { ...servers, ...given };
  } catch {
    return given;
  }
}
