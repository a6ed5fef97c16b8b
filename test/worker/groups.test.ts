import { randomBytes } from "node:crypto";
import { expect } from "chai";
import { rows } from "../../src/shared/db/database.ts";
import { groupIdOf, MOST_IN_GROUP, SEND_GROUP } from "../../src/shared/jobs/groups.ts";
import { buildRoom, buildUsers, call, get, type Person, toRoom } from "../calls.ts";
import { hasRedis } from "../services.ts";
import { backends, buildWorld, type World } from "../world.ts";

for (const backend of backends) {
  describe(`sends that travel in one job, with the queue on ${backend}`, () => {
    let world: World;
    let ann: Person;
    let ben: Person;
    let room: { id: number };
    let stopWorker: (() => Promise<void>) | undefined;

    before(async function () {
      if (backend === "redis" && !hasRedis()) return this.skip();
      world = await buildWorld({ backend, worker: false });
      [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
    });
    beforeEach(async () => {
      room = await buildRoom(world, [ann, ben]);
    });
    after(() => world?.close());
    afterEach(async () => {
      await stopWorker?.();
      stopWorker = undefined;
    });

    const withWorker = async (): Promise<void> => {
      stopWorker = await world.startWorker();
    };
    const sendOf = (text: string, more: object = {}) => ({
      senderId: ann.id,
      roomId: room.id,
      text,
      clientKey: null,
      acceptedAt: new Date().toISOString(),
      ...more,
    });
    /** In one turn of the event loop, as requests that arrive together are. */
    const sendTogether = async (sends: readonly ReturnType<typeof sendOf>[]): Promise<string[]> => {
      const ids = sends.map(() => world.deps.sends.newId());
      await Promise.all(ids.map((id, i) => world.deps.sends.add(id, sends[i]!, world.deps.backend.queues[0]!)));
      return ids;
    };
    const task = (id: string, query = "?wait=20") => get(world, `/v1/tasks/${id}${query}`, ann.id);
    const history = async () => {
      const { body } = await get(world, `${toRoom(room)}/messages?limit=1000`, ann.id);
      return (body.messages as { id: string; text: string }[]).toReversed();
    };
    const jobNames = async (): Promise<string[]> => {
      const jobs = await world.deps.backend.queues[0]!.getJobs(["waiting", "prioritized", "delayed"]);
      return jobs.map(({ name }) => name);
    };
    const numbered = (count: number) => Array.from({ length: count }, (_, i) => `said ${i}`);

    it("are each stored once, in the order of their ids, and each has its task", async () => {
      const ids = await sendTogether(numbered(30).map((text) => sendOf(text)));
      expect(await jobNames()).to.deep.equal([SEND_GROUP]);
      expect(new Set(ids.map(groupIdOf)).size).to.equal(1);
      expect(ids).to.deep.equal([...new Set(ids)].sort());
      for (const id of [ids[0]!, ids[29]!]) expect((await task(id, "")).body.state).to.equal("queued");
      await withWorker();
      for (const id of ids) expect((await task(id)).body).to.deep.include({ state: "done", attempts: 1 });
      expect((await history()).map(({ id }) => id)).to.deep.equal(ids);
      expect((await history()).map(({ text }) => text)).to.deep.equal(numbered(30));
    });

    it("are as many jobs as it takes when there are more than one may hold", async () => {
      const ids = await sendTogether(numbered(MOST_IN_GROUP + 2).map((text) => sendOf(text)));
      expect(await jobNames()).to.deep.equal([SEND_GROUP, SEND_GROUP]);
      expect(ids).to.deep.equal([...new Set(ids)].sort());
      await withWorker();
      for (const id of ids.slice(-2)) expect((await task(id)).body.state).to.equal("done");
      expect(await history()).to.have.length(MOST_IN_GROUP + 2);
    });

    it("are told to nobody but who sent them", async () => {
      const [id] = await sendTogether(numbered(3).map((text) => sendOf(text)));
      expect((await get(world, `/v1/tasks/${id}`, ben.id)).status).to.equal(404);
      // The job has an id, and it is no task.
      expect((await task(groupIdOf(id!), "")).status).to.equal(404);
      await withWorker();
      expect((await task(id!)).body.state).to.equal("done");
    });

    it("go on alone where one of them is refused, and the rest are stored", async () => {
      const nowhere = { roomId: 999_999_999 };
      const ids = await sendTogether([sendOf("one"), sendOf("lost", nowhere), sendOf("two")]);
      await withWorker();
      const ends = await Promise.all(ids.map((id) => task(id)));
      expect(ends.map(({ body }) => body.state)).to.deep.equal(["done", "failed", "done"]);
      expect(ends[1]!.body.error.code).to.equal("room_not_found");
      const told = await rows(world.deps.em, "select pos from log where task_id = $1", [ids[1]]);
      expect(told).to.have.length(1);
      while ((await world.deps.backend.queues[0]!.getJobState(ids[1]!)) !== "failed");
      expect((await world.deps.backend.queues[0]!.getJob(ids[1]!))!.name).to.equal("message.send");
    });

    it("go on alone where one of them can't be stored, which is tried again for itself", async () => {
      // No key that came through the API is as long; no index of Postgres holds it, and the whole statement fails.
      const bad = { clientKey: randomBytes(9_000).toString("base64") };
      const ids = await sendTogether([sendOf("one"), sendOf("never", bad), sendOf("two")]);
      await withWorker();
      for (const id of [ids[0]!, ids[2]!]) expect((await task(id)).body.state).to.equal("done");
      while ((await world.deps.backend.queues[0]!.getJob(ids[1]!)) === undefined);
      expect((await task(ids[1]!, "")).body.state).to.be.oneOf(["queued", "running", "retrying"]);
      expect((await history()).map(({ text }) => text)).to.deep.equal(["one", "two"]);
      await stopWorker!();
      stopWorker = undefined;
      await world.deps.backend.queues[0]!.remove(ids[1]!);
    });

    it("can be cancelled one by one", async () => {
      const ids = await sendTogether(numbered(3).map((text) => sendOf(text)));
      const answer = await call(world, "DELETE", `/v1/tasks/${ids[1]}`, { as: ann.id });
      expect(answer.body).to.deep.include({ state: "failed", attempts: 0 });
      await withWorker();
      for (const id of [ids[0]!, ids[2]!]) expect((await task(id)).body.state).to.equal("done");
      expect((await history()).map(({ text }) => text)).to.deep.equal(["said 0", "said 2"]);
      expect((await task(ids[1]!)).body.error.code).to.equal("cancelled");
      expect(await world.deps.backend.queues[0]!.getJob(ids[1]!)).to.equal(undefined);
    });

    it("are stored once when their job runs again after they were", async () => {
      const sends = numbered(5).map((text) => sendOf(text));
      const ids = await sendTogether(sends);
      await withWorker();
      for (const id of ids) await task(id);
      const queue = world.deps.backend.queues[0]!;
      const groupId = groupIdOf(ids[0]!);
      while ((await queue.getJob(groupId)) !== undefined);
      await queue.add(SEND_GROUP, { sends: sends.map((send, i) => ({ ...send, id: ids[i] })) }, { jobId: groupId });
      while ((await queue.getJobState(groupId)) !== "completed");
      expect((await history()).map(({ id }) => id)).to.deep.equal(ids);
      await queue.remove(groupId);
    });

    it("do not wait for one that is held up, which goes alone, and are one job all the same", async () => {
      const late = world.deps.sends.newId();
      const ids = await sendTogether(numbered(2).map((text) => sendOf(text)));
      expect(groupIdOf(late)).to.equal(groupIdOf(ids[0]!));
      await world.deps.sends.add(late, sendOf("late"), world.deps.backend.queues[0]!);
      expect(await jobNames()).to.have.members([SEND_GROUP, "message.send"]);
      await withWorker();
      for (const id of [late, ...ids]) expect((await task(id)).body.state).to.equal("done");
      // By their ids, whichever came first.
      expect((await history()).map(({ id }) => id)).to.deep.equal([late, ...ids]);
    });
  });
}
