import { once } from "node:events";
import net from "node:net";
import { expect } from "chai";
import { buildRoom, buildUsers, call, expectProblem, get, type Person, say, toRoom } from "../../calls.ts";
import { scrape, scrapeUntil } from "../../metrics.ts";
import { openSocket } from "../../sockets.ts";
import { type Api, buildWorld, type World } from "../../world.ts";

describe("GET /metrics", () => {
  let world: World;
  let people: Person[];
  let room: { id: number };
  before(async () => {
    world = await buildWorld();
    people = await buildUsers(world, 3);
    room = await buildRoom(world, people);
  });
  after(() => world?.close());

  it("answers Prometheus' text", async () => {
    const answer = await call(world, "GET", "/metrics");
    expect(answer.status).to.equal(200);
    expect(answer.headers.get("content-type")).to.equal("text/plain; version=0.0.4; charset=utf-8");
    expect(answer.headers.get("cache-control")).to.equal("no-store");
    expect(answer.body).to.match(/^# HELP parley_build_info .+\n# TYPE parley_build_info gauge\nparley_build_info\{/m);
    expect(answer.body)
      .to.match(/^process_cpu_seconds_total /m)
      .and.match(/^nodejs_eventloop_lag_p99_seconds /m);
  });

  it("answers HEAD, and tells other methods that it does not know them", async () => {
    const head = await call(world, "HEAD", "/metrics");
    expect({ status: head.status, body: head.body }).to.deep.equal({ status: 200, body: "" });
    const post = await call(world, "POST", "/metrics", { body: {} });
    expectProblem(post, 405, "method_not_allowed");
    expect(post.headers.get("allow")).to.equal("GET, HEAD");
  });

  it("counts a request once, by its route and not by its path", async () => {
    const of = { method: "GET", route: "getUser", status: "200" };
    const before = (await scrape(world)).value("parley_http_requests_total", of) ?? 0;
    for (const { id } of people) await get(world, `/v1/users/${id}`, people[0]!.id);
    const after = await scrape(world);
    expect(after.value("parley_http_requests_total", of)).to.equal(before + 3);
    expect(after.value("parley_http_request_seconds_count", { route: "getUser" })).to.equal(before + 3);
    expect(after.text).to.not.include("/v1/users");
  });

  it("counts what no route knows as none, whatever its path and method are", async () => {
    const of = (method: string) => ({ method, route: "none", status: "404" });
    const before = await scrape(world);
    await get(world, "/v1/nothing-at-all");
    await call(world, "PROPFIND", "/v1/nothing-at-all");
    const after = await scrape(world);
    for (const method of ["GET", "other"])
      expect(after.value("parley_http_requests_total", of(method))).to.equal(
        (before.value("parley_http_requests_total", of(method)) ?? 0) + 1,
      );
    expect(after.text).to.not.include("nothing-at-all").and.not.include("PROPFIND");
  });

  it("counts sockets when they open, and those that are refused", async () => {
    const of = (status: string) => ({ method: "GET", route: "openSocket", status });
    const before = await scrape(world);
    const socket = await openSocket(world, { "x-user-id": String(people[0]!.id) });
    const refused = await openSocket(world, {}).catch((error: Error) => error);
    expect(String(refused)).to.include("401");
    const after = await scrapeUntil(world, (now) => now.value("parley_http_requests_total", of("401")) !== undefined);
    socket.ws.terminate();
    const grown = ["101", "401"].map(
      (status) =>
        after.value("parley_http_requests_total", of(status))! -
        (before.value("parley_http_requests_total", of(status)) ?? 0),
    );
    expect(grown).to.deep.equal([1, 1]);
  });

  it("counts what can't be read, and what asks for a socket in a way that gives none", async () => {
    const socketWith = (more: string) =>
      `GET /v1/ws?user_id=${people[0]!.id} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${more}\r\n`;
    for (const [bytes, method, route, status] of [
      ["garbage\r\n\r\n", "other", "none", "400"],
      [`GET /healthz HTTP/1.1\r\nX-Much: ${"x".repeat(50_000)}\r\n\r\n`, "other", "none", "431"],
      [socketWith(""), "GET", "openSocket", "400"],
    ] as const) {
      const of = { method, route, status };
      const before = (await scrape(world)).value("parley_http_requests_total", of) ?? 0;
      const { hostname, port } = new URL(world.url);
      const socket = net.connect(Number(port), hostname).on("error", () => undefined);
      socket.resume().write(bytes);
      await once(socket, "close");
      await scrapeUntil(world, (now) => now.value("parley_http_requests_total", of) === before + 1);
    }
  });

  it("leaves the time that a poll has waited out of how long it took", async () => {
    const [ann] = (await buildUsers(world, 1)) as [Person];
    const route = { route: "readUnseen" };
    const before = await scrape(world);
    const poll = await get(world, "/v1/messages/unseen?wait=1", ann.id);
    expect(poll.status).to.equal(200);
    const after = await scrape(world);
    const grown = (name: string) => after.value(name, route)! - (before.value(name, route) ?? 0);
    expect(grown("parley_http_request_seconds_count")).to.equal(1);
    expect(grown("parley_http_request_seconds_sum")).to.be.within(0, 0.5);
  });

  it("counts a message on its way: accepted, stored, handed to whoever waits", async () => {
    const [ann, ben] = people as [Person, Person];
    const before = await scrape(world);
    const parked = { kind: "unseen" };
    const poll = get(world, "/v1/messages/unseen?wait=10", ben.id);
    await scrapeUntil(world, (now) => now.value("parley_parked_reads", parked) === 1);
    await say(world, ann, toRoom(room), "hello");
    expect((await poll).body.messages).to.have.length(1);
    const names = [
      "parley_sends_accepted_total",
      "parley_wakeup_seconds_count",
      "parley_send_to_delivered_seconds_count",
      "parley_stored_to_delivered_seconds_count",
    ];
    const after = await scrapeUntil(world, (now) => names.every((name) => now.value(name) === before.value(name)! + 1));
    expect(after.value("parley_parked_reads", parked)).to.equal(0);
    expect(
      after.value("parley_send_to_delivered_seconds_sum")! - before.value("parley_send_to_delivered_seconds_sum")!,
    ).to.be.within(0, 5);
  });
});

describe("/metrics with METRICS_TOKEN", () => {
  const METRICS_TOKEN = "not-for-everybody";
  let world: World;
  let api: Api;
  before(async () => {
    world = await buildWorld({ worker: false });
    api = await world.startApi({ METRICS_TOKEN });
  });
  after(() => world?.close());

  it("answers whoever shows it", async () => {
    for (const authorization of [`Bearer ${METRICS_TOKEN}`, `bearer ${METRICS_TOKEN}`])
      expect((await call(api, "GET", "/metrics", { headers: { authorization } })).status).to.equal(200);
  });

  it("answers 401 to whoever shows none", async () => {
    const answer = await get(api, "/metrics");
    expectProblem(answer, 401, "not_signed_in");
    expect(answer.headers.get("www-authenticate")).to.equal('Bearer realm="parley"');
  });

  for (const authorization of [
    "Bearer another-token-of-16",
    `Basic ${METRICS_TOKEN}`,
    METRICS_TOKEN,
    "Bearer",
    `Bearer ${METRICS_TOKEN} more`,
    `Bearer ${METRICS_TOKEN}x`,
  ]) {
    it(`answers 401 to ${authorization}`, async () => {
      expectProblem(await call(api, "GET", "/metrics", { headers: { authorization } }), 401, "token_invalid");
    });
  }
});
