import { randomBytes } from "node:crypto";
import pg from "pg";

/** The private servers of this run: everything a test file needs is made on them, for that file alone. */
export interface Services {
  /** The migrated database that every test database is a copy of. */
  readonly postgresUrl: string;
  /** Undefined where there is no Redis: those tests are pending. */
  readonly redisUrl: string | undefined;
  /** The program; undefined where there is no Chromium, or none was asked for: tests of the page are pending. */
  readonly chromium: string | undefined;
  /** The program; undefined where there is no nginx, or none was asked for: tests behind it are pending. */
  readonly nginx: string | undefined;
  /** Also the tests that wait for as long as the product says: half a minute, a minute. */
  readonly slow: boolean;
}

let provided: Services | undefined;

export function provide(services: Services): void {
  provided = services;
}

export function services(): Services {
  if (!provided) throw new Error("Tests are run by `npm test`, which starts Postgres and Redis for them");
  return provided;
}

export const hasRedis = (): boolean => services().redisUrl !== undefined;

/** A copy of the migrated database (about 0.1 s), shared with no other test file. */
export const freshDatabase = (postgresUrl = services().postgresUrl) => makeDatabase(postgresUrl, "parley");

/** One that nobody has migrated yet. */
export const emptyDatabase = () => makeDatabase(services().postgresUrl, "template1");

async function makeDatabase(
  postgresUrl: string,
  template: string,
): Promise<{ url: string; drop: () => Promise<void> }> {
  const name = `test_${randomBytes(6).toString("hex")}`;
  await admin(postgresUrl, `create database ${name} template ${template}`);
  const url = new URL(postgresUrl);
  url.pathname = `/${name}`;
  return { url: url.href, drop: () => admin(postgresUrl, `drop database ${name} with (force)`) };
}

/** 64-bit integers as numbers, as the product reads them. */
export function numbersForInt8(): pg.CustomTypesConfig {
  const types = new pg.TypeOverrides();
  types.setTypeParser(pg.types.builtins.INT8, Number);
  return types as pg.CustomTypesConfig;
}

async function admin(postgresUrl: string, sql: string): Promise<void> {
  const url = new URL(postgresUrl);
  url.pathname = "/postgres";
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
