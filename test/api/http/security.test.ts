import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect } from "chai";
import { rows } from "../../../src/shared/db/database.ts";
import { type Answer, buildUser, call, expectProblem, get, type Person, post } from "../../calls.ts";
import { surroundings } from "../../processes.ts";
import { buildWorld, type World } from "../../world.ts";

const PASSWORD = "Passw0rd!"; // of everybody that buildUser makes
const HOME = "https://chat.example.org";

const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });

describe("what the API tells browsers, and takes from strangers", () => {
  let dataDir: string;
  let world: World;
  let ann: Person;
  let token: string;

  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "parley-security-"));
    const CORS_ORIGINS = `${HOME}, https://other.example.org`;
    world = await buildWorld({ env: { AUTH_MODE: "token", RATE_LIMITS: "off", DATA_DIR: dataDir, CORS_ORIGINS } });
    ann = await buildUser(world);
    await rows(world.deps.em, "update users set is_admin = true where id = $1", [ann.id]);
    const body = { username: ann.username, password: PASSWORD };
    token = (await post(world, "/v1/auth/login", body)).body.access_token;
  });
  after(async () => {
    await world?.close();
    await rm(dataDir, { recursive: true, force: true });
  });

  describe("to pages of other origins", () => {
    const from = (origin: string, api: { url: string } = world) =>
      call(api, "GET", "/v1/me", { headers: { origin, ...bearer(token).headers } });
    const preflight = (origin: string) =>
      fetch(`${world.url}/v1/me`, {
        method: "OPTIONS",
        headers: {
          origin,
          "access-control-request-method": "PATCH",
          "access-control-request-headers": "authorization",
        },
      });

    it("answers those that are configured, errors too, and lets them read what clients need", async () => {
      for (const origin of [HOME, "https://other.example.org"]) {
        const { status, headers } = await from(origin);
        expect(status).to.equal(200);
        expect(headers.get("access-control-allow-origin")).to.equal(origin);
        expect(headers.get("vary")).to.match(/\borigin\b/i);
        const exposed = headers.get("access-control-expose-headers")!.toLowerCase().split(/, ?/);
        expect(exposed).to.include.members(["etag", "link", "location", "ratelimit", "retry-after", "x-request-id"]);
        // There are no cookies to send along.
        expect(headers.get("access-control-allow-credentials")).to.equal(null);
      }
      const refused = await call(world, "GET", "/v1/me", { headers: { origin: HOME } });
      expectProblem(refused, 401, "not_signed_in");
      expect(refused.headers.get("access-control-allow-origin")).to.equal(HOME);
    });

    it("tells them what they may ask", async () => {
      const { status, headers } = await preflight(HOME);
      expect(status).to.equal(204);
      expect(headers.get("access-control-allow-origin")).to.equal(HOME);
      expect(headers.get("access-control-allow-methods")!.split(",")).to.include.members(["GET", "PATCH", "DELETE"]);
      const allowed = headers.get("access-control-allow-headers")!.toLowerCase().split(/, ?/);
      expect(allowed).to.include.members(["authorization", "content-type", "x-api-key", "idempotency-key", "prefer"]);
    });

    it("tells all others nothing, however alike they look", async () => {
      const alike = [`${HOME}.evil.example.org`, `${HOME}:8443`, "http://chat.example.org", "null"];
      for (const origin of ["https://evil.example.org", ...alike]) {
        expect(corsOf((await from(origin)).headers), origin).to.deep.equal([]);
        expect(corsOf((await preflight(origin)).headers), origin).to.deep.equal([]);
      }
    });

    it("tells nobody anything if no origin is configured, and everybody if all are", async () => {
      const [none, all] = [await world.startApi({ CORS_ORIGINS: "" }), await world.startApi({ CORS_ORIGINS: "*" })];
      expect(corsOf((await from(HOME, none)).headers)).to.deep.equal([]);
      expect((await from("https://any.example", all)).headers.get("access-control-allow-origin")).to.equal("*");
    });

    const corsOf = (headers: Headers): string[] =>
      [...headers.keys()].filter((name) => name.startsWith("access-control-"));
  });

  it("every answer has the headers that keep browsers from guessing, framing and leaking", async () => {
    const asset = "/docs/assets/ui/swagger-ui.min.css";
    for (const path of ["/v1/me", "/healthz", "/nowhere", "/openapi.json", "/docs", asset]) {
      const { headers } = await get(world, path);
      const told = Object.fromEntries(headers);
      expect(told, path).to.include({
        "x-content-type-options": "nosniff",
        "x-frame-options": "SAMEORIGIN",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-site",
      });
      expect(told["strict-transport-security"], path).to.match(/^max-age=\d{7,}/);
      expect(directives(told["content-security-policy"]!), path).to.include({
        "default-src": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
        "object-src": "'none'",
      });
      expect(told, path).to.not.have.any.keys("x-powered-by", "server");
    }
  });

  it("the page of the docs runs the script that stands in it, by its hash, and no other", async () => {
    const { headers, body } = await get(world, "/docs");
    const policy = directives(headers.get("content-security-policy")!)["script-src"]!.split(" ");
    const scripts = [...body.matchAll(/<script>([\s\S]*?)<\/script>/g)].map(([, text]) => text);
    expect(scripts).to.have.length(1);
    const hash = createHash("sha256").update(scripts[0]).digest("base64");
    expect(policy).to.have.members(["'self'", `'sha256-${hash}'`]);
    expect(body).to.not.match(/(?:src|href)="(?:https?:)?\/\//);
    expect(body).to.not.match(/<script(?! src="\/docs\/assets\/|>)| on\w+=/);
  });

  it("every answer has a request id: the client's if it is one, else a new one", async () => {
    const id = "order-66:a.b_c";
    const given = await call(world, "GET", "/v1/me", { headers: { "x-request-id": id } });
    expectProblem(given, 401, "not_signed_in");
    expect(given.body.request_id).to.equal(id);
    for (const bad of ["x".repeat(101), "two words", '{"a":1}', "<script>", ""]) {
      const answer = await call(world, "GET", "/healthz", { headers: { "x-request-id": bad } });
      expect(answer.headers.get("x-request-id")).to.match(/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/);
    }
  });

  describe("of what is hardly a request", () => {
    for (const header of ["Authorization: Bearer TOKEN", "X-API-Key: a:b"]) {
      const [name] = header.split(":") as [string];
      it(`refuses ${name} given twice, also where both say the same`, async () => {
        const line = header.replace("TOKEN", token);
        const answer = await raw(`GET /v1/me HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${line}\r\n${line}\r\n\r\n`);
        expect(answer.status).to.equal(400);
        expect(answer.problem).to.deep.include({ code: "validation_failed" });
        expect(answer.problem.errors).to.deep.equal([{ path: name.toLowerCase(), message: "is given more than once" }]);
        expect(answer.text).to.not.include(token);
      });
    }

    it("answers 1 MB of header with 431 and a problem", async () => {
      const answer = await raw(`GET /v1/me HTTP/1.1\r\nHost: x\r\nX-Much: ${"x".repeat(1_000_000)}\r\n\r\n`);
      expect(answer).to.deep.include({ status: 431, type: "application/problem+json; charset=utf-8" });
      expect(answer.problem).to.include({ status: 431, code: "headers_too_large" });
    });

    for (const [what, bytes] of [
      ["garbage", "\u0000\u0001garbage\r\n\r\n"],
      ["another protocol", "SSH-2.0-OpenSSH_9.6\r\n"],
      ["a header without a name", "GET /v1/me HTTP/1.1\r\nHost: x\r\n: empty\r\n\r\n"],
      ["two lengths", "POST /v1/users HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{}"],
      [
        "a length and chunks, as smugglers send them",
        "POST /v1/users HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      ],
    ] as const) {
      it(`answers ${what} with 400 and a problem, and goes on`, async () => {
        const answer = await raw(bytes);
        expect(answer).to.deep.include({ status: 400, type: "application/problem+json; charset=utf-8" });
        expect(answer.problem).to.include({ status: 400, code: "malformed_request" });
        expect((await get(world, "/healthz")).status).to.equal(200);
      });
    }

    const upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
    for (const [what, headers] of [
      ["", "Connection: close\r\n"],
      [" for a socket", `${upgrade}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n`],
    ] as const) {
      it(`answers a request${what} of an address that nobody can read with 400 and a problem, and goes on`, async () => {
        for (const target of ["http://[::1/v1/ws", "http://", "http://x:999999/v1/ws"]) {
          const answer = await raw(`GET ${target} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`);
          expect(answer, target).to.deep.include({ status: 400, type: "application/problem+json; charset=utf-8" });
          expect(answer.problem).to.include({ status: 400, code: "malformed_request" });
        }
      });

      it(`takes a request${what} of a whole address, or of more than a path, for that of its path`, async () => {
        for (const target of ["http://x:1/v1/ws?a=b", "http://%@x/v1/ws", "/v1/ws#//a@[", "HTTPS://x/v1/ws/"]) {
          const answer = await raw(`GET ${target} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`);
          expect(answer.status, target).to.equal(what ? 401 : 404);
        }
        for (const target of ["//a@[::1#", "/\\a@[#", "*"]) {
          const answer = await raw(`GET ${target} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`);
          expect(answer.problem.code, target).to.equal("route_not_found");
        }
      });
    }

    /** Writes to the socket itself; answers what came until the server closed it. */
    async function raw(text: string) {
      const { hostname, port } = new URL(world.url);
      const socket = net.connect(Number(port), hostname);
      let said = "";
      socket.on("data", (chunk) => (said += chunk)).on("error", () => undefined);
      socket.write(text);
      await new Promise((resolve) => socket.once("close", resolve));
      const [head = "", body = ""] = said.split("\r\n\r\n");
      const [, status] = /^HTTP\/1\.1 (\d+) /.exec(head) ?? [];
      const [, type] = /^content-type: (.*)$/im.exec(head) ?? [];
      return { status: Number(status), type, text: said, problem: JSON.parse(body || "{}") };
    }
  });

  describe("as names and texts", () => {
    for (const text of [
      "Robert'); drop table users; --",
      "' or '1'='1",
      "$1 $2 {{7*7}} <%= 7*7 %> #{7*7} $(reboot) %{7*7}",
      "<script>alert(1)</script><img src=x onerror=alert(1)>",
      '%s %n %x \\ \\u0000 \\\' "quoted" `ticked`',
      "__proto__ constructor toString",
      "=cmd|' /C calc'!A0 \u202egnp.exe 👩‍👩‍👧",
    ]) {
      it(`keeps ${JSON.stringify(text).slice(0, 40)} as the text that it is`, async () => {
        const ask = async (method: string, path: string, body?: object): Promise<Answer> => {
          const answer = await call(world, method, path, { ...bearer(token), ...(body && { body }) });
          expect(answer.status, JSON.stringify(answer.body)).to.be.below(300);
          return answer;
        };
        const user = await ask("PATCH", `/v1/users/${ann.id}`, { first_name: text, status_message: text });
        expect(user.body).to.include({ first_name: text, status_message: text });
        const found = await ask("GET", `/v1/users?q=${encodeURIComponent(text)}`);
        expect(found.body.users.map(({ id }: Person) => id)).to.deep.equal([ann.id]);
        const room = await ask("POST", "/v1/rooms", { name: text });
        expect((await ask("GET", `/v1/rooms/${room.body.id}`)).body.name).to.equal(text);
        const made = await ask("POST", "/v1/auth/tokens", { name: text });
        expect(made.body.name).to.equal(text);
        const sent = await ask("POST", `/v1/rooms/${room.body.id}/messages`, { text, client_key: ascii(text) });
        const task = await ask("GET", `/v1/tasks/${sent.body.task_id}?wait=20`);
        expect(task.body.result).to.include({ text, client_key: ascii(text) });
        const history = await ask("GET", `/v1/rooms/${room.body.id}/messages`);
        expect(history.body.messages[0].text).to.equal(text);
        expect(history.headers.get("content-type")).to.match(/^application\/json/);
      });
    }
  });

  it("the log holds no password, no token, no key and no text, on whatever level", async () => {
    const log = await startLogged({ ...settingsOf(world), DATA_DIR: dataDir, LOG_LEVEL: "trace" });
    try {
      const username = "carefully-logged";
      const secrets: Record<string, string> = {
        password: "correct horse battery",
        newPassword: "tr0ub4dor and three",
        wrongPassword: "guessed-by-somebody",
        name: "Hildegard-B",
        text: "nobody else may read this",
        brokenText: "cut-short-in-the-middle",
        query: "searched-for-this",
        time: "2998-12-31T23:59:59+23:58",
        forgedToken: `plt_${"Forged00".repeat(5)}`,
        forgedKey: `plc_${"k".repeat(43)}`,
      };
      const ask = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
        (await call(log, method, path, { headers, ...(body !== undefined && { body }) })).body;
      const { name, password, text, time } = secrets;
      const { id } = await ask("POST", "/v1/users", { username, password, first_name: name });
      await ask("POST", "/v1/users", { username, password });
      await ask("POST", "/v1/auth/login", { username, password: secrets["wrongPassword"] });
      const { refresh_token } = await ask("POST", "/v1/auth/login", { username, password });
      const { access_token } = await ask("POST", "/v1/auth/refresh", { refresh_token });
      const { headers } = bearer(access_token);
      const change = { password: secrets["newPassword"], current_password: password };
      await ask("PATCH", `/v1/users/${id}`, change, headers);
      const { token: botToken } = await ask("POST", "/v1/auth/tokens", { name }, headers);
      await ask("POST", "/v1/auth/tokens", { name, expires_at: time }, headers);
      await ask("GET", "/v1/me", undefined, bearer(botToken).headers);
      await ask("GET", "/v1/me", undefined, bearer(secrets["forgedToken"]!).headers);
      const client = (await call(world, "POST", "/v1/clients", { ...bearer(token), body: { name: "server" } })).body;
      for (const key of [client.api_key, `${client.id}:${secrets["forgedKey"]}`]) {
        await ask("GET", "/v1/me", undefined, { "x-api-key": key, "x-act-as": String(id) });
      }
      await ask("POST", `/v1/users/${ann.id}/messages`, { text }, headers);
      await ask("POST", `/v1/users/${ann.id}/messages`, `{"text": "${secrets["brokenText"]}`, headers);
      await ask("GET", `/v1/users?q=${secrets["query"]}`, undefined, headers);
      await ask("GET", "/healthz", undefined, { "x-request-id": "the-last-one" });
      await log.has("the-last-one");
      const said = log.lines.join("\n");
      // That it has its eyes open: requests are there, with who asked.
      expect(said).to.match(/"route":"createToken","userId":\d+,"credential":"session:/);
      expect(said).to.contain(`"credential":"client:${client.id}"`);
      const [, apiKey] = client.api_key.split(":");
      const all = Object.entries({ ...secrets, refresh_token, access_token, botToken, apiKey });
      for (const [what, secret] of all) expect(secret, what).to.be.a("string").with.length.above(7);
      expect(all.filter(([, secret]) => said.includes(secret)).map(([what]) => what)).to.deep.equal([]);
    } finally {
      await log.end();
    }
  });
});

/** `default-src 'self'; …` as an object. */
const directives = (policy: string): Record<string, string> =>
  Object.fromEntries(policy.split(";").map((part) => part.trim().split(/ (.*)/s).slice(0, 2)));

const ascii = (text: string): string => text.replace(/[^\x20-\x7e]/g, "?");

/** What a process needs to serve the same world. */
const settingsOf = ({ env }: World): Record<string, string> => ({
  DATABASE_URL: env.DATABASE_URL!,
  ...(env.REDIS_URL && { REDIS_URL: env.REDIS_URL }),
  QUEUE_NAME: env.QUEUE_NAME,
  AUTH_MODE: "token",
  PORT: "0",
});

/** An API process whose every word is kept. */
async function startLogged(settings: Record<string, string>) {
  const child = spawn(process.execPath, ["src/api/main.ts"], {
    env: { ...surroundings(), ...settings },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  const lines: string[] = [];
  for (const input of [child.stdout!, child.stderr!]) {
    createInterface({ input }).on("line", (line) => {
      lines.push(line);
      child.emit("said");
    });
  }
  const exited = once(child, "exit");
  const failed = exited.then(() => Promise.reject(new Error(`it did not start:\n${lines.join("\n")}`)));
  const [{ url }] = (await Promise.race([once(child, "message"), failed])) as [{ url: string }];
  failed.catch(() => undefined);
  const has = async (word: string): Promise<void> => {
    while (!lines.some((line) => line.includes(word))) await once(child, "said");
  };
  const end = async (): Promise<void> => {
    child.kill("SIGKILL");
    await exited;
  };
  return { url, lines, has, end };
}
