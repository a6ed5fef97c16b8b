import { execFileSync } from "node:child_process";
import { globSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import Mocha from "mocha";
import { startPostgres } from "../src/local/postgres.ts";
import { findRedis, startRedis } from "../src/local/redis.ts";
import { migrateQueue } from "../src/shared/backend.ts";
import { migrate } from "../src/shared/db/migrate.ts";
import { createLogger } from "../src/shared/logger.ts";
import { provide } from "./services.ts";

/** `npm test [-- files…] [-g words] [--slow]`: private Postgres and Redis on free ports, every test, and one summary line. */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { grep: { type: "string", short: "g" }, slow: { type: "boolean", default: false } },
});
const files = (positionals.length > 0 ? positionals : ["test"]).flatMap(filesIn);
const folder = await mkdtemp(join(tmpdir(), "parley-test-"));
const closing: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })];

async function closeAll(): Promise<void> {
  for (const close of closing.splice(0).reverse()) await close();
}
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => void closeAll().then(() => process.exit(130)));
}

try {
  const postgresUrl = await preparePostgres();
  provide({ postgresUrl, redisUrl: await prepareRedis(), slow: values.slow });
  const failures = await runTests();
  process.exitCode = failures > 0 ? 1 : 0;
} finally {
  await closeAll();
}
// What a test left open must not keep a finished run from ending; the summary has said whether it went well.
process.exit();

/** A file, or all that are in a folder, in the same order each time. */
function filesIn(path: string): string[] {
  const found = path.endsWith(".ts") ? [path] : globSync(`${path}/**/*.test.ts`).sort();
  if (found.length === 0) console.log(`  no tests in ${path}`);
  return found;
}

async function preparePostgres(): Promise<string> {
  // Tests lose nothing when the machine fails, so they need not wait for the disk.
  const flags = { fsync: "off", synchronous_commit: "off", full_page_writes: "off", max_connections: 300 };
  const postgres = await startPostgres({ dataDir: join(folder, "postgres"), flags });
  closing.push(() => postgres.stop());
  await migrate(postgres.url, createLogger({ LOG_LEVEL: "warn" }, "test"));
  await migrateQueue(postgres.url);
  return postgres.url;
}

async function prepareRedis(): Promise<string | undefined> {
  const program = (await findRedis()).program ?? installRedis();
  if (program === undefined) {
    console.log("\n  !! NO REDIS: no redis-server on PATH, and it can't be installed from here.");
    console.log("  !! Every test that needs Redis is counted as pending: half of the product is NOT tested.\n");
    return undefined;
  }
  const redis = await startRedis({ program, dataDir: join(folder, "redis") });
  closing.push(() => redis.stop());
  return redis.url;
}

/** Debian's, where that is allowed; its own service is not started, ours runs on a port of its own. */
function installRedis(): string | undefined {
  if (process.getuid?.() !== 0) return undefined;
  try {
    console.log("  no redis-server on PATH: installing Debian's …");
    const options = {
      stdio: "ignore",
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" },
    } as const;
    execFileSync("apt-get", ["update", "-qq"], options);
    execFileSync("apt-get", ["install", "-y", "-qq", "--no-install-recommends", "redis-server"], options);
    const found = ["/usr/bin/redis-server", "redis-server"].find((path) => answers(path));
    return found;
  } catch {
    return undefined;
  }
}

function answers(program: string): boolean {
  try {
    execFileSync(program, ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

async function runTests(): Promise<number> {
  const mocha = new Mocha({
    ui: "bdd",
    reporter: "spec",
    timeout: 20_000,
    slow: 2_000,
    forbidOnly: process.env["CI"] !== undefined,
    ...(values.grep !== undefined && { grep: values.grep }),
  });
  for (const file of files) mocha.addFile(file);
  await mocha.loadFilesAsync();
  return new Promise((resolve) => {
    const runner = mocha.run((failures) => {
      const { passes = 0, pending = 0 } = runner.stats ?? {};
      console.log(`${passes} passed, ${failures} failed, ${pending} skipped`);
      resolve(failures);
    });
  });
}
