import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { surroundings } from "../processes.ts";
import { importable } from "./scratch.ts";

// What is looked at with these is how the parts are brought up and down, not what they do.
const scripts: Record<string, string> = {
  "start.ts": `import { run } from ${importable("../../src/local/run.ts")};
    const file = (name) => import.meta.dirname + "/" + name + ".ts";
    await run(process.env, { migrate: file("migrate"), worker: file("worker"), api: file("api"), seeds: file("seeds"),
      page: file("page") });`,
  "migrate.ts": "",
  "seeds.ts": "",
  "page.ts": "",
  "worker.ts": `process.on("disconnect", () => process.exit(0));
    if (process.env.STUBBORN) process.on("SIGTERM", () => {});
    process.send({ type: "ready" });`,
  "api.ts": `import http from "node:http";
    process.on("disconnect", () => process.exit(0));
    const { PORT, HOST, AUTH_MODE, LOG_LEVEL, DATABASE_URL, REDIS_URL } = process.env;
    const seen = { AUTH_MODE, LOG_LEVEL, postgres: /^postgres:/.test(DATABASE_URL), redis: REDIS_URL };
    http.createServer((_, answer) => answer.end(JSON.stringify(seen)))
      .listen(PORT, HOST, () => process.send({ type: "ready", url: "http://" + HOST + ":" + PORT }));`,
};

export interface Started {
  readonly process: ChildProcess;
  readonly text: () => string;
  readonly exited: Promise<number | null>;
}

/** A system in `dir` whose parts do nothing; a test may overwrite one of them. */
export async function writeStandIns(dir: string): Promise<void> {
  for (const [name, code] of Object.entries(scripts)) await writeFile(join(dir, name), code);
}

/** What `npm start` runs, with nothing of our own environment but PATH. */
export function startStandIns(dir: string, env: Record<string, string> = {}): Started {
  const own = { DATA_DIR: join(dir, "data"), PORT: "0", ...env };
  const child = spawn(process.execPath, [join(dir, "start.ts")], { env: { ...surroundings(), ...own } });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      said += chunk;
    });
  }
  return { process: child, text: () => said, exited: once(child, "close").then(([code]) => code) };
}
