import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { startPostgres } from "../../src/local/postgres.ts";
import { findRedis, startRedis } from "../../src/local/redis.ts";
import { migrateQueue } from "../../src/shared/backend/postgres-backend.ts";
import { migrate } from "../../src/shared/db/migrate.ts";
import { createLogger } from "../../src/shared/logger.ts";
import { buildUsers, call, get, type Person, post, say, toUser } from "../calls.ts";
import { type Scraped, scrape, scrapeUntil } from "../metrics.ts";
import { freezeFamily, type Settings, type Started, startApi, startWorkerProcess } from "../processes.ts";

const texts = (body: { messages: { text: string }[] }): string[] => body.messages.map(({ text }) => text);

/** Servers of this file's own: they are taken away and brought back, which no other file should feel. */
describe("when what Parley stands on goes away and comes back", () => {
  let folder: string;
  let program: string;
  let postgres: Awaited<ReturnType<typeof startPostgres>>;
  let redis: Awaited<ReturnType<typeof startRedis>>;
  let settings: Settings;
  let api: Started;
  let worker: Started;
  let ann: Person;
  let ben: Person;

  const bringPostgres = (port?: number) =>
    startPostgres({ dataDir: join(folder, "postgres"), flags: { fsync: "off" }, port });
  const bringRedis = (port?: number) => startRedis({ program, dataDir: join(folder, "redis"), port });

  before(async function () {
    const found = await findRedis();
    if (found.program === undefined) return this.skip();
    program = found.program;
    folder = await mkdtemp(join(tmpdir(), "parley-outages-"));
    [postgres, redis] = await Promise.all([bringPostgres(), bringRedis()]);
    await migrate(postgres.url, createLogger({ LOG_LEVEL: "silent" }, "test"));
    settings = {
      DATABASE_URL: postgres.url,
      REDIS_URL: redis.url,
      AUTH_MODE: "demo",
      HOST: "127.0.0.1",
      PORT: "0",
      WORKER_PORT: "0",
      LOG_LEVEL: "fatal",
    };
    [api, worker] = await Promise.all([startApi(settings), startWorkerProcess(settings)]);
    [ann, ben] = (await buildUsers(api, 2)) as [Person, Person];
    await say(api, ann, toUser(ben), "so that both are known");
    await get(api, "/v1/messages/unseen?mark_seen=true", ben.id);
  });

  after(async () => {
    await Promise.all([api?.end(), worker?.end()]);
    await Promise.all([postgres?.stop(), redis?.stop()]);
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  const sendWithKey = (key: string) =>
    call(api, "POST", `${toUser(ben)}/messages`, {
      as: ann.id,
      body: { text: key },
      headers: { "idempotency-key": key },
    });
  const send = (text: string) => post(api, `${toUser(ben)}/messages`, { text }, ann.id);

  it("with Redis down a send is refused within 2 seconds, reads go on, and readiness says what is missing", async () => {
    await redis.stop();
    const askedAt = performance.now();
    const refused = await send("refused");
    expect(performance.now() - askedAt).to.be.below(2_000);
    expect(refused.status).to.equal(503);
    expect(refused.body.code).to.equal("queue_unavailable");
    expect(refused.headers.get("retry-after")).to.match(/^\d+$/);
    const history = await get(api, `${toUser(ben)}/messages`, ann.id);
    const stored = await get(api, `/v1/tasks/${history.body.messages[0].id}`, ann.id);
    expect(stored.body).to.deep.include({ state: "done", result: history.body.messages[0] });
    expect((await get(api, "/v1/users", ann.id)).status).to.equal(200);
    expect((await get(api, "/v1/messages/unseen?wait=0", ben.id)).status).to.equal(200);
    const ready = await get(api, "/readyz");
    expect(ready.status).to.equal(503);
    expect(ready.body.checks).to.nested.include({ "queue.ok": false, "postgres.ok": true });
  });

  it("with Redis down API and worker still tell their figures, and the worker what it lacks", async () => {
    await tellsFigures(api, worker);
    const ready = await timed(() => readinessOf(worker));
    expect(ready.ms).to.be.below(2_000);
    expect(ready.answer.checks).to.nested.include({ "queue.ok": false, "postgres.ok": true, "worker.ok": true });
    expect(ready.answer.status).to.equal("not ready");
  });

  it("once Redis is back sends are taken again, and what was refused was never stored", async () => {
    redis = await bringRedis(redis.port);
    await becomesReady(api);
    await say(api, ann, toUser(ben), "accepted");
    const history = await get(api, `${toUser(ben)}/messages`, ann.id);
    expect(texts(history.body)).to.deep.equal(["accepted", "so that both are known"]);
  });

  it("a message accepted just before Redis is killed is stored once Redis is back", async () => {
    worker.signal("SIGSTOP");
    const sent = await send("survivor");
    expect(sent.status).to.equal(202);
    process.kill(redis.pid, "SIGKILL");
    await redis.exited;
    worker.signal("SIGCONT");
    redis = await bringRedis(redis.port);
    await becomesReady(api);
    const task = await get(api, `/v1/tasks/${sent.body.task_id}?wait=20`, ann.id);
    expect(task.body.state).to.equal("done");
  });

  it("with Postgres down a parked poll stays parked and a send is accepted; both end well once it is back", async () => {
    await get(api, "/v1/messages/unseen?mark_seen=true", ben.id);
    const poll = get(api, "/v1/messages/unseen?wait=50", ben.id);
    while ((await get(api, "/readyz")).body.parked_reads === 0);
    await postgres.stop();
    const sent = await send("while you were away");
    expect(sent.status).to.equal(202);
    const other = await get(api, `${toUser(ben)}/messages`, ann.id);
    expect({ status: other.status, code: other.body.code }).to.deep.equal({
      status: 503,
      code: "database_unavailable",
    });
    expect((await get(api, "/readyz")).body.checks).to.nested.include({ "postgres.ok": false });
    expect((await readinessOf(worker)).checks).to.nested.include({ "postgres.ok": false, "queue.ok": true });
    const [figures] = await tellsFigures(api, worker);
    expect(figures!.value("parley_tail_connected")).to.equal(0);
    expect(figures!.value("parley_parked_reads", { kind: "unseen" })).to.equal(1);
    // What nobody can know is left out, once what was known before is old.
    await scrapeUntil(api, (now) => now.value("parley_tail_lag_entries") === undefined);
    postgres = await bringPostgres(postgres.port);
    expect(texts((await poll).body)).to.deep.equal(["while you were away"]);
    await becomesReady(api);
  }).timeout(40_000);

  it("with Redis standing still each of many sends is refused within 2 seconds, also those with a key", async () => {
    process.kill(redis.pid, "SIGSTOP");
    try {
      const refusals = await Promise.all(Array.from({ length: 10 }, (_, i) => timed(() => sendWithKey(`frozen-${i}`))));
      for (const { answer, ms } of refusals) {
        expect({ status: answer.status, code: answer.body.code }).to.deep.equal({
          status: 503,
          code: "queue_unavailable",
        });
        expect(ms).to.be.below(2_000);
      }
      // The connection was given up: who comes now need not wait to learn it.
      expect((await timed(() => sendWithKey("frozen-later"))).ms).to.be.below(500);
      await tellsFigures(api, worker);
    } finally {
      process.kill(redis.pid, "SIGCONT");
    }
    await becomesReady(api);
  });

  it("with Postgres standing still a send with a key is accepted, and a read is told so", async () => {
    const letGoOn = await freezeFamily(postgres.pid);
    try {
      const sent = await timed(() => sendWithKey("while you slept"));
      expect(sent.answer.status).to.equal(202);
      expect(sent.ms).to.be.below(2_000);
      const read = await timed(() => get(api, `${toUser(ben)}/messages`, ann.id));
      expect({ status: read.answer.status, code: read.answer.body.code }).to.deep.equal({
        status: 503,
        code: "database_unavailable",
      });
      await tellsFigures(api, worker);
      letGoOn();
      await becomesReady(api);
      const task = await get(api, `/v1/tasks/${sent.answer.body.task_id}?wait=20`, ann.id);
      expect(task.body.state).to.equal("done");
    } finally {
      letGoOn();
    }
  }).timeout(40_000);

  it("an API and a worker that start before Postgres and Redis are there wait for them", async () => {
    await Promise.all([api.end(), worker.end()]);
    await Promise.all([postgres.stop(), redis.stop()]);
    const starting = Promise.all([startApi(settings), startWorkerProcess(settings)]);
    starting.catch(() => undefined);
    redis = await bringRedis(redis.port);
    postgres = await bringPostgres(postgres.port);
    [api, worker] = await starting;
    await say(api, ann, toUser(ben), "early birds");
  }).timeout(40_000);
});

/** Without Redis at all the same promises hold, on Postgres alone. */
describe("when Postgres carries the queue and is restarted", () => {
  it("refuses a send while it is away, and stores what it had accepted before", async function () {
    this.timeout(40_000);
    const folder = await mkdtemp(join(tmpdir(), "parley-outages-"));
    const bring = (port?: number) => startPostgres({ dataDir: join(folder, "postgres"), port });
    let postgres = await bring();
    const processes: Started[] = [];
    try {
      await migrate(postgres.url, createLogger({ LOG_LEVEL: "silent" }, "test"));
      await migrateQueue(postgres.url);
      const settings = { DATABASE_URL: postgres.url, AUTH_MODE: "demo", PORT: "0", LOG_LEVEL: "fatal" };
      const api = await startApi(settings);
      processes.push(api);
      const [ann, ben] = (await buildUsers(api, 2)) as [Person, Person];
      const sent = await post(api, `${toUser(ben)}/messages`, { text: "before" }, ann.id);
      expect(sent.status).to.equal(202);
      await postgres.stop();
      const refused = await post(api, `${toUser(ben)}/messages`, { text: "during" }, ann.id);
      expect(refused.status).to.equal(503);
      // Which of the two depends on whether this API has heard by now that the two users are new.
      expect(refused.body.code).to.be.oneOf(["queue_unavailable", "database_unavailable"]);
      postgres = await bring(postgres.port);
      processes.push(await startWorkerProcess(settings));
      await becomesReady(api);
      const task = await get(api, `/v1/tasks/${sent.body.task_id}?wait=20`, ann.id);
      expect(task.body.state).to.equal("done");
      await say(api, ann, toUser(ben), "after");
      expect(texts((await get(api, `${toUser(ben)}/messages`, ann.id)).body)).to.deep.equal(["after", "before"]);
    } finally {
      await Promise.all(processes.map((process) => process.end()));
      await postgres.stop();
      await rm(folder, { recursive: true, force: true });
    }
  });
});

async function timed<T>(work: () => Promise<T>): Promise<{ answer: T; ms: number }> {
  const beganAt = performance.now();
  return { answer: await work(), ms: performance.now() - beganAt };
}

/** A worker's own answer: other checks than an API's. */
async function readinessOf({ url }: Started) {
  const answer = await fetch(`${url}/readyz`);
  expect(answer.status).to.equal(503);
  return (await answer.json()) as { status: string; checks: Record<string, { ok: boolean }> };
}

/** Within the time that a scraper has, whatever is away. */
async function tellsFigures(...processes: readonly Started[]): Promise<Scraped[]> {
  const scrapes = await Promise.all(processes.map((process) => timed(() => scrape(process))));
  for (const { answer, ms } of scrapes) {
    expect(ms).to.be.below(2_000);
    expect(answer.value("process_resident_memory_bytes")).to.be.above(0);
  }
  return scrapes.map(({ answer }) => answer);
}

async function becomesReady(api: Started): Promise<void> {
  while ((await get(api, "/readyz")).status !== 200);
}
