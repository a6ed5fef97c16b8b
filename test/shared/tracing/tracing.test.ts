import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";
import { expect } from "chai";
import { pino } from "pino";
import { CollectorExporter } from "../../../src/shared/tracing/collector-exporter.ts";
import { buildRoom, buildUsers, call, get, type Person, toRoom } from "../../calls.ts";
import { type Started, startApi, startWorkerProcess } from "../../processes.ts";
import { freshDatabase, hasRedis, services } from "../../services.ts";
import { openSocket } from "../../sockets.ts";
import { startCollector, type Told } from "./collector.ts";

type Collector = Awaited<ReturnType<typeof startCollector>>;

async function settings(): Promise<{ env: Record<string, string>; drop: () => Promise<void> }> {
  const database = await freshDatabase();
  const env = {
    NODE_ENV: "test",
    AUTH_MODE: "demo",
    PORT: "0",
    DATABASE_URL: database.url,
    REDIS_URL: services().redisUrl!,
    QUEUE_NAME: `test-${randomBytes(6).toString("hex")}`,
  };
  return { env, drop: () => database.drop() };
}

describe("traces", () => {
  let collector: Collector;
  let env: Record<string, string>;
  let drop: () => Promise<void>;
  let api: Started;
  let worker: Started;
  let ann: Person;
  let ben: Person;
  let room: { id: number };

  before(async function () {
    if (!hasRedis()) return this.skip();
    collector = await startCollector();
    ({ env, drop } = await settings());
    const told = { ...env, OTEL_EXPORTER_OTLP_ENDPOINT: collector.url };
    [api, worker] = await Promise.all([startApi(told), startWorkerProcess(told)]);
    [ann, ben] = (await buildUsers(api, 2)) as [Person, Person];
    room = await buildRoom(api, [ann, ben]);
  });
  after(async () => {
    await Promise.all([api?.end(), worker?.end()]);
    await collector?.close();
    await drop?.();
  });

  /** A trace that the client has begun, so that the test knows its id. */
  const begun = () => {
    const traceId = randomBytes(16).toString("hex");
    return { traceId, headers: { traceparent: `00-${traceId}-${randomBytes(8).toString("hex")}-01` } };
  };
  const ofTrace = (traceId: string): Told[] => collector.spans.filter((span) => span.traceId === traceId);
  const named = (spans: readonly Told[], name: RegExp): Told | undefined => spans.find((span) => name.test(span.name));
  const send = (text: string, headers: Record<string, string>) =>
    call(api, "POST", `${toRoom(room)}/messages`, { as: ann.id, body: { text }, headers });

  it("lead from a request over its job to the statements that store it, through both processes", async () => {
    const { traceId, headers } = begun();
    const { body } = await send("a secret of two", { ...headers, "x-request-id": "traced" });
    const spans = await collector.until(() => {
      const found = ofTrace(traceId);
      const names = [/^POST \/v1/, /^add /, /^process /, /^store batch/, /^commit/];
      return names.every((name) => named(found, name)) ? found : undefined;
    });
    const [http, add, process, batch] = [/^POST/, /^add /, /^process /, /^store batch/].map((n) => named(spans, n)!);
    expect(http).to.include({ name: "POST /v1/rooms/:id/messages", service: "parley-api" });
    expect(http!.attributes).to.include({
      "http.route": "/v1/rooms/:id/messages",
      "http.response.status_code": "202",
      "enduser.id": String(ann.id),
      "parley.request_id": "traced",
    });
    expect(add).to.include({ parentSpanId: http!.spanId, service: "parley-api" });
    expect(process).to.include({ parentSpanId: add!.spanId, service: "parley-worker" });
    expect(batch).to.include({ parentSpanId: process!.spanId, service: "parley-worker" });
    const statements = spans.filter(({ parentSpanId }) => parentSpanId === batch!.spanId);
    expect(statements.map(({ name }) => name)).to.include.members(["begin", "select", "with", "commit"]);
    const append = named(statements, /^with/)!;
    expect(append.attributes["db.query.text"]).to.match(/^with head as \( update log_head/);
    expect(JSON.stringify(spans)).to.include(body.task_id);
  });

  it("lead each of several sends that travel together to the one batch that stores them", async () => {
    const traces = Array.from({ length: 20 }, begun);
    await Promise.all(traces.map(({ headers }, i) => send(`together ${i}`, headers)));
    for (const { traceId } of traces) {
      const stored = await collector.until(() => named(ofTrace(traceId), /^store (batch|with others)$/));
      if (stored.name === "store batch") continue;
      const [link] = stored.links;
      const batch = await collector.until(() => collector.spans.find(({ spanId }) => spanId === link!.spanId));
      expect(batch.name).to.equal("store batch");
      expect(batch.links.map(({ traceId: linked }) => linked)).to.include(traceId);
    }
  });

  it("have a span for each frame of a socket that asks for something, and for reads that wait, with how long they did", async () => {
    const socket = await openSocket(api, { "x-user-id": String(ann.id), "x-request-id": "traced-socket" });
    const parked = begun();
    // Her own messages are not unseen by her: there is nothing to come.
    await call(api, "GET", "/v1/messages/unseen?wait=1", { as: ann.id, headers: parked.headers });
    await socket.ask("message", { room_id: room.id, text: "by frame" });
    const frame = await collector.until(() => named(collector.spans, /^frame message$/));
    expect(frame.attributes).to.include({ "parley.request_id": "traced-socket:1", "enduser.id": String(ann.id) });
    await collector.until(() => named(ofTrace(frame.traceId), /^store /));
    const read = await collector.until(() => named(ofTrace(parked.traceId), /^GET/));
    expect(Number(read.attributes["parley.parked_ms"])).to.be.greaterThan(900);
    socket.ws.close();
    await socket.closed;
  });

  it("hold nothing of what people say, no secret and no parameter", async () => {
    const { traceId, headers } = begun();
    const body = { username: "traced-user", password: "correct horse battery", email: "traced@example.org" };
    await call(api, "POST", "/v1/users", { body, headers });
    await collector.until(() => named(ofTrace(traceId), /^POST/));
    const all = collector.bodies.join("\n");
    for (const secret of ["a secret of two", "together 7", "by frame", ...Object.values(body), "$argon2"])
      expect(all).to.not.include(secret);
  });

  it("tell nothing of what a worker does for itself, nor of those who ask how it is", async () => {
    const { traceId, headers } = begun();
    await call(api, "GET", "/readyz", { headers });
    await get(api, "/readyz");
    const later = begun();
    await send("later", later.headers);
    await collector.until(() => named(ofTrace(later.traceId), /^process/));
    expect(ofTrace(traceId)).to.deep.equal([]);
    const roots = collector.spans.filter(({ parentSpanId }) => !parentSpanId);
    expect(roots.filter(({ kind }) => kind !== 2).map(({ name }) => name)).to.deep.equal([]);
  });

  it("are told to the end by processes that stop", async () => {
    const { traceId, headers } = begun();
    await get(api, "/v1/me", ann.id);
    await send("the last word", headers);
    for (const process of [api, worker]) {
      process.signal("SIGTERM");
      expect(await process.exited).to.equal(0);
    }
    expect(named(ofTrace(traceId), /^POST/)).to.not.equal(undefined);
  });
});

describe("without a collector", () => {
  let drop: (() => Promise<void>) | undefined;
  const started: Started[] = [];
  const stand: (() => void)[] = [];

  before(function () {
    if (!hasRedis()) this.skip();
  });
  afterEach(async () => {
    await Promise.all(started.splice(0).map((process) => process.end()));
    for (const close of stand.splice(0)) close();
    await drop?.();
  });

  const startBoth = async (ofApi: Record<string, string>, ofWorker = ofApi): Promise<Started> => {
    const { env, drop: dropDatabase } = await settings();
    drop = dropDatabase;
    const both = [startApi({ ...env, ...ofApi }), startWorkerProcess({ ...env, ...ofWorker })];
    started.push(...(await Promise.all(both)));
    return started[0]!;
  };
  const works = async (api: Started): Promise<void> => {
    const [ann, ben] = (await buildUsers(api, 2)) as [Person, Person];
    const room = await buildRoom(api, [ann, ben]);
    const options = { as: ann.id, body: { text: "hello" }, headers: { prefer: "wait=10" } };
    expect((await call(api, "POST", `${toRoom(room)}/messages`, options)).status).to.equal(201);
  };

  it("nothing of OpenTelemetry's SDK is loaded", async () => {
    const api = await startBoth({ NODE_OPTIONS: "--import ./test/shared/tracing/refuse-sdk.ts" });
    await works(api);
  });

  it("sends go on where it is away, or hangs, and processes stop in time", async () => {
    const silent = createServer(() => {}).listen(0, "127.0.0.1");
    await once(silent, "listening");
    stand.push(() => silent.close());
    const { port } = silent.address() as { port: number };
    const away = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9" };
    const api = await startBoth({ OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` }, away);
    await works(api);
    const since = performance.now();
    for (const process of started) process.signal("SIGTERM");
    for (const process of started.splice(0)) expect(await process.exited).to.equal(0);
    expect(performance.now() - since).to.be.lessThan(8_000);
  });
});

describe("a collector that refuses what it is told", () => {
  it("is told of once in the log, and once when it takes it again", async () => {
    let status = 400;
    const server = createHttpServer((request, response) => {
      request.resume().on("end", () => response.writeHead(status, { "Content-Type": "application/json" }).end("{}"));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    const lines: { level: number; msg: string }[] = [];
    const log = pino({}, { write: (line) => void lines.push(JSON.parse(line)) });
    const exporter = new CollectorExporter(`http://127.0.0.1:${port}/`, log);
    const tell = () => new Promise((resolve) => exporter.export([], resolve));
    for (const answer of [400, 400, 200, 200]) {
      status = answer;
      await tell();
    }
    await exporter.shutdown();
    server.closeAllConnections();
    server.close();
    expect(lines.map(({ level }) => level)).to.deep.equal([40, 30]);
    expect(lines.map(({ msg }) => msg)).to.deep.equal([
      "traces can't be told to the collector",
      "traces are told to the collector again",
    ]);
  });
});
