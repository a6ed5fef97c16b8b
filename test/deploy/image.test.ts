import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, cpSync, existsSync, globSync, lstatSync, readdirSync, readFileSync } from "node:fs";
import { chmod, chown, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect } from "chai";
import { freshDatabase, hasRedis, services } from "../services.ts";
import { shipped } from "../supply/licences.ts";
import { instructions, isSent } from "./image.ts";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../../", import.meta.url));
/** Of nobody: as in the image, nothing that is run belongs to who runs it. */
const NOBODY = 65_534;
const asRoot = process.getuid?.() === 0;

/** What the image holds, made by the Dockerfile's own steps; without Docker, which is not everywhere. */
describe("what the image holds", () => {
  let folder: string;
  let app: string;
  let node: string;
  let data: string;
  let database: Awaited<ReturnType<typeof freshDatabase>>;

  before(async function () {
    if (!services().slow) return this.skip();
    this.timeout(280_000);
    folder = await mkdtemp(join(tmpdir(), "parley-image-"));
    [app, data, node] = [join(folder, "app"), join(folder, "data"), join(folder, "node")];
    await Promise.all([mkdir(app), mkdir(data), mkdir(join(folder, "tmp"))]);
    copyFileSync(process.execPath, node);
    for (const file of ["package.json", "package-lock.json"]) copyFileSync(join(root, file), join(app, file));
    const [install, , build] = instructions("RUN");
    await run("sh", ["-c", install!], { cwd: app });
    await rm(join(app, "package-lock.json"));
    const filter = (source: string) => isSent(relative(root, source));
    cpSync(join(root, "src"), join(app, "src"), { recursive: true, filter });
    // The stage of the page, on the packages that are here.
    expect(build).to.equal("node src/web/build/main.ts --tell");
    await run(process.execPath, build!.split(" ").slice(1), { cwd: root });
    cpSync(join(root, "dist/web"), join(app, "dist/web"), { recursive: true });
    await run("chmod", ["-R", "a-w,a+rX", app]);
    for (const path of [folder, node]) await chmod(path, 0o755);
    if (asRoot) for (const path of [data, join(folder, "tmp")]) await chown(path, NOBODY, NOBODY);
    database = await freshDatabase();
  });
  after(async () => {
    await database?.drop();
    if (folder) await run("chmod", ["-R", "u+w", folder]);
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  it("is every package that docs/licences.md names for it, and no other", () => {
    const installed = globSync("**/node_modules/{*,@*/*}/package.json", { cwd: app })
      .map((file) => JSON.parse(readFileSync(join(app, file), "utf8")) as { name?: string; version?: string })
      .filter(({ name, version }) => name && version)
      .map(({ name, version }) => `${name}@${version}`);
    const { image } = shipped();
    const named = new Set(image.map(({ name, version }) => `${name}@${version}`));
    expect(installed.filter((one) => !named.has(one))).to.deep.equal([]);
    const everywhere = image.filter(({ os, cpu, optional }) => !os && !cpu && !optional);
    expect(everywhere.length).to.be.greaterThan(100);
    const there = new Set(installed);
    expect(everywhere.map(({ name, version }) => `${name}@${version}`).filter((one) => !there.has(one))).to.deep.equal(
      [],
    );
    for (const tool of ["typescript", "vite", "mocha", ".bin"]) {
      expect(existsSync(join(app, "node_modules", tool)), tool).to.equal(false);
    }
  });

  it("serves and stores as a user without rights, on files that can only be read, and writes none", async function () {
    this.timeout(60_000);
    const worker = start("src/worker/main.ts");
    const api = start("src/api/main.ts", { PORT: "0", HOST: "127.0.0.1" });
    try {
      await worker.ready;
      const url = await api.ready;
      const ask = async (path: string, body?: object, token?: string) => {
        const headers = {
          accept: "text/html, application/json",
          prefer: "wait=10",
          ...(token && { authorization: `Bearer ${token}` }),
        };
        const json = body && {
          method: "POST",
          body: JSON.stringify(body),
          headers: { ...headers, "content-type": "application/json" },
        };
        return fetch(url + path, json ?? { headers });
      };
      for (const path of ["/", "/docs", "/openapi.json", "/readyz"])
        expect((await ask(path)).status, path).to.equal(200);
      const [ann, ben] = ["ann", "ben"].map((username) => ({ username, password: "correct horse battery" }));
      expect((await ask("/v1/users", ann)).status).to.equal(201);
      const { id } = (await (await ask("/v1/users", ben)).json()) as { id: number };
      const { access_token } = (await (await ask("/v1/auth/login", ann)).json()) as { access_token: string };
      const sent = await ask(`/v1/users/${id}/messages`, { text: "hello" }, access_token);
      expect(sent.status, await sent.text()).to.equal(201);
    } finally {
      expect([await api.end(), await worker.end()]).to.deep.equal([0, 0]);
    }
    for (const path of ["data", "tmp"]) expect(readdirSync(join(folder, path)), path).to.deep.equal([]);
    const mine = asRoot ? globSync("**", { cwd: app }).filter((file) => lstatSync(join(app, file)).uid === NOBODY) : [];
    expect(mine).to.deep.equal([]);
  });

  /** As the container starts it. */
  function start(script: string, more: Record<string, string> = {}) {
    const env = {
      PATH: ["/usr/bin", "/bin"].join(delimiter),
      TMPDIR: join(folder, "tmp"),
      NODE_ENV: "production",
      AUTH_SECRET: "s".repeat(40),
      DATA_DIR: data,
      DATABASE_URL: database.url,
      ...(hasRedis() && { REDIS_URL: services().redisUrl! }),
      QUEUE_NAME: "image",
      LOG_LEVEL: "warn",
      ...more,
    };
    const user = asRoot ? { uid: NOBODY, gid: NOBODY } : {};
    const child = spawn(node, [script], { cwd: app, env, stdio: ["ignore", "pipe", "pipe", "ipc"], ...user });
    let said = "";
    for (const stream of [child.stdout!, child.stderr!]) stream.on("data", (chunk) => (said += chunk));
    const exited = once(child, "exit").then(([code, signal]) => (code ?? signal) as number | string);
    const failed = exited.then((how) => Promise.reject(new Error(`${script} ended with ${how}:\n${said}`)));
    failed.catch(() => undefined);
    const ready = Promise.race([once(child, "message"), failed]).then(([{ url }]) => url as string);
    ready.catch(() => undefined);
    const end = (): Promise<number | string> => {
      child.kill("SIGTERM");
      return exited;
    };
    return { ready, end };
  }
});
