import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { pino } from "pino";
import { Replica } from "../../../src/api/replicas/replica.ts";
import { freePort } from "../../../src/local/free-port.ts";
import {
  buildRoom,
  buildUser,
  buildUsers,
  call,
  expectProblem,
  get,
  type Person,
  post,
  say,
  toRoom,
  toUser,
} from "../../calls.ts";
import { freezeFamily } from "../../processes.ts";
import { type Pair, startPair } from "../../standby.ts";
import { until } from "../../until.ts";
import { type Api, buildWorld, type World } from "../../world.ts";

type Room = { id: number; name: string };

/** Words that are in the page of a history and in no other statement. */
const PAGE = "order by m.room_id desc, m.id desc limit $3";

describe("reads of history and lists from a replica", () => {
  let folder: string;
  let servers: Pair;
  /** Sends and changes go through the first, reads through the second: no answer of one may be unknown to the other. */
  let one: World;
  let two: Api;
  let plain: Api;
  let ann: Person;
  let ben: Person;
  let room: Room;

  before(async function () {
    this.timeout(60_000);
    folder = await mkdtemp(join(tmpdir(), "parley-replica-"));
    servers = await startPair(folder);
    one = await buildWorld({
      env: { DATABASE_URL: servers.primary.url, DATABASE_REPLICA_URL: servers.standby.url },
    });
    two = await one.startApi();
    plain = await one.startApi({ DATABASE_REPLICA_URL: "" });
    [ann, ben] = (await buildUsers(one, 2)) as [Person, Person];
    room = await buildRoom(one, [ann, ben], { is_public: true });
    await say(one, ann, toRoom(room), "first");
    await say(one, ben, toRoom(room), "second");
    await say(one, ann, toUser(ben), "between us");
    await isUsed();
  });
  after(async function () {
    this.timeout(30_000);
    await one?.close();
    await servers?.stop();
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  const reads = (api: Api = two) => api.deps.replicas!.reads;
  const warnings = (api: Api = two) => api.deps.replicas!.warnings;
  const isUsed = (api: Api = two) => until(() => warnings(api).length === 0);
  const isLeft = (api: Api = two) => until(() => warnings(api).length > 0);
  const history = (who: Person, path = toRoom(room), api: Api = two) => get(api, `${path}/messages`, who.id);
  const rooms = (who: Person, api: Api = two) => get(api, "/v1/rooms", who.id);

  /** The replica hears of everything and shows nothing of it. */
  async function whileItLags(work: () => Promise<void>): Promise<void> {
    await isUsed();
    await servers.onStandby("select pg_wal_replay_pause()");
    try {
      await until(
        async () => (await servers.onStandby("select where pg_get_wal_replay_pause_state() = 'paused'")).length > 0,
      );
      await work();
    } finally {
      await servers.onStandby("select pg_wal_replay_resume()");
    }
    await isUsed();
  }

  it("come from the replica, and are what the primary says", async () => {
    const [last] = (await history(ann, undefined, plain)).body.messages;
    const paths = [
      `${toRoom(room)}/messages`,
      `${toRoom(room)}/messages?limit=1`,
      `${toRoom(room)}/messages?before=${last.id}`,
      `${toRoom(room)}/messages?after=00000000-0000-7000-8000-000000000000`,
      `${toUser(ben)}/messages`,
      "/v1/rooms",
      "/v1/rooms?limit=1",
      "/v1/rooms?scope=public",
      toRoom(room),
      `/v1/messages/${last.id}/receipts`,
    ];
    await hasCaughtUp();
    for (const path of paths) {
      const before = { ...reads() };
      const [ours, primarys] = await Promise.all([get(two, path, ann.id), get(plain, path, ann.id)]);
      expect(ours.status, path).to.equal(200);
      expect(ours.body, path).to.deep.equal(primarys.body);
      for (const header of ["stream-next-offset", "link"])
        expect(ours.headers.get(header), path).to.equal(primarys.headers.get(header));
      expect(reads(), path).to.deep.equal({ ...before, replica: before.replica + 1 });
    }
  });

  it("cost the primary a look at keys and nothing else", async () => {
    await hasCaughtUp();
    const before = { primary: await servers.asked("primary", PAGE), standby: await servers.asked("standby", PAGE) };
    for (let i = 0; i < 5; i++) await history(ann);
    expect(await servers.asked("standby", PAGE)).to.equal(before.standby + 5);
    expect(await servers.asked("primary", PAGE)).to.equal(before.primary);
  });

  it("are counted by who answered, where there is a replica", async () => {
    await hasCaughtUp();
    await history(ann);
    const { body } = await get(two, "/metrics");
    const { host } = new URL(servers.standby.url);
    expect(body).to.include(`parley_list_reads_total{source="replica"} ${reads().replica}\n`);
    expect(body).to.include(`parley_replica_used{replica="${host}"} 1\n`);
    expect((await get(plain, "/metrics")).body).to.not.match(/parley_list_reads|parley_replica/);
  });

  it("are refused to strangers by the primary", async () => {
    const eve = await buildUser(one);
    const closed = await buildRoom(one, [ann]);
    await hasCaughtUp();
    expectProblem(await history(eve), 403, "not_a_member");
    expectProblem(await history(eve, toRoom(closed)), 404, "room_not_found");
    expectProblem(await get(two, toRoom(closed), eve.id), 404, "room_not_found");
    expect((await history(eve, toUser(ann))).body.messages).to.deep.equal([]);
  });

  describe("while the replica lags", () => {
    it("show what was answered 201 by another process a moment ago", () =>
      whileItLags(async () => {
        const before = { ...reads() };
        const message = await say(one, ann, toRoom(room), "just stored");
        expect((await history(ben)).body.messages[0]).to.include({ id: message.id, text: "just stored" });
        expect((await rooms(ben)).body.rooms[0].last_message.id).to.equal(message.id);
        expect((await get(two, toRoom(room), ben.id)).body.last_seq).to.equal(message.seq);
        expect(reads().fallback).to.be.greaterThan(before.fallback);
      }));

    it("show what a task that is done has stored", () =>
      whileItLags(async () => {
        const sent = await post(one, `${toUser(ben)}/messages`, { text: "by task" }, ann.id);
        const task = await get(one, `/v1/tasks/${sent.body.task_id}?wait=10`, ann.id);
        expect(task.body.state).to.equal("done");
        expect((await history(ben, toUser(ann))).body.messages[0].text).to.equal("by task");
      }));

    it("show what somebody has just seen, and who", () =>
      whileItLags(async () => {
        const message = await say(one, ann, toRoom(room), "look");
        const task = await post(one, "/v1/messages/seen", { message_ids: [message.id] }, ben.id);
        expect((await get(one, `/v1/tasks/${task.body.task_id}?wait=10`, ben.id)).body.state).to.equal("done");
        const receipts = await get(two, `/v1/messages/${message.id}/receipts`, ann.id);
        expect(receipts.body.receipts.map((receipt: { user_id: number }) => receipt.user_id)).to.deep.equal([ben.id]);
        expect((await rooms(ben)).body.rooms.find(({ id }: Room) => id === room.id).unseen_count).to.equal(0);
      }));

    it("show a room that was just made, joined, renamed, left or deleted", () =>
      whileItLags(async () => {
        const names = async (who: Person, path = "/v1/rooms") =>
          (await get(two, path, who.id)).body.rooms.map(({ name }: Room) => name);
        const made = await buildRoom(one, [ann], { is_public: true });
        expect(await names(ann)).to.include(made.name);
        expect(await names(ben, "/v1/rooms?scope=public&limit=100")).to.include(made.name);
        await call(one, "PUT", `${toRoom(made)}/members/${ben.id}`, { as: ben.id });
        expect(await names(ben)).to.include(made.name);
        const name = `${made.name}-renamed`;
        await call(one, "PATCH", toRoom(made), { as: ann.id, body: { name } });
        expect(await names(ben))
          .to.include(name)
          .and.not.include(made.name);
        expect((await get(two, toRoom(made), ben.id)).body.name).to.equal(name);
        await call(one, "DELETE", `${toRoom(made)}/members/${ben.id}`, { as: ben.id });
        expect(await names(ben)).to.not.include(name);
        await call(one, "DELETE", toRoom(made), { as: ann.id });
        expect(await names(ann)).to.not.include(name);
        expect(await names(ben, "/v1/rooms?scope=public&limit=100")).to.not.include(name);
      }));

    it("show nothing to whoever was just removed, though the replica still holds them for a member", async () => {
      const eve = await buildUser(one);
      const group = await buildRoom(one, [ann, eve]);
      const secret = await say(one, ann, toRoom(group), "secret");
      await hasCaughtUp();
      await whileItLags(async () => {
        await call(one, "DELETE", `${toRoom(group)}/members/${eve.id}`, { as: ann.id });
        const still = await servers.onStandby(`select from members where user_id = ${eve.id}`);
        expect(still).to.have.length(1);
        expectProblem(await history(eve, toRoom(group)), 404, "room_not_found");
        expectProblem(await get(two, toRoom(group), eve.id), 404, "room_not_found");
        expectProblem(await get(two, `/v1/messages/${secret.id}/receipts`, eve.id), 404, "message_not_found");
        expect((await rooms(eve)).body.rooms).to.deep.equal([]);
      });
    });

    it("show the name that somebody has just taken", () =>
      whileItLags(async () => {
        const username = `${ann.username}-new`;
        const renamed = await call(one, "PATCH", `/v1/users/${ann.id}`, { as: ann.id, body: { username } });
        expect(renamed.status).to.equal(200);
        const { messages } = (await history(ben)).body;
        const senders = messages.map(({ sender }: { sender: Person }) => sender);
        expect(senders.find(({ id }: Person) => id === ann.id)).to.deep.equal({ id: ann.id, username });
        ann = { ...ann, username };
      }));

    it("still come from it where nothing has changed, at the head that the primary has", async () => {
      const quiet = await buildRoom(one, [ann]);
      const said = await say(one, ann, toRoom(quiet), "long ago");
      await hasCaughtUp();
      await whileItLags(async () => {
        await say(one, ben, toRoom(room), "elsewhere");
        const before = { ...reads() };
        const [answer, now] = [await history(ann, toRoom(quiet)), await history(ann, toRoom(quiet), plain)];
        expect(reads()).to.deep.equal({ ...before, replica: before.replica + 1 });
        expect(answer.body.messages.map(({ id }: { id: string }) => id)).to.deep.equal([said.id]);
        expect(answer.headers.get("stream-next-offset")).to.equal(now.headers.get("stream-next-offset"));
      });
    });

    it("are the primary's once it is more than a second behind, and readiness says so and stays green", async () => {
      await whileItLags(async () => {
        await say(one, ann, toRoom(room), "and nobody hears");
        await isLeft();
        const before = { ...reads() };
        expect((await history(ben)).body.messages[0].text).to.equal("and nobody hears");
        expect(reads()).to.deep.equal({ ...before, primary: before.primary + 1 });
        const ready = await get(two, "/readyz");
        expect(ready.status).to.equal(200);
        const { host } = new URL(servers.standby.url);
        expect(ready.body.warnings).to.deep.equal([`replica ${host} is left alone: it is more than a second behind`]);
      });
      expect((await get(two, "/readyz")).body.warnings).to.deep.equal([]);
    });

    it("are of the primary's log where that was replaced", () =>
      whileItLags(async () => {
        const [{ epoch }] = (await servers.onPrimary("select epoch from log_head")) as [{ epoch: string }];
        await servers.onPrimary("update log_head set epoch = 'another'");
        try {
          const answer = await history(ann);
          expect(answer.headers.get("stream-next-offset")).to.match(/^another_/);
        } finally {
          await servers.onPrimary(`update log_head set epoch = '${epoch}'`);
        }
      }));

    it("and the feed from their offset hold every message exactly once, and never fewer than before", async () => {
      const group = await buildRoom(one, [ann, ben]);
      const before = { ...reads() };
      const bothHaveAnswered = () => reads().replica > before.replica && reads().fallback > before.fallback;
      const sent: string[] = [];
      let done = false;
      const sending = (async () => {
        // A page holds a hundred: all that was sent is on each.
        for (let i = 0; i < 90 && !(i >= 40 && bothHaveAnswered()); i++)
          sent.push((await say(one, ann, toRoom(group), `${i}`)).id);
        done = true;
      })();
      const lagging = (async () => {
        for (let paused = false; !done; paused = !paused)
          await servers.onStandby(`select pg_wal_replay_${paused ? "resume" : "pause"}()`);
        await servers.onStandby("select pg_wal_replay_resume()");
      })();
      const pages: { ids: string[]; offset: string }[] = [];
      const lists: { lastSeq: number; offset: string }[] = [];
      while (!done) {
        const told = [...sent];
        const [page, list] = await Promise.all([get(two, `${toRoom(group)}/messages?limit=100`, ben.id), rooms(ben)]);
        const ids = page.body.messages.map(({ id }: { id: string }) => id).reverse() as string[];
        expect(ids).to.include.members([...told, ...(pages.at(-1)?.ids ?? [])]);
        pages.push({ ids, offset: page.headers.get("stream-next-offset")! });
        const { last_seq: lastSeq, unseen_count } = list.body.rooms.find(({ id }: Room) => id === group.id);
        expect(unseen_count).to.equal(lastSeq);
        lists.push({ lastSeq, offset: list.headers.get("stream-next-offset")! });
      }
      await Promise.all([sending, lagging]);
      expect(bothHaveAnswered()).to.equal(true);
      const feed = await createdIn(group);
      expect(feed.map(({ id }) => id)).to.deep.equal(sent);
      // Offsets sort as positions do.
      for (const { ids, offset } of pages) {
        const after = feed.filter((entry) => entry.offset > offset);
        expect([...ids, ...after.map(({ id }) => id)]).to.deep.equal(sent);
      }
      for (const { lastSeq, offset } of lists) {
        const after = feed.filter((entry) => entry.offset > offset);
        expect(lastSeq + after.length).to.equal(sent.length);
      }
      const offsets = pages.map(({ offset }) => offset);
      expect(offsets).to.deep.equal(offsets.toSorted());
      const { messages } = (await get(two, `/v1/messages/unseen?room_id=${group.id}&limit=100`, ben.id)).body;
      expect(messages.map(({ id }: { id: string }) => id)).to.deep.equal(sent);
      await isUsed();
    });
  });

  describe("when the replica is not there", () => {
    it("are the primary's without an error while it is stopped under load, and its own again once it is back", async () => {
      const lines: { level: number; msg: string }[] = [];
      const log = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) });
      const watched = new Replica({ url: servers.standby.url, poolSize: 2, log, tail: two.deps.tail });
      await until(() => watched.why === undefined);
      const load = readAllTheTime();
      await servers.standby.stop();
      await isLeft();
      const ready = await get(two, "/readyz");
      expect({ status: ready.status, warnings: ready.body.warnings.length }).to.deep.equal({
        status: 200,
        warnings: 1,
      });
      await until(() => watched.why !== undefined);
      await servers.startStandby();
      await isUsed();
      const before = reads().replica;
      await until(() => reads().replica > before + 10);
      await load.end();
      await until(() => watched.why === undefined);
      await watched.close();
      expect(lines.map(({ level, msg }) => [level, msg])).to.deep.equal([
        [30, "history and lists are read from the replica"],
        [40, "the replica is left alone; the primary answers for it"],
        [30, "history and lists are read from the replica"],
      ]);
    });

    it("are the primary's without an error where its connections are cut under load", async () => {
      const load = readAllTheTime();
      const cut = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'parley replica'";
      for (let i = 0; i < 5; i++) await servers.onStandby(cut);
      await isUsed();
      await load.end();
    });

    it("wait a second at most for one that stands still, and then not for it any more", async () => {
      await isUsed();
      const letGoOn = await freezeFamily(servers.standby.pid);
      try {
        const first = await timed(() => Promise.all(Array.from({ length: 20 }, () => history(ann))));
        expect(first.answer.map(({ status }) => status)).to.deep.equal(Array(20).fill(200));
        expect(first.ms).to.be.below(1_900);
        expect((await timed(() => history(ann))).ms).to.be.below(500);
        const other = await one.startApi();
        expect((await get(other, "/readyz")).status).to.equal(200);
        expect((await history(ann, undefined, other)).status).to.equal(200);
        expect((await timed(() => other.close())).ms).to.be.below(2_500);
      } finally {
        letGoOn();
      }
      await isUsed();
    });

    it("are the primary's from an API that starts before its replica, which readiness names without its password", async () => {
      const url = new URL(servers.standby.url);
      url.port = String(await freePort());
      const early = await one.startApi({ DATABASE_REPLICA_URL: `${url}, ${servers.primary.url}` });
      expect((await history(ann, undefined, early)).status).to.equal(200);
      const told = [`replica ${url.host} is left alone: connect ECONNREFUSED ${url.host}`];
      const primary = `replica ${new URL(servers.primary.url).host} is left alone: it follows no other server`;
      await until(() => warnings(early).join() === [...told, primary].join());
      const ready = await get(early, "/readyz");
      expect(ready.status).to.equal(200);
      expect(ready.body.warnings).to.deep.equal([...told, primary]);
      await early.close();
    });

    it("are the primary's where the replica is one of another log", async () => {
      const tail = { epoch: "another", pos: 0 };
      const replica = new Replica({ url: servers.standby.url, poolSize: 1, log: two.deps.log, tail });
      await until(() => replica.why === "its log is another one");
      await replica.close();
    });

    it("are shared among several, less those that are not there", async () => {
      const url = new URL(servers.standby.url);
      url.port = String(await freePort());
      const api = await one.startApi({ DATABASE_REPLICA_URL: `${servers.standby.url},${url},${servers.standby.url}` });
      await until(() => warnings(api).length === 1);
      await hasCaughtUp();
      for (let i = 0; i < 6; i++) await history(ann, undefined, api);
      expect(reads(api)).to.deep.equal({ replica: 6, primary: 0, fallback: 0 });
      await api.close();
    });

    // The last one: from here on it is a server of its own.
    it("are the primary's from the moment on that it is promoted", async () => {
      await isUsed();
      await servers.onStandby("select pg_promote()");
      await servers.onStandby("update messages set text = 'another past'");
      const texts = (await history(ann)).body.messages.map(({ text }: { text: string }) => text);
      expect(texts).to.not.include("another past");
      await isLeft();
      expect(warnings()[0]).to.match(/it follows no other server$/);
    });
  });

  async function hasCaughtUp(): Promise<void> {
    await isUsed();
    const head = async (ask: Pair["onPrimary"]) => JSON.stringify(await ask("select head, renames from log_head"));
    const there = await head(servers.onPrimary);
    await until(async () => (await head(servers.onStandby)) === there);
  }

  /** What the feed has of a room, from its beginning. */
  async function createdIn(group: Room): Promise<{ id: string; offset: string }[]> {
    const page = await get(two, `${toRoom(group)}/events?offset=-1`, ben.id);
    expect(page.headers.get("stream-up-to-date")).to.equal("true");
    const created = page.body.filter(({ type }: { type: string }) => type === "message.created");
    return created.map((entry: { offset: string; data: { id: string } }) => ({
      id: entry.data.id,
      offset: entry.offset,
    }));
  }

  /** Four who ask for one page after the other; what is not 200 fails the test when it ends. */
  function readAllTheTime() {
    let ending = false;
    const readers = Array.from({ length: 4 }, async (_, i) => {
      while (!ending) {
        const answer = i % 2 === 0 ? await history(ann) : await rooms(ben);
        expect(answer.status, JSON.stringify(answer.body)).to.equal(200);
      }
    });
    const all = Promise.all(readers);
    all.catch(() => {});
    const end = async () => {
      ending = true;
      await all;
    };
    return { end };
  }
});

async function timed<T>(work: () => Promise<T>): Promise<{ answer: T; ms: number }> {
  const beganAt = performance.now();
  return { answer: await work(), ms: performance.now() - beganAt };
}
