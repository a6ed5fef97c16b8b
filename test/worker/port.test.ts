import { once } from "node:events";
import net from "node:net";
import { expect } from "chai";
import { buildRoom, buildUsers, type Person, say, toUser } from "../calls.ts";
import { type Scraped, scrape, scrapeUntil } from "../metrics.ts";
import { type Started, startWorkerProcess } from "../processes.ts";
import { buildWorld, type World } from "../world.ts";

const METRICS_TOKEN = "not-for-everybody";

describe("the port of a worker", () => {
  let world: World;
  let worker: Started;
  const settings = () => {
    const { DATABASE_URL, REDIS_URL, QUEUE_NAME } = world.env;
    return { DATABASE_URL, REDIS_URL, QUEUE_NAME, WORKER_PORT: "0" };
  };
  const ask = async (path: string, options: RequestInit = {}) => {
    const response = await fetch(worker.url + path, options);
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, body: text.startsWith("{") && JSON.parse(text) };
  };

  before(async () => {
    world = await buildWorld({ worker: false });
    worker = await startWorkerProcess(settings());
  });
  after(async () => {
    await worker?.end();
    await world?.close();
  });

  it("tells that it is alive, and ready", async () => {
    const alive = await ask("/healthz");
    expect({ status: alive.status, body: alive.body }).to.deep.equal({ status: 200, body: { status: "alive" } });
    const ready = await ask("/readyz");
    expect(ready.status).to.equal(200);
    const ok = { ok: true, detail: "ok" };
    expect(ready.body).to.deep.equal({ status: "ready", checks: { postgres: ok, queue: ok, worker: ok } });
  });

  it("counts what it has stored, and how long that took since the send", async () => {
    const [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
    const before = await scrape(worker);
    const done = { kind: "message.send", outcome: "done" };
    await say(world, ann, toUser(ben), "hello");
    const after = await scrapeUntil(worker, (now) => now.value("parley_tasks_total", done) === 1);
    for (const name of ["parley_send_to_stored_seconds_count", "parley_batch_jobs_count", "parley_batch_jobs_sum"])
      expect(after.value(name), name).to.equal(before.value(name)! + 1);
    expect(after.value("parley_send_to_stored_seconds_sum")).to.be.within(0, 5);
    expect(after.value("parley_queue_jobs", { state: "failed" })).to.equal(0);
  });

  it("counts what was refused, and what nobody can do", async () => {
    const [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
    const group = await buildRoom(world, [ben]);
    const [queue] = world.deps.backend.queues;
    const acceptedAt = new Date().toISOString();
    const send = { senderId: ann.id, roomId: group.id, text: "not a member", clientKey: null, acceptedAt };
    const before = await scrape(worker);
    await queue!.add("message.send", send, { jobId: world.deps.newId() });
    await queue!.add("message.send", { ...send, text: 7 }, { jobId: world.deps.newId() });
    const grown = (now: Scraped, outcome: string): number => {
      const of = { kind: "message.send", outcome };
      return now.value("parley_tasks_total", of)! - before.value("parley_tasks_total", of)!;
    };
    const after = await scrapeUntil(worker, (now) => grown(now, "refused") === 1 && grown(now, "failed") === 1);
    expect(grown(after, "done")).to.equal(0);
    expect(grown(after, "retried")).to.equal(0);
  });

  it("counts a task once, also where it goes on alone after others that it had travelled with", async () => {
    const [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
    const { sends, backend } = world.deps;
    const queue = backend.queues[0]!;
    const acceptedAt = new Date().toISOString();
    const send = {
      senderId: ann.id,
      recipientId: ben.id,
      text: "twice",
      clientKey: "forgotten in between",
      acceptedAt,
    };
    const before = await scrape(worker);
    const ids = [sends.newId(), sends.newId()];
    await Promise.all(ids.map((id) => sends.add(id, send, queue)));
    while ((await queue.getJobState(ids[1]!)) !== "completed");
    const done = { kind: "message.send", outcome: "done" };
    const after = await scrape(worker);
    expect(after.value("parley_tasks_total", done)! - before.value("parley_tasks_total", done)!).to.equal(2);
  });

  it("answers nothing else: a problem says what there is", async () => {
    for (const [path, options, status, code] of [
      ["/", {}, 404, "route_not_found"],
      ["/v1/rooms", {}, 404, "route_not_found"],
      ["/constructor", {}, 404, "route_not_found"],
      ["/%", {}, 404, "route_not_found"],
      ["/metrics/", {}, 404, "route_not_found"],
      ["/metrics", { method: "POST", body: "x".repeat(100_000) }, 405, "method_not_allowed"],
    ] as const) {
      const answer = await ask(path, options);
      expect({ path, status: answer.status, code: answer.body.code }).to.deep.equal({ path, status, code });
      expect(answer.headers.get("content-type")).to.match(/^application\/problem\+json/);
    }
  });

  it("is not harmed by what is no request", async () => {
    const { hostname, port } = new URL(worker.url);
    for (const noise of ["\0\0\0\r\n\r\n", `GET /healthz HTTP/1.1\r\nX: ${"y".repeat(20_000)}\r\n\r\n`, ""]) {
      const socket = net.connect(Number(port), hostname);
      socket.on("error", () => {});
      socket.end(noise);
      socket.resume();
      await once(socket, "close");
    }
    expect((await ask("/healthz")).status).to.equal(200);
  });

  it("asks for METRICS_TOKEN where there is one, for the figures alone", async () => {
    const guarded = await startWorkerProcess({ ...settings(), METRICS_TOKEN });
    try {
      expect((await fetch(`${guarded.url}/metrics`)).status).to.equal(401);
      const headers = { authorization: `Bearer ${METRICS_TOKEN}` };
      expect((await fetch(`${guarded.url}/metrics`, { headers })).status).to.equal(200);
      expect((await fetch(`${guarded.url}/readyz`)).status).to.equal(200);
    } finally {
      await guarded.end();
    }
  });

  it("is closed when the worker stops", async () => {
    const other = await startWorkerProcess(settings());
    try {
      // A connection that is kept open must not keep the process.
      const { hostname, port } = new URL(other.url);
      const socket = net.connect(Number(port), hostname).on("error", () => {});
      await once(socket, "connect");
      other.signal("SIGTERM");
      expect(await other.exited).to.equal(0);
      const refused = await fetch(`${other.url}/healthz`).catch((error: Error) => error.cause as NodeJS.ErrnoException);
      expect(refused).to.include({ code: "ECONNREFUSED" });
    } finally {
      await other.end();
    }
  });

  it("that is taken stops the start, and says so", async () => {
    const WORKER_PORT = new URL(worker.url).port;
    const failure = await startWorkerProcess({ ...settings(), WORKER_PORT, LOG_LEVEL: "fatal" }).then(
      (started) => started.end(),
      (error: Error) => error,
    );
    expect(String(failure)).to.include(`Port ${WORKER_PORT} is taken (127.0.0.1); choose another with WORKER_PORT=`);
  });

  it("is nowhere unless it is given", async () => {
    const silent = await startWorkerProcess({ ...settings(), WORKER_PORT: undefined });
    expect(silent.url).to.equal("");
    await silent.end();
  });
});
