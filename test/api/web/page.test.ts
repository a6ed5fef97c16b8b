import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { expect } from "chai";
import Koa from "koa";
import { webPage } from "../../../src/api/web/page.ts";
import { buildPage } from "../../../src/web/build/build.ts";
import { builtFolder, isBuilt } from "../../../src/web/build/sources.ts";
import { call, expectProblem, get } from "../../calls.ts";
import { buildWorld, type World } from "../../world.ts";

const KB = 1_000;
const asPage = { accept: "text/html,application/xhtml+xml,*/*;q=0.8" };

describe("the chat page's files", () => {
  let world: World;

  before(async function () {
    this.timeout(30_000);
    if (!(await isBuilt())) await buildPage();
    world = await buildWorld({ worker: false });
  });
  after(() => world?.close());

  const page = (headers = {}) => call(world, "GET", "/", { headers: { ...asPage, ...headers } });
  const assetsOf = (html: string): string[] => [...html.matchAll(/"(\/assets\/[^"]+)"/g)].map(([, path]) => path!);
  const script = async (): Promise<string> => assetsOf((await page()).body).find((path) => path.endsWith(".js"))!;
  /** Whole bytes, as they came: fetch would unpack them. */
  const bytes = async (path: string, encoding: string) => {
    return new Promise<{ headers: Record<string, unknown>; body: Buffer }>((resolve, reject) => {
      request(world.url + path, { headers: { "accept-encoding": encoding } }, (answer) => {
        const parts: Buffer[] = [];
        answer.on("data", (part) => parts.push(part));
        answer.on("end", () => resolve({ headers: answer.headers, body: Buffer.concat(parts) }));
      })
        .on("error", reject)
        .end();
    });
  };

  it("is at /, asked for anew each time, and 304 while it is the same", async () => {
    const { status, headers, body } = await page();
    expect(status).to.equal(200);
    expect(headers.get("content-type")).to.equal("text/html; charset=utf-8");
    expect(headers.get("cache-control")).to.equal("no-cache");
    expect(body).to.include('data-mode="demo"');
    const again = await page({ "if-none-match": headers.get("etag")! });
    expect(again.status).to.equal(304);
    expect(again.body).to.equal("");
  });

  it("may run its own scripts and nothing that is written into it", async () => {
    const { headers, body } = await page();
    const policy = headers.get("content-security-policy")!;
    for (const rule of ["default-src 'none'", "script-src 'self';", "style-src 'self';", "frame-ancestors 'none'"]) {
      expect(`${policy};`).to.include(rule);
    }
    expect(policy).to.include("require-trusted-types-for 'script'").and.not.include("unsafe");
    expect(body).to.not.match(/<style|<script(?![^>]*src=)|style=|\son\w+=|https?:/);
  });

  it("answers a HEAD without a body, and no other method", async () => {
    const head = await call(world, "HEAD", "/", { headers: asPage });
    expect(head.status).to.equal(200);
    expect(Number(head.headers.get("content-length"))).to.be.greaterThan(500);
    const put = await call(world, "PUT", "/", { headers: asPage, body: {} });
    expectProblem(put, 405, "method_not_allowed");
    expect(put.headers.get("allow")).to.equal("GET, HEAD");
  });

  it("is not in the way of who asks for JSON", async () => {
    expectProblem(await call(world, "GET", "/", { headers: { accept: "application/json" } }), 404, "route_not_found");
    expectProblem(await call(world, "GET", "/index.html", { headers: asPage }), 404, "route_not_found");
    expectProblem(await call(world, "GET", "/v1/nothing", { headers: asPage }), 404, "route_not_found");
  });

  it("has files whose names change with what is in them, packed as the browser likes it", async () => {
    const path = await script();
    const plain = await bytes(path, "identity");
    expect(plain.headers["cache-control"]).to.equal("public, max-age=31536000, immutable");
    expect(plain.headers["vary"]).to.include("Accept-Encoding");
    expect(plain.headers["content-type"]).to.equal("text/javascript; charset=utf-8");
    expect(plain.headers).to.not.have.property("content-encoding");
    const gzip = await bytes(path, "gzip");
    expect(gzip.headers["content-encoding"]).to.equal("gzip");
    expect(gunzipSync(gzip.body).equals(plain.body)).to.equal(true);
    const brotli = await bytes(path, "gzip, br");
    expect(brotli.headers["content-encoding"]).to.equal("br");
    expect(brotliDecompressSync(brotli.body).equals(plain.body)).to.equal(true);
  });

  it("gives those files and nothing else, whatever path is asked", async () => {
    const paths = ["/assets/", "/assets/nothing.js", "/assets/../index.html", "/assets/%2e%2e/index.html"];
    const packed = `${await script()}.gz`;
    for (const path of [...paths, "/assets/..%2f..%2fpackage.json", "/assets/%00", packed]) {
      expectProblem(await get(world, path), 404, "route_not_found");
    }
  });

  it("loads in less than 60 KB in all", async () => {
    const { body } = await page();
    const sizes = await Promise.all(assetsOf(body).map(async (path) => (await bytes(path, "gzip")).body.length));
    expect(sizes).to.have.length.greaterThan(2);
    const total = sizes.reduce((sum, size) => sum + size, Buffer.byteLength(body));
    expect(total).to.be.lessThan(60 * KB);
  });

  it("has the admin's desk beside it, which is loaded by whoever asks for that and by nobody else", async () => {
    const chat = await page();
    const desk = await call(world, "GET", "/admin", { headers: asPage });
    expect(desk.status).to.equal(200);
    expect(desk.headers.get("content-security-policy")).to.equal(chat.headers.get("content-security-policy"));
    expect(desk.body)
      .to.include('data-mode="demo"')
      .and.not.match(/<style|<script(?![^>]*src=)|style=|https?:/);
    expect((await call(world, "GET", "/admin/", { headers: asPage })).body).to.equal(desk.body);
    const again = await call(world, "GET", "/admin", {
      headers: { ...asPage, "if-none-match": desk.headers.get("etag")! },
    });
    expect(again.status).to.equal(304);
    const onlyDesk = assetsOf(desk.body).filter((path) => !assetsOf(chat.body).includes(path));
    expect(onlyDesk.some((path) => path.endsWith(".js"))).to.equal(true);
    expect(onlyDesk.some((path) => path.endsWith(".css"))).to.equal(true);
    for (const path of assetsOf(desk.body)) expect((await get(world, path)).status).to.equal(200);
    for (const path of ["/admin", "/admin/"]) {
      const json = await call(world, "GET", path, { headers: { accept: "application/json" } });
      expectProblem(json, 404, "route_not_found");
    }
    for (const path of ["/admin/index.html", "/admin/main.js", "/ADMIN", "/__proto__", "/constructor"]) {
      expectProblem(await call(world, "GET", path, { headers: asPage }), 404, "route_not_found");
    }
  });

  it("says how to build it where it is not built", async () => {
    const folder = await mkdtemp(join(tmpdir(), "parley-page-"));
    const app = new Koa();
    app.silent = true;
    app.use(async (ctx, next) => {
      await next().catch((error: { status: number; message: string }) => {
        ctx.status = error.status;
        ctx.body = error.message;
      });
    });
    app.use(webPage({ mode: "token", folder }));
    const server = app.listen(0, "127.0.0.1");
    try {
      await once(server, "listening");
      const { port } = server.address() as { port: number };
      const answer = await fetch(`http://127.0.0.1:${port}/`, { headers: asPage });
      expect(answer.status).to.equal(404);
      expect(await answer.text()).to.include("npm run build:web");
    } finally {
      server.close();
      await rm(folder, { recursive: true });
    }
  });

  it("knows whether what is built is what the sources say", async () => {
    expect(await isBuilt(builtFolder)).to.equal(true);
    expect(await isBuilt(join(builtFolder, "assets"))).to.equal(false);
  });
});
