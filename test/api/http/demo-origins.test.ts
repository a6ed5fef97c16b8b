import http from "node:http";
import { expect } from "chai";
import { buildUsers, get, type Person } from "../../calls.ts";
import { type Api, buildWorld, type World } from "../../world.ts";

describe("demo mode, which believes whoever speaks", () => {
  let world: World;
  let named: Api;
  let ann: Person;
  let ben: Person;

  before(async () => {
    world = await buildWorld({ worker: false });
    named = await world.startApi({ CORS_ORIGINS: "https://chat.example.org,http://demo.example.org:8000" });
    [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
  });
  after(() => world?.close());

  /** As a browser asks; `fetch` lets nobody choose these headers. */
  async function ask(headers: Record<string, string>, { api = world, method = "GET", path = "/v1/me" }: Asked = {}) {
    const body = method === "GET" ? "" : `from=${ann.id}&text=forged`;
    const type = { "content-type": "application/x-www-form-urlencoded", "content-length": String(body.length) };
    const options = { method, headers: { "x-user-id": String(ann.id), ...type, ...headers }, agent: false };
    const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
      http
        .request(api.url + path, options, resolve)
        .on("error", reject)
        .end(body);
    });
    const text = Buffer.concat(await response.toArray()).toString();
    return response.headers["content-type"]?.includes("problem")
      ? `${response.statusCode} ${JSON.parse(text).code}`
      : response.statusCode;
  }
  const here = (): string => new URL(world.url).host;

  it("answers by address and by names that nobody can own, and to no name that was made to lead here", async () => {
    for (const host of [
      here(),
      "localhost",
      "localhost:8000",
      "[::1]:8000",
      "127.0.0.2",
      "192.0.2.1",
      "api",
      "chat.localhost:8000",
    ]) {
      expect(await ask({ host }), host).to.equal(200);
    }
    for (const host of ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:8000", "x y"]) {
      expect(await ask({ host }), host).to.equal("403 not_allowed");
    }
  });

  it("takes nothing from pages of elsewhere: no form, no script, no picture", async () => {
    const form = { method: "POST", path: `/chat/user/${ben.id}/` };
    for (const headers of [
      { origin: "https://evil.example" },
      { origin: "null" },
      { origin: `${world.url}.evil.example` },
      { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" },
      { "sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors" },
    ]) {
      const what = JSON.stringify(headers);
      expect(await ask(headers as Record<string, string>), what).to.equal("403 not_allowed");
      expect(await ask(headers as Record<string, string>, form), what).to.equal("403 not_allowed");
    }
    const navigation = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" };
    expect(await ask(navigation, form)).to.equal("403 not_allowed");
    expect((await get(world, "/v1/rooms", ann.id)).body.rooms).to.deep.equal([]);
  });

  it("is open for its own page, for programs, and for whoever follows a link", async () => {
    expect(await ask({ origin: world.url, "sec-fetch-site": "same-origin" })).to.equal(200);
    expect(await ask({ "sec-fetch-site": "none", "sec-fetch-mode": "navigate" }, { path: "/docs" })).to.equal(200);
    expect(await ask({ "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" }, { path: "/docs" })).to.equal(
      200,
    );
    expect(await ask({})).to.equal(200);
  });

  it("is open for the pages and by the names of CORS_ORIGINS", async () => {
    const [page, name] = [{ origin: "https://chat.example.org" }, { host: "demo.example.org:8000" }];
    for (const headers of [page, name] as Record<string, string>[]) {
      expect(await ask(headers, { api: named })).to.equal(200);
      expect(await ask(headers)).to.equal("403 not_allowed");
    }
  });

  it("is no matter outside of it: there a token is needed, by whatever name", async () => {
    const strict = await world.startApi({ AUTH_MODE: "token", AUTH_SECRET: "s".repeat(40) });
    const headers = { host: "chat.example.org", origin: "https://elsewhere.example" };
    expect(await ask(headers, { api: strict })).to.equal("401 not_signed_in");
    expect(await ask(headers, { api: strict, path: "/healthz" })).to.equal(200);
  });
});

interface Asked {
  readonly api?: { readonly url: string };
  readonly method?: string;
  readonly path?: string;
}
