import type { Job } from "bullmq";
import { expect } from "chai";
import { Redis } from "ioredis";
import { rows } from "../../../src/shared/db/database.ts";
import { countJobs } from "../../../src/shared/jobs/find.ts";
import { buildRoom, buildUsers, call, get, type Person, post, toRoom, toUser } from "../../calls.ts";
import { runToEnd } from "../../processes.ts";
import { hasRedis, services } from "../../services.ts";
import { type Api, backends, buildWorld, type World } from "../../world.ts";

const ROOMS = 8;
const SHARDS = 4;
const EACH = 3;

for (const backend of backends) {
  describe(`rooms spread over ${SHARDS} queues on ${backend}`, () => {
    let world: World;
    let people: [Person, Person];
    let rooms: { id: number }[];
    let directId: number;

    before(async function () {
      if (backend === "redis" && !hasRedis()) return this.skip();
      world = await buildWorld({ backend, worker: false, env: { QUEUE_SHARDS: String(SHARDS) } });
      people = (await buildUsers(world, 2)) as [Person, Person];
      rooms = await Promise.all(Array.from({ length: ROOMS }, () => buildRoom(world, people)));
      const stopWorker = await world.startWorker();
      const first = await send(toUser(people[1]), "first");
      directId = (await get(world, `/v1/tasks/${first}?wait=20`, people[0].id)).body.result.room_id;
      await stopWorker();
    });
    after(() => world?.close());
    afterEach(async () => {
      if (!world) return;
      for (const queue of world.deps.backend.queues) await queue.obliterate({ force: true });
    });

    const send = async (path: string, text: string, from = people[0], api: Api = world): Promise<string> => {
      const answer = await post(api, `${path}/messages`, { text }, from.id);
      expect(answer.status, JSON.stringify(answer.body)).to.equal(202);
      return answer.body.task_id;
    };
    const sendToAll = async (api: Api = world): Promise<string[]> => {
      const ids: string[] = [];
      for (let i = 0; i < EACH; i++)
        for (const room of rooms) ids.push(await send(toRoom(room), `said ${i}`, people[0], api));
      return ids;
    };
    const waiting = (): Promise<Job[][]> =>
      Promise.all(world.deps.backend.queues.map((queue) => queue.getJobs(["waiting"], 0, -1, true)));
    const task = async (id: string, query = "", api: Api = world) =>
      (await get(api, `/v1/tasks/${id}${query}`, people[0].id)).body;
    const history = async (path: string): Promise<string[]> =>
      (await get(world, `${path}/messages?limit=1000`, people[0].id)).body.messages
        .map(({ text }: { text: string }) => text)
        .reverse();

    it("all that goes to one room is in one queue, and the rooms are in all of them", async () => {
      await sendToAll();
      const placed = (await waiting()).map((jobs) => jobs.map(({ data }) => data.roomId as number));
      for (const list of placed) expect(list).to.not.have.length(0);
      for (const { id } of rooms) expect(placed.filter((list) => list.includes(id))).to.have.length(1);
    });

    it("messages of two people are in one queue, whoever writes and whichever path they take", async () => {
      const [ann, ben] = people;
      await send(toUser(ben), "by her name", ann);
      await send(toRoom({ id: directId }), "by the room", ann);
      await send(toUser(ann), "by his name", ben);
      await send(toRoom({ id: directId }), "by the room again", ben);
      const lengths = (await waiting()).map((jobs) => jobs.length);
      expect(lengths.toSorted()).to.deep.equal([0, 0, 0, 4]);
    });

    it("a task is found, counted and cancelled in whichever queue it is", async () => {
      const ids = await sendToAll();
      for (const id of ids) expect(await task(id)).to.include({ state: "queued", attempts: 0 });
      expect(await countJobs(world.deps.backend.queues, "wait", "delayed")).to.deep.equal({
        wait: ids.length,
        delayed: 0,
      });
      const cancelled = await Promise.all(
        ids.map((id) => call(world, "DELETE", `/v1/tasks/${id}`, { as: people[0].id })),
      );
      expect(cancelled.map(({ status }) => status)).to.deep.equal(ids.map(() => 200));
      expect((await waiting()).flat()).to.deep.equal([]);
    });

    it("messages that arrive together are one job in each queue, and each is found and stored", async () => {
      const { sends, backend: there, newId } = world.deps;
      const acceptedAt = new Date().toISOString();
      const ids = rooms.map(() => sends.newId());
      const adding = rooms.map((room, i) => {
        const data = { senderId: people[0].id, roomId: room.id, text: "together", clientKey: null, acceptedAt };
        return sends.add(ids[i]!, data, there.queueFor(room.id));
      });
      await Promise.all(adding);
      expect((await waiting()).map((jobs) => jobs.map(({ name }) => name))).to.deep.equal(
        Array.from({ length: SHARDS }, () => ["message.send-group"]),
      );
      for (const id of ids) expect(await task(id)).to.include({ id, state: "queued" });
      expect((await get(world, `/v1/tasks/${newId()}`, people[0].id)).status).to.equal(404);
      const stopWorker = await world.startWorker();
      for (const id of ids) expect((await task(id, "?wait=20")).state).to.equal("done");
      await stopWorker();
    });

    it("a worker takes from all of them, and what was said in a room is stored in that order", async () => {
      const before = await Promise.all(rooms.map((room) => history(toRoom(room))));
      const ids = await sendToAll();
      const stopWorker = await world.startWorker();
      for (const id of ids) expect((await task(id, "?wait=20")).state).to.equal("done");
      await stopWorker();
      const said = Array.from({ length: EACH }, (_, i) => `said ${i}`);
      for (const [i, room] of rooms.entries())
        expect((await history(toRoom(room))).slice(before[i]!.length)).to.deep.equal(said);
    });

    it("readiness tells of the oldest job, whichever queue it waits in", async () => {
      const last = world.deps.backend.queues.at(-1)!;
      await world.deps.backend.queues[0]!.add("messages.seen", {}, { jobId: world.deps.newId() });
      await last.add("messages.seen", {}, { jobId: world.deps.newId(), timestamp: world.deps.now() - 40_000 });
      const { backlog, queue } = (await get(world, "/readyz")).body.checks;
      expect(queue.ok).to.equal(true);
      expect(backlog.detail).to.match(/^the oldest job has been waiting for 4\d s$/);
    });

    it("npm run jobs lists, shows and retries what has failed in any of them", async () => {
      const stopWorker = await world.startWorker();
      const failed = world.deps.backend.queues.map(() => world.deps.newId());
      for (const [i, queue] of world.deps.backend.queues.entries()) {
        await queue.add("no.such-job", {}, { jobId: failed[i]! });
        while ((await queue.getJobState(failed[i]!)) !== "failed");
      }
      await stopWorker();
      const { DATABASE_URL, REDIS_URL, QUEUE_NAME } = world.env;
      const jobs = (...args: string[]) =>
        runToEnd("src/jobs.ts", args, { DATABASE_URL, REDIS_URL, QUEUE_NAME, QUEUE_SHARDS: String(SHARDS) });
      const listed = JSON.parse((await jobs("failed", "--json")).stdout).map(({ id }: { id: string }) => id);
      expect(listed).to.deep.equal(failed.toReversed());
      expect((await jobs("show", failed[2]!)).stdout).to.include("no.such-job");
      expect((await jobs("retry", failed[1]!)).stdout).to.equal(`${failed[1]} is in the queue again\n`);
      expect((await jobs("retry-all")).stdout).to.equal("3 in the queue again\n");
      expect((await waiting()).map((list) => list.map(({ id }) => id))).to.deep.equal(failed.map((id) => [id]));
    });

    it("the queues' page shows each of them", async () => {
      const [root] = (await buildUsers(world, 1)) as [Person];
      await rows(world.deps.em, "update users set is_admin = true where id = $1", [root.id]);
      const { body } = await get(world, "/admin/queues/api/queues", root.id);
      expect(body.queues.map(({ name }: { name: string }) => name)).to.deep.equal(
        world.deps.backend.queues.map(({ name }) => name),
      );
    });

    it("with another number nothing is left behind: neither what was there nor what others still put there", async () => {
      const ids = await sendToAll();
      const one = await world.startApi({ QUEUE_SHARDS: "1" });
      for (const id of ids) expect(await task(id, "", one)).to.include({ state: "queued" });
      const stopWorker = await world.startWorker({ QUEUE_SHARDS: "1" });
      for (const id of ids) expect((await task(id, "?wait=20", one)).state).to.equal("done");
      await stopWorker();
      // What is done is kept for a day, with its text: somebody has to drop it then.
      const after = await world.startApi({ QUEUE_SHARDS: "1" });
      const names = world.deps.backend.queues.map(({ name }) => name);
      expect(after.deps.backend.queues.map(({ name }) => name)).to.have.members(names);
      await after.close();

      for (const queue of world.deps.backend.queues) await queue.obliterate({ force: true });
      const stopOther = await world.startWorker({ QUEUE_SHARDS: "1" });
      const later = await sendToAll();
      for (const id of later) expect((await task(id, "?wait=20")).state).to.equal("done");
      await stopOther();
      await one.close();
    });
  });
}

describe("one queue, as long as nobody asks for more", () => {
  let world: World;
  before(async function () {
    if (!hasRedis()) return this.skip();
    world = await buildWorld({ backend: "redis" });
  });
  after(() => world?.close());

  it("has the keys that it always had", async () => {
    const [ann] = (await buildUsers(world, 1)) as [Person];
    const room = await buildRoom(world, [ann]);
    const { body } = await post(world, `${toRoom(room)}/messages`, { text: "hello", client_key: "hello" }, ann.id);
    await get(world, `/v1/tasks/${body.task_id}?wait=20`, ann.id);
    const redis = new Redis(services().redisUrl!);
    const name = world.env.QUEUE_NAME;
    const keys = (await redis.keys(`*${name}*`)).map((key) => key.replace(/[^:]*-[^:]*-[^:]*-[^:]*-.*$/, "…"));
    redis.disconnect();
    expect(keys.filter((key) => !key.startsWith(`{${name}}:${name}:`) && !key.startsWith(`${name}:`))).to.deep.equal(
      [],
    );
    expect(keys).to.include(`{${name}}:${name}:meta`).and.to.include(`${name}:send:${ann.id}:hello`);
  });
});
