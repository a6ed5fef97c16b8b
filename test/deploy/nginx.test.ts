import { execFile } from "node:child_process";
import { once } from "node:events";
import { readFile, rm } from "node:fs/promises";
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect } from "chai";
import { freePort } from "../../src/local/free-port.ts";
import { call, expectProblem, get } from "../calls.ts";
import { services } from "../services.ts";
import { buildWorld, type World } from "../world.ts";
import { type Nginx, renderConfig, startNginx } from "./behind/nginx.ts";

const run = promisify(execFile);
type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** Something behind nginx that tells what reached it, or behaves as an API never should. */
async function startUpstream(handle: Handler) {
  const server = http.createServer({ keepAliveTimeout: 75_000 }, handle);
  const connections = new Set<unknown>();
  server.on("connection", (socket) => connections.add(socket));
  await once(server.listen(await freePort(), "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  const close = async (): Promise<void> => {
    server.close();
    server.closeAllConnections();
    await once(server, "close");
  };
  return { port, connections, close };
}

describe("nginx", () => {
  before(function () {
    if (services().nginx === undefined) this.skip();
  });

  describe("before an API", () => {
    let world: World;
    let nginx: Nginx;

    before(async () => {
      world = await buildWorld({ env: { TRUST_PROXY: "true" } });
      nginx = await startNginx([Number(new URL(world.url).port)]);
    });
    after(async () => {
      await nginx?.stop();
      await world?.close();
    });

    it("passes on what is asked and what is answered", async () => {
      expect((await get(nginx, "/readyz")).status).to.equal(200);
      expectProblem(await get(nginx, "/v1/nothing"), 404, "route_not_found");
    });

    it("leaves it to the API to refuse what is too large, and refuses by itself what is far too large", async () => {
      const send = (kib: number) =>
        call(nginx, "POST", "/v1/rooms/1/messages", { as: 1, body: { text: "x".repeat(kib * 1_024) } });
      expectProblem(await send(100), 413, "body_too_large");
      const response = await fetch(`${nginx.url}/v1/rooms/1/messages`, {
        method: "POST",
        body: "x".repeat(200 * 1_024),
      });
      expect(response.status).to.equal(413);
      expect(response.headers.get("content-type")).to.equal("application/problem+json");
      expect(await response.json()).to.include({ status: 413, title: "Content Too Large" });
    });

    it("lets long acks through, as far as the API reads them", async () => {
      expect((await get(nginx, `/v1/nothing?ack=${"1".repeat(28 * 1_024)}`)).status).to.equal(404);
      const { status, body } = await get(nginx, `/v1/nothing?ack=${"1".repeat(36 * 1_024)}`);
      expect({ status, code: body.code }).to.deep.equal({ status: 431, code: "headers_too_large" });
    });

    for (const path of ["/metrics", "/Metrics/", "/admin", "/admin/queues/", "/v1/admin/users", "/v1/%61dmin/users"]) {
      it(`does not let anybody outside see ${path}`, async () => {
        const response = await fetch(nginx.url + path);
        expect(response.status).to.equal(404);
        expect(await response.json()).to.include({ status: 404, title: "Not Found" });
        expect(response.headers.get("x-request-id")).to.equal(null);
      });
    }

    it("logs each request under the API's id, without its query", async () => {
      const { headers } = await get(nginx, "/v1/nothing?ticket=secret-ticket");
      const lines = await nginx.logged();
      expect(lines.at(-1)).to.include({ path: "/v1/nothing", status: 404, requestId: headers.get("x-request-id") });
      expect(await nginx.said()).to.not.include("secret-ticket");
    });
  });

  describe("before something that tells what has reached it", () => {
    let upstream: Awaited<ReturnType<typeof startUpstream>>;
    let nginx: Nginx;

    before(async () => {
      upstream = await startUpstream(({ headers }, response) => response.end(JSON.stringify(headers)));
      nginx = await startNginx([upstream.port]);
    });
    after(async () => {
      await nginx?.stop();
      await upstream?.close();
    });

    const seen = async (headers: Record<string, string> = {}): Promise<Record<string, string>> =>
      (await (await fetch(nginx.url, { headers })).json()) as Record<string, string>;

    it("says where a request comes from, whatever the client says of that", async () => {
      const host = new URL(nginx.url).host;
      const told = await seen({ "x-forwarded-for": "203.0.113.9", "x-forwarded-host": "evil.example" });
      expect(told).to.include({ "x-forwarded-for": "127.0.0.1", "x-forwarded-host": host, host });
      expect(told).to.include({ "x-forwarded-proto": "http" });
    });

    it("passes a request id on, and gives one to who has none", async () => {
      expect(await seen({ "x-request-id": "mine-7" })).to.include({ "x-request-id": "mine-7" });
      expect((await seen())["x-request-id"]).to.match(/^[0-9a-f]{32}$/);
    });

    it("asks many requests on one connection", async () => {
      await Promise.all(Array.from({ length: 20 }, () => seen()));
      const before = upstream.connections.size;
      for (let i = 0; i < 20; i++) await seen();
      expect(upstream.connections.size).to.equal(before);
    });

    it("offers no other protocol than WebSocket to an API", async () => {
      const { port } = new URL(nginx.url);
      const socket = connect(Number(port), "127.0.0.1");
      socket.write("GET / HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade, close\r\n\r\n");
      const [answer] = await once(socket, "data");
      socket.destroy();
      expect(String(answer)).to.match(/^HTTP\/1.1 200 /);
      expect(String(answer)).to.not.include("h2c");
    });
  });

  describe("before one API that breaks off and another that does not", () => {
    let broken: Awaited<ReturnType<typeof startUpstream>>;
    let whole: Awaited<ReturnType<typeof startUpstream>>;
    let nginx: Nginx;
    const tried: string[] = [];

    before(async () => {
      broken = await startUpstream(({ method, socket }) => {
        tried.push(`${method} broken`);
        socket.destroy();
      });
      whole = await startUpstream(({ method }, response) => {
        tried.push(`${method} whole`);
        response.end();
      });
      nginx = await startNginx([broken.port, whole.port]);
    });
    beforeEach(() => tried.splice(0));
    after(async () => {
      await nginx?.stop();
    });

    it("asks the other what may be asked twice", async () => {
      const answers = await Promise.all(Array.from({ length: 10 }, () => fetch(nginx.url)));
      expect(new Set(answers.map(({ status }) => status))).to.deep.equal(new Set([200]));
      expect(tried).to.include("GET broken");
    });

    it("never sends a POST twice, and says that nobody knows what became of it", async () => {
      const send = () => fetch(nginx.url, { method: "POST", body: "{}" });
      const answers = await Promise.all(Array.from({ length: 10 }, send));
      expect(tried).to.have.length(10);
      const bad = answers.filter(({ status }) => status === 502);
      expect(bad).to.have.length(tried.filter((what) => what === "POST broken").length);
      expect(bad.length).to.be.above(0);
      expect(bad[0]!.headers.get("retry-after")).to.equal("1");
      expect(bad[0]!.headers.get("x-request-id")).to.match(/^[0-9a-f]{32}$/);
      expect(await bad[0]!.json()).to.include({ status: 502, title: "Bad Gateway" });
    });

    it("sends a message that has a key to the other one, and nothing else that has one", async () => {
      const send = (path: string, headers: Record<string, string>) =>
        fetch(nginx.url + path, { method: "POST", body: "{}", headers });
      const ask = (path: string, headers: Record<string, string>) =>
        Promise.all(Array.from({ length: 10 }, () => send(path, headers)));
      const key = { "idempotency-key": "report" };
      for (const path of ["/v1/rooms/7/messages", "/v1/users/7/messages/"]) {
        expect(new Set((await ask(path, key)).map(({ status }) => status)), path).to.deep.equal(new Set([200]));
        expect(tried.splice(0), path).to.include("POST broken");
      }
      for (const [path, headers] of [
        ["/v1/rooms/7/messages", {}],
        ["/v1/rooms/7/messages", { "idempotency-key": "" }],
        ["/v1/rooms", key],
      ] as const) {
        const answers = await ask(path, headers);
        expect(tried.splice(0), path).to.have.length(10);
        const bad = answers.filter(({ status }) => status === 502);
        expect(bad.length, path).to.be.above(0);
        expect(await bad[0]!.json(), path).to.include({ status: 502, title: "Bad Gateway" });
      }
    });

    it("sends a POST to the other one where it could not connect", async () => {
      await broken.close();
      const send = () => fetch(nginx.url, { method: "POST", body: "{}" });
      const answers = await Promise.all(Array.from({ length: 10 }, send));
      expect(new Set(answers.map(({ status }) => status))).to.deep.equal(new Set([200]));
      expect(tried).to.deep.equal(Array(10).fill("POST whole"));
    });

    it("says with a problem that no API has answered a message that has a key either", async () => {
      await whole.close();
      const answer = await fetch(`${nginx.url}/v1/rooms/7/messages`, {
        method: "POST",
        body: "{}",
        headers: { "idempotency-key": "report" },
      });
      expect(answer.headers.get("retry-after")).to.equal("1");
      expect(await answer.json()).to.include({ status: 502, title: "Bad Gateway" });
    });
  });

  it("takes tls.conf in the place of listen.conf", async function () {
    const tls = await readFile(new URL("../../deploy/nginx/tls.conf", import.meta.url), "utf8");
    // Older ones say it in the line before.
    const folder = await renderConfig([8000], tls.replace(/^http2 on;$/m, "").replaceAll("/run/secrets/", ""));
    const [key, certificate] = [join(folder, "tls.key"), join(folder, "tls.crt")];
    const newKey = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    try {
      await run("openssl", [...newKey, "-subj", "/CN=x", "-keyout", key, "-out", certificate]);
    } catch {
      await rm(folder, { recursive: true });
      return this.skip();
    }
    const test = `${services().nginx} -t -q -p ${folder}/ -c ${folder}/nginx.conf -e stderr > ${folder}/said.log 2>&1`;
    await run("sh", ["-c", test]).catch(() => undefined);
    expect(await readFile(join(folder, "said.log"), "utf8")).to.not.match(/\[(emerg|alert|crit|error)\]/);
    await rm(folder, { recursive: true });
  });
});
