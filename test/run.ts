import { execFileSync } from "node:child_process";
import { existsSync, globSync } from "node:fs";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { parseArgs } from "node:util";
import Mocha from "mocha";
import { startPostgres } from "../src/local/postgres.ts";
import { findRedis, startRedis } from "../src/local/redis.ts";
import { migrateQueue } from "../src/shared/backend/postgres-backend.ts";
import { migrate } from "../src/shared/db/migrate.ts";
import { createLogger } from "../src/shared/logger.ts";
import { provide } from "./services.ts";

/** `npm test [-- files…] [-g words] [--slow]`: private Postgres and Redis on free ports, every test, and one summary line. */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { grep: { type: "string", short: "g" }, slow: { type: "boolean", default: false } },
});
const files = (positionals.length > 0 ? positionals : ["test"]).flatMap(filesIn);
const browsers = ["chromium", "chromium-browser", "google-chrome"];
const folder = await mkdtemp(join(tmpdir(), "parley-test-"));
// Open to be walked through, as its parent is: as root, Postgres runs under another user.
await chmod(folder, 0o755);
// What tests and their processes make for a while lies there too, and goes with it however a run ends.
process.env["TMPDIR"] = folder;
// Half of what a process takes to start is compiling the same sources again.
process.env["NODE_COMPILE_CACHE"] = join(folder, "compiled");
const closing: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true, maxRetries: 5 })];

async function closeAll(): Promise<void> {
  for (const close of closing.splice(0).reverse()) await close();
}
let isEnding = false;
// More than once: npm and `timeout` hand on what the whole group was told already.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, endEarly);

function endEarly(): void {
  if (!isEnding) void closeAll().then(() => process.exit(130));
  isEnding = true;
}

try {
  const postgresUrl = await preparePostgres();
  provide({
    postgresUrl,
    redisUrl: await prepareRedis(),
    chromium: prepareChromium(),
    nginx: prepareNginx(),
    slow: values.slow,
  });
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
  const program = (await findRedis()).program ?? installed("redis-server", ["redis-server"]);
  if (program === undefined) {
    console.log("\n  !! NO REDIS: no redis-server on PATH, and it can't be installed from here.");
    console.log("  !! Every test that needs Redis is counted as pending: half of the product is NOT tested.\n");
    return undefined;
  }
  const redis = await startRedis({ program, dataDir: join(folder, "redis") });
  closing.push(() => redis.stop());
  return redis.url;
}

/** For the tests of the page alone: nothing else needs a browser. */
function prepareChromium(): string | undefined {
  if (!files.some((file) => file.includes("test/web/"))) return undefined;
  const given = process.env["CHROMIUM_PATH"];
  const program = given ?? onPath(browsers) ?? installed("chromium", browsers);
  if (program === undefined || !answers(program)) {
    console.log("\n  !! NO CHROMIUM: none on PATH nor at CHROMIUM_PATH, and it can't be installed from here.");
    console.log("  !! Every test that needs a browser is counted as pending: the chat page is NOT tested.\n");
    return undefined;
  }
  return program;
}

/** For the tests of what stands before the APIs alone. */
function prepareNginx(): string | undefined {
  if (!files.some((file) => file.includes("test/deploy/nginx"))) return undefined;
  const program = onPath(["nginx"]) ?? installed("nginx", ["nginx"]);
  if (program === undefined) {
    console.log("\n  !! NO NGINX: none on PATH, and it can't be installed from here.");
    console.log("  !! Every test behind nginx is counted as pending: the rolling restart is NOT tested.\n");
  }
  return program;
}

/** Debian's, where that is allowed; a service that comes with it is not started, ours runs on a port of its own. */
function installed(name: string, programs: readonly string[]): string | undefined {
  if (process.getuid?.() !== 0) return undefined;
  try {
    console.log(`  no ${name} on PATH: installing Debian's …`);
    const options = {
      stdio: "ignore",
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" },
    } as const;
    execFileSync("apt-get", ["update", "-qq"], options);
    execFileSync("apt-get", ["install", "-y", "-qq", "--no-install-recommends", name], options);
    return onPath(programs);
  } catch {
    return undefined;
  }
}

function onPath(programs: readonly string[]): string | undefined {
  const folders = ["/usr/bin", "/usr/sbin", ...(process.env["PATH"] ?? "").split(delimiter)];
  return programs.flatMap((program) => folders.map((folder) => join(folder, program))).find((path) => existsSync(path));
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
  // It would end a process of ours: it fails whichever test is running.
  process.on("unhandledRejection", (reason) => {
    throw reason;
  });
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
