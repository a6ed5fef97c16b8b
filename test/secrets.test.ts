import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import pg from "pg";
import { findRedis, type RedisServer, startRedis } from "../src/local/redis.ts";
import { surroundings } from "./processes.ts";
import { freshDatabase, hasRedis } from "./services.ts";

/** Something that is found again wherever it comes up. */
const recognisable = (what: string): string => `${what}-${randomBytes(16).toString("hex")}`;

describe("the secrets of a system", () => {
  const authSecret = recognisable("auth");
  const dbPassword = recognisable("db");
  const wrongPassword = recognisable("wrong");
  const userPassword = recognisable("user");
  const userEmail = `${recognisable("mail")}@example.org`;
  const role = `test_${randomBytes(6).toString("hex")}`;
  let folder: string;
  let redis: RedisServer;
  let database: { url: string; drop: () => Promise<void> };
  let owner: pg.Client;
  let databaseUrl: string;
  const spoken: Speaker[] = [];

  before(async function () {
    const { program } = await findRedis();
    if (!hasRedis() || program === undefined) return this.skip();
    folder = await mkdtemp(join(tmpdir(), "parley-leaks-"));
    redis = await startRedis({ program, dataDir: join(folder, "redis") });
    database = await freshDatabase();
    owner = new pg.Client({ connectionString: database.url });
    await owner.connect();
    await owner.query(`create role ${role} superuser login password '${dbPassword}'`);
    databaseUrl = withUser(database.url, role, dbPassword);
  });
  after(async () => {
    await Promise.all(spoken.map((speaker) => speaker.end()));
    await owner?.end();
    await database?.drop();
    await redis?.stop();
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  const speaker = (script: string, settings: Record<string, string>): Speaker => {
    const QUEUE_NAME = role;
    const one = new Speaker(script, {
      AUTH_SECRET: authSecret,
      PORT: "0",
      LOG_LEVEL: "trace",
      QUEUE_NAME,
      ...settings,
    });
    spoken.push(one);
    return one;
  };
  const secrets = (): string[] => [authSecret, dbPassword, wrongPassword, new URL(redis.url).password];
  const expectSecret = (text: string): void => {
    for (const secret of secrets()) expect(text).to.not.include(secret);
  };

  for (const script of ["src/api/main.ts", "src/worker/main.ts"]) {
    it(`are not told by ${script} where they are wrong`, async () => {
      const wrongRole = speaker(script, { DATABASE_URL: withUser(databaseUrl, role, wrongPassword) });
      const nowhere = speaker(script, { DATABASE_URL: `postgres://parley:${wrongPassword}@127.0.0.1:1/parley` });
      const wrongRedis = speaker(script, {
        DATABASE_URL: databaseUrl,
        REDIS_URL: withUser(redis.url, "", wrongPassword),
      });
      await wrongRole.says("password authentication failed");
      await nowhere.says("waiting for Postgres");
      await wrongRedis.says("WRONGPASS");
      for (const one of [wrongRole, nowhere, wrongRedis]) expectSecret(await one.end());
    });
  }

  for (const [script, args, url] of [
    // It waits for a database that refuses it; the others end.
    ["src/jobs.ts", "failed", () => `postgres://parley:${wrongPassword}@[x/y`],
    ["src/migrate.ts", "", () => withUser(databaseUrl, role, wrongPassword)],
    ["src/admin.ts", "grant somebody", () => withUser(databaseUrl, role, wrongPassword)],
  ] as const) {
    it(`are not told by ${script} where they are wrong`, async () => {
      const one = speaker(script, { DATABASE_URL: url(), args });
      expect(await one.exited).to.equal(1);
      expectSecret(await one.end());
    });
  }

  it("are in no line, no answer and no list of processes, whatever fails", async () => {
    const files = { AUTH_SECRET: authSecret, DATABASE_URL: databaseUrl, REDIS_URL: redis.url };
    const inFiles: Record<string, string> = { AUTH_SECRET: "" };
    for (const [name, secret] of Object.entries(files)) {
      inFiles[`${name}_FILE`] = join(folder, name);
      writeFileSync(join(folder, name), `${secret}\n`);
    }
    const worker = speaker("src/worker/main.ts", files);
    const api = speaker("src/api/main.ts", inFiles);
    await worker.says("the worker takes jobs");
    const url = await api.listens();
    const answers: string[] = [];
    const ask = async (path: string, init: RequestInit = {}): Promise<Response> => {
      const response = await fetch(url + path, init);
      answers.push(JSON.stringify([...response.headers]), await response.clone().text());
      return response;
    };
    const post = (path: string, body: unknown, headers: Record<string, string> = {}) => {
      const text = typeof body === "string" ? body : JSON.stringify(body);
      return ask(path, { method: "POST", body: text, headers: { "content-type": "application/json", ...headers } });
    };
    const person = { username: role, password: userPassword };
    expect((await post("/v1/users", person)).status).to.equal(201);
    const { access_token, user } = (await (await post("/v1/auth/login", person)).json()) as SignedIn;
    answers.splice(-2); // that one holds a token, as it should
    const bearer = { authorization: `Bearer ${access_token}` };
    const text = recognisable("text");
    const askAll = async (): Promise<void> => {
      for (const path of ["/healthz", "/readyz", "/openapi.json", "/docs", "/", "/nowhere", "/v1/me", "/v1/users"]) {
        await ask(path, { headers: bearer });
      }
      await ask("/v1/users/%00", { headers: bearer });
      await post("/v1/auth/login", "{ not json");
      await post(`/v1/users/${user.id + 1}/messages`, { text }, bearer);
    };
    await askAll();
    // What nobody has foreseen: a database that refuses what it took before.
    await owner.query("alter table users add constraint refused check (username = 'nobody') not valid");
    expect((await post("/v1/users", { ...person, username: `${role}-2`, email: userEmail })).status).to.equal(500);
    await redis.stop();
    await owner.query(`alter role ${role} password 'another'`);
    await owner.query("select pg_terminate_backend(pid) from pg_stat_activity where usename = $1", [role]);
    await api.says("the tail lost its connection");
    await askAll();
    await ask("/healthz", { headers: { "x-request-id": "the-last-one" } });
    await api.says("the-last-one");
    // What is missing is told to everybody; where it is, and as whom we come, to nobody.
    expect(await (await ask("/readyz")).text())
      .to.include("can't be reached")
      .and.not.match(new RegExp(`${role}|ECONN|\\d+\\.\\d+\\.\\d+`));
    const listed = [api, worker].map(({ pid }) => readFileSync(`/proc/${pid}/cmdline`, "utf8"));
    // Not asked to end: it would wait for a database that is not coming back.
    for (const said of [await api.end("SIGKILL"), await worker.end("SIGKILL")]) {
      expectSecret(said);
      for (const secret of [userPassword, userEmail, text, access_token]) {
        expect(said).to.not.include(secret);
      }
    }
    for (const answer of [...answers, ...listed]) expectSecret(answer);
    // It had its eyes open: things did go wrong, and were told.
    expect(await api.end())
      .to.include("a request failed")
      .and.include("password authentication failed");
    expect(answers.join()).to.include("queue_unavailable").and.include("database_unavailable");
  });
});

interface SignedIn {
  readonly access_token: string;
  readonly user: { readonly id: number };
}

function withUser(url: string, user: string, password: string): string {
  const changed = new URL(url);
  changed.username = user;
  changed.password = password;
  return changed.href;
}

/** A process whose every word is kept, from before it is ready. */
class Speaker {
  readonly pid: number;
  readonly exited: Promise<number | null>;
  readonly #child;
  readonly #listens: Promise<string>;
  #said = "";

  constructor(script: string, { args = "", ...settings }: Record<string, string>) {
    const env = { ...surroundings(), ...settings };
    const words = args.split(" ").filter(Boolean);
    this.#child = spawn(process.execPath, [script, ...words], { env, stdio: ["ignore", "pipe", "pipe", "ipc"] });
    this.pid = this.#child.pid!;
    for (const stream of [this.#child.stdout!, this.#child.stderr!]) {
      stream.on("data", (chunk) => {
        this.#said += chunk;
        this.#child.emit("said");
      });
    }
    this.exited = once(this.#child, "close").then(([code]) => code as number | null);
    this.#listens = once(this.#child, "message").then(([{ url }]) => url as string);
  }

  async says(words: string): Promise<void> {
    const ended = this.exited.then(() => Promise.reject(new Error(`it never said ${words}:\n${this.#said}`)));
    ended.catch(() => undefined);
    while (!this.#said.includes(words)) await Promise.race([once(this.#child, "said"), ended]);
  }

  listens(): Promise<string> {
    const ended = this.exited.then(() => Promise.reject(new Error(`it does not listen:\n${this.#said}`)));
    ended.catch(() => undefined);
    return Promise.race([this.#listens, ended]);
  }

  /** Answers all that it has said. */
  async end(signal: NodeJS.Signals = "SIGTERM"): Promise<string> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill(signal);
    await this.exited;
    return this.#said;
  }
}
