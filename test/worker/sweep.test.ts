import { expect } from "chai";
import { Redis } from "ioredis";
import { inTransaction, oneRow, rows } from "../../src/shared/db/database.ts";
import { inBatches } from "../../src/worker/sweep/batches.ts";
import { removeOldEntries } from "../../src/worker/sweep/log.ts";
import { sweep } from "../../src/worker/sweep/sweep.ts";
import { buildRoom, buildUsers, expectProblem, get, type Person, post, say, toRoom } from "../calls.ts";
import { holdLocks } from "../locks.ts";
import { startWorkerProcess } from "../processes.ts";
import { hasRedis, services } from "../services.ts";
import { openSocket } from "../sockets.ts";
import { until } from "../until.ts";
import { backends, buildWorld, type World } from "../world.ts";

interface Entry {
  offset: string;
  type: string;
  data: Record<string, unknown>;
}

const never = new AbortController().signal;
const nextOf = ({ headers }: { headers: Headers }): string => headers.get("stream-next-offset")!;
const posOf = (offset: string): number => Number(offset.split("_")[1]);

describe("sweeping the log", () => {
  let world: World;
  let ann: Person;
  let ben: Person;
  let room: { id: number };

  beforeEach(async () => {
    world = await buildWorld();
    [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
    room = await buildRoom(world, [ann, ben]);
  });
  afterEach(() => world.close());

  const feed = (query = "") => get(world, `/v1/events${query}`, ben.id);
  const sql = <Row>(text: string, parameters: unknown[] = []) => rows<Row>(world.deps.em, text, parameters);
  /** Everything in the log becomes older than it is kept. */
  const age = () => sql("update log set at = at - interval '31 days'");
  const sweepAll = () => sweep(world.deps, never);
  const kept = async () =>
    (await oneRow<{ kept: number; head: number; left: number }>(
      world.deps.em,
      "select kept_after as kept, head, (select count(*) from log) as left from log_head",
    ))!;

  it("removes what is older than LOG_DAYS and nothing else, and messages stay", async () => {
    const old = await say(world, ann, toRoom(room), "old");
    const before = nextOf(await feed());
    await age();
    const young = await say(world, ann, toRoom(room), "young");
    const history = (await get(world, `${toRoom(room)}/messages`, ben.id)).body.messages;
    await sweepAll();
    expect((await feed(`?offset=${before}`)).body.map(({ data }: Entry) => data["text"])).to.deep.equal(["young"]);
    expect((await kept()).left).to.equal(1);
    expect((await get(world, `${toRoom(room)}/messages`, ben.id)).body.messages).to.deep.equal(history);
    expect(history.map(({ id }: { id: string }) => id)).to.have.members([old.id, young.id]);
    expect((await get(world, "/v1/messages/unseen", ben.id)).body.unseen_count).to.equal(2);
    await sweepAll();
    expect((await kept()).left).to.equal(1);
  });

  it("an offset from before what is kept is 410 over every transport, also when nothing is left at all", async () => {
    const old = (await feed()).body[0].offset as string;
    await say(world, ann, toRoom(room), "old");
    const last = nextOf(await feed());
    await age();
    await sweepAll();
    expect(await kept()).to.deep.include({ left: 0 });
    for (const query of ["", "&live=long-poll", "&live=sse"]) {
      expectProblem(await feed(`?offset=${old}${query}`), 410, "offset_gone");
      expectProblem(await get(world, `${toRoom(room)}/events?offset=${old}${query}`, ben.id), 410, "offset_gone");
    }
    const socket = await openSocket(world, { "x-user-id": String(ben.id) });
    const refused = await socket.ask("subscribe", { offset: old });
    expect(refused).to.deep.include({ event: "error" });
    expect(refused.data.code).to.equal("offset_gone");
    socket.ws.close();
    // Who has read everything has missed nothing.
    expect((await feed(`?offset=${last}`)).body).to.deep.equal([]);
    await say(world, ann, toRoom(room), "new");
    expect((await feed(`?offset=${last}`)).body.map(({ data }: Entry) => data["text"])).to.deep.equal(["new"]);
  });

  it("the problem says how to go on, and that works", async () => {
    const old = (await feed()).body[0].offset as string;
    await say(world, ann, toRoom(room), "old");
    await age();
    await sweepAll();
    const gone = await feed(`?offset=${old}`);
    expect(gone.body.detail).to.include("GET /v1/rooms").and.to.include("Stream-Next-Offset");
    const snapshot = await get(world, "/v1/rooms", ben.id);
    expect(snapshot.body.rooms[0]).to.include({ unseen_count: 1, last_seq: 1 });
    await say(world, ann, toRoom(room), "next");
    const goesOn = await feed(`?offset=${nextOf(snapshot)}`);
    expect(goesOn.body.map(({ data }: Entry) => data["text"])).to.deep.equal(["next"]);
  });

  it("`-1` begins with the oldest entry that is kept", async () => {
    await say(world, ann, toRoom(room), "old");
    await age();
    await say(world, ann, toRoom(room), "young");
    await sweepAll();
    const { body, headers } = await feed("?offset=-1");
    expect(body.map(({ data }: Entry) => data["text"])).to.deep.equal(["young"]);
    expect(headers.get("stream-up-to-date")).to.equal("true");
  });

  it("the end of a task that stored nothing is told for as long as the log is kept", async () => {
    const id = world.deps.newId();
    const data = {
      senderId: ann.id,
      roomId: 999_999,
      text: "x",
      clientKey: null,
      acceptedAt: new Date().toISOString(),
    };
    await world.deps.backend.queues[0]!.add("message.send", data, { jobId: id, removeOnFail: true });
    expect((await get(world, `/v1/tasks/${id}?wait=20`, ann.id)).body.state).to.equal("failed");
    while ((await world.deps.backend.queues[0]!.getJobState(id)) !== "unknown");
    expect((await get(world, `/v1/tasks/${id}`, ann.id)).body.state).to.equal("failed");
    await age();
    await sweepAll();
    expectProblem(await get(world, `/v1/tasks/${id}`, ann.id), 404, "task_not_found");
  });

  it("LOG_DAYS=0 keeps it for ever", async () => {
    await age();
    await sweep({ ...world.deps, env: { ...world.env, LOG_DAYS: 0 } }, never);
    expect(await kept()).to.deep.include({ kept: 0 });
  });

  /** So many entries that are older than they are kept, one after the other in one room. */
  const makeOld = (count: number) =>
    sql(
      `with h as (update log_head set head = head + $1::int returning head - $1::int as base)
       insert into log (pos, room_id, type, actor_id, data, at)
       select base + n, $2, 'room.updated', $3, '{}', now() - interval '31 days' from h, generate_series(1, $1::int) n`,
      [count, room.id, ann.id],
    );

  it("a reader beside it gets every entry or 410, and never a gap", async function () {
    this.timeout(30_000);
    await age();
    await makeOld(3_000);
    const { head } = await kept();
    let swept = false;
    const sweeping = (async () => {
      const few = removeOldEntries(30);
      while ((await inTransaction(world.deps.em, (tx) => few(tx, 7))) > 0);
      swept = true;
    })();
    let [pages, gone] = [0, 0];
    const epoch = world.deps.tail.epoch;
    const read = async () => {
      while (!swept) {
        // Right where it is being swept: the boundary as it was a moment ago.
        const from = (await kept()).kept;
        const { status, body } = await feed(`?offset=${epoch}_${String(from).padStart(16, "0")}`);
        if (status === 410) gone++;
        else {
          expect(status).to.equal(200);
          const all = Array.from({ length: Math.min(500, head - from) }, (_, i) => from + 1 + i);
          expect(body.map(({ offset }: Entry) => posOf(offset))).to.deep.equal(all);
          pages++;
        }
      }
    };
    await Promise.all([sweeping, read(), read(), read()]);
    expect(await kept()).to.deep.include({ kept: head, left: 0 });
    // Both happened, or this has shown nothing.
    expect(pages).to.be.above(10);
    expect(gone).to.be.above(10);
  });

  it("two sweepers at once remove each entry once, and batch by batch", async () => {
    await age();
    await makeOld(4_500);
    const { head } = await kept();
    world.statements.length = 0;
    const both = await Promise.all([1, 2].map(() => inBatches(world.deps.em, never, removeOldEntries(30))));
    // Each gives up where the other holds the lock; what is left then is for the next time.
    const left = await inBatches(world.deps.em, never, removeOldEntries(30));
    expect(both[0]! + both[1]! + left).to.equal(head);
    expect(await kept()).to.deep.include({ kept: head, left: 0 });
    expect(world.statements.filter((one) => one.startsWith("delete from log")).length).to.be.at.least(3);
  });

  it("a worker that is killed in the middle of it removes nothing, and the next one all", async function () {
    this.timeout(30_000);
    await world.close();
    world = await buildWorld({ worker: false });
    [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
    room = await buildRoom(world, [ann, ben]);
    await makeOld(100);
    await age();
    const before = await kept();
    const { DATABASE_URL, REDIS_URL, QUEUE_NAME } = world.env;
    const settings = { DATABASE_URL, REDIS_URL, QUEUE_NAME };
    const held = await holdLocks(world, "select from log_head for update");
    const killed = await startWorkerProcess(settings);
    await held.isWaitedFor();
    await killed.end();
    await held.release();
    expect(await kept()).to.deep.equal(before);
    expect((await feed()).body).to.have.length(101);
    const next = await startWorkerProcess(settings);
    while ((await kept()).left > 0);
    expect(await kept()).to.deep.include({ kept: before.head });
    await next.end();
  });

  it("an API that stood still for longer than the log is kept tells its readers to start over", async () => {
    const parked = feed(`?offset=${nextOf(await feed())}&live=long-poll`);
    await until(() => world.deps.hub.parked > 0);
    // Written and swept before its tail has read any of it.
    await inTransaction(world.deps.em, async (tx) => {
      await rows(tx, "update log_head set head = head + 5, kept_after = head + 4");
      await rows(
        tx,
        `insert into log (pos, room_id, type, actor_id, data, at)
         select head, $1, 'room.updated', $2, '{}', now() from log_head`,
        [room.id, ann.id],
      );
    });
    const woken = await parked;
    expect(woken.body).to.deep.equal([]);
    expect(woken.headers.has("stream-up-to-date")).to.equal(false);
    expectProblem(await feed(`?offset=${nextOf(woken)}&live=long-poll`), 410, "offset_gone");
  });
});

for (const backend of backends) {
  describe(`sweeping what is over, with the queue on ${backend}`, () => {
    let world: World;
    let ann: Person;

    before(async function () {
      if (backend === "redis" && !hasRedis()) return this.skip();
      world = await buildWorld({ backend, env: { AUTH_MODE: "token" } });
      const body = { username: "ann", password: "Passw0rd!" };
      ann = (await post(world, "/v1/users", body)).body;
    });
    after(() => world?.close());

    const sql = <Row>(text: string, parameters: unknown[] = []) => rows<Row>(world.deps.em, text, parameters);
    const login = async () =>
      (await post(world, "/v1/auth/login", { username: "ann", password: "Passw0rd!" })).body.refresh_token as string;
    const refresh = (refresh_token: string) => post(world, "/v1/auth/refresh", { refresh_token });
    const names = async (table: string) =>
      (await sql<{ name: string }>(`select name from ${table} order by name`)).map(({ name }) => name);

    it("removes sessions that are over, with their tokens, and leaves those that hold", async () => {
      const holds = await login();
      const expired = await login();
      const ended = await login();
      const justEnded = await login();
      const set = (token: string, what: string) =>
        sql(
          `update sessions set ${what} where id =
             (select session_id from refresh_tokens where hash = sha256($1::bytea))`,
          [Buffer.from(token)],
        );
      await set(expired, "expires_at = now() - interval '31 days'");
      await set(ended, "ended_at = now() - interval '31 days'");
      await set(justEnded, "ended_at = now() - interval '1 day'");
      await sweep(world.deps, never);
      expect(await sql("select from sessions")).to.have.length(2);
      expect(await sql("select from refresh_tokens")).to.have.length(2);
      for (const token of [expired, ended]) expectProblem(await refresh(token), 401, "token_invalid");
      expectProblem(await refresh(justEnded), 401, "session_ended");
      expect((await refresh(holds)).status).to.equal(200);
    });

    it("forgets used refresh tokens after a week, and before that notices who uses one again", async () => {
      const [first, stolen] = [await login(), await login()];
      for (const token of [first, stolen]) await refresh(token);
      const used = (token: string, ago: string) =>
        sql(`update refresh_tokens set used_at = now() - interval '${ago}' where hash = sha256($1::bytea)`, [
          Buffer.from(token),
        ]);
      await used(first, "8 days");
      await used(stolen, "6 days");
      await sweep(world.deps, never);
      expectProblem(await refresh(first), 401, "token_invalid");
      expectProblem(await refresh(stolen), 401, "session_ended");
    });

    it("removes tokens and keys that are over, and what the store and the limits hold no longer", async () => {
      await sql(
        `insert into api_tokens (user_id, name, hash, expires_at, revoked_at) select $1, t.name, t.name::bytea,
           now() - t.expired * interval '1 day', now() - t.revoked * interval '1 day'
         from (values ('expired', 31, null), ('revoked', null, 31), ('just revoked', null, 29), ('holds', -1, null),
           ('for ever', null, null)) t (name, expired, revoked)`,
        [ann.id],
      );
      await sql(
        `insert into api_clients (id, name, secret_hash, scopes, revoked_at)
         select gen_random_uuid(), t.name, '', '{read}', now() - t.revoked * interval '1 day'
         from (values ('revoked', 31), ('just revoked', 29), ('holds', null)) t (name, revoked)`,
      );
      await sql(
        `insert into kv (key, value, expires_at)
         values ('over', '', now() - interval '1 s'), ('holds', '', now() + interval '1 h')`,
      );
      await sql(
        `insert into rate_limits (key, expire) select t.key, extract(epoch from now()) * 1000 + t.ms
         from (values ('over', -1000), ('holds', 60000)) t (key, ms)`,
      );
      await sweep(world.deps, never);
      expect(await names("api_tokens")).to.deep.equal(["for ever", "holds", "just revoked"]);
      expect(await names("api_clients")).to.deep.equal(["holds", "just revoked"]);
      for (const table of ["kv", "rate_limits"]) {
        expect(await sql(`select key from ${table} where key in ('over', 'holds')`)).to.deep.equal([{ key: "holds" }]);
      }
    });

    it("removes finished jobs from a queue where nothing happens any more, and leaves the young ones", async () => {
      const queue = world.deps.backend.queues[0]!;
      const add = async (senderId: number) => {
        const id = world.deps.newId();
        const data = { senderId, roomId: 999_999, text: "x", clientKey: null, acceptedAt: new Date().toISOString() };
        await queue.add("message.send", data, { jobId: id });
        while ((await queue.getJobState(id)) !== "failed");
        return id;
      };
      const [old, young] = [await add(ann.id), await add(ann.id)];
      const weekAgo = Date.now() - 7 * 24 * 3_600_000 - 1_000;
      if (backend === "redis") {
        const redis = new Redis(services().redisUrl!);
        const { QUEUE_NAME } = world.env;
        await redis.zadd(`{${QUEUE_NAME}}:${QUEUE_NAME}:failed`, weekAgo, old);
        redis.disconnect();
      } else await sql("update bullmq.job set finished_at_ms = $1 where id = $2", [weekAgo, old]);
      await sweep(world.deps, never);
      expect(await queue.getJobState(old)).to.equal("unknown");
      expect(await queue.getJobState(young)).to.equal("failed");
    });
  });
}

describe("a sweep that can't be done", () => {
  it("keeps no other from being done", async () => {
    const world = await buildWorld({ worker: false });
    await rows(world.deps.em, "alter table log_head rename column kept_after to hidden");
    await rows(world.deps.em, "insert into kv (key, value, expires_at) values ('over', '', now() - interval '1 s')");
    await sweep(world.deps, never);
    expect(await rows(world.deps.em, "select from kv")).to.deep.equal([]);
    await world.close();
  });
});
