import { expect } from "chai";
import { keys } from "../../../src/shared/store/store.ts";
import { buildRoom, buildUsers, call, expectProblem, get, type Person, toRoom, toUser } from "../../calls.ts";
import { hasRedis } from "../../services.ts";
import { openSocket } from "../../sockets.ts";
import { until } from "../../until.ts";
import { backends, buildWorld, type World } from "../../world.ts";

for (const backend of backends) {
  describe(`readiness with the queue on ${backend}`, () => {
    let world: World;
    let ann: Person;
    let ben: Person;

    before(async function () {
      if (backend === "redis" && !hasRedis()) return this.skip();
      world = await buildWorld({ backend, worker: false, env: { MAX_BACKLOG: "3" } });
      [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
    });
    after(() => world?.close());

    const ready = () => get(world, "/readyz");
    const add = (ageMs: number) => {
      const id = world.deps.newId();
      const data = { userId: ann.id, marks: [], at: new Date().toISOString() };
      const timestamp = Math.round(world.deps.now()) - ageMs;
      return world.deps.backend.queues[0]!.add("messages.seen", data, { jobId: id, timestamp });
    };

    it("is not given before the first worker is there, and says so; with it, it is", async () => {
      const before = await ready();
      expect(before.status).to.equal(503);
      expect(before.body.status).to.equal("not ready");
      const { worker, ...others } = before.body.checks;
      expect(worker.ok).to.equal(false);
      expect(worker.detail).to.include("no worker has been seen for 15 s");
      for (const { ok, detail } of Object.values(others) as { ok: boolean; detail: string }[]) {
        expect(ok, detail).to.equal(true);
      }
      const stop = await world.startWorker();
      const after = await ready();
      expect(after.status, JSON.stringify(after.body)).to.equal(200);
      expect(after.body.checks.worker).to.deep.equal({ ok: true, detail: "seen 0 s ago" });
      await stop();
    });

    it("is kept up by one worker of two, and for 15 s after the last one at most", async () => {
      const [one, two] = await Promise.all([world.startWorker(), world.startWorker()]);
      await one();
      expect((await ready()).status).to.equal(200);
      await two();
      // Nobody beats any more: the key goes when its time is up, which is 15 s from the last beat.
      await world.deps.backend.store.delete(keys.workerSeen());
      expect((await ready()).body.checks.worker.ok).to.equal(false);
    });

    it("is lost while the oldest waiting job is older than 30 s, and says so", async () => {
      await add(31_000);
      await add(0);
      const { status, body } = await ready();
      expect(status).to.equal(503);
      expect(body.checks.backlog.ok).to.equal(false);
      expect(body.checks.backlog.detail).to.match(/^the oldest job has been waiting for 3\d s$/);
      const stop = await world.startWorker();
      while ((await world.deps.backend.queues[0]!.getJobCountByTypes("wait", "active")) > 0);
      expect((await ready()).status).to.equal(200);
      await stop();
    });

    it("sends are refused at every door while too much waits, and nothing of them is kept", async () => {
      const room = await buildRoom(world, [ann, ben]);
      const body = { text: "one too many" };
      const waiting = await Promise.all([add(0), add(0), add(0)]);
      await until(() => world.deps.backlog.waiting >= 3);
      for (const path of [toRoom(room), toUser(ben)]) {
        const refused = await call(world, "POST", `${path}/messages`, { as: ann.id, body });
        expectProblem(refused, 503, "overloaded");
        expect(Number(refused.headers.get("retry-after"))).to.be.greaterThan(0);
      }
      for (const path of [`/chat/group/${room.id}/`, `/chat/user/${ben.id}/`]) {
        const refused = await call(world, "POST", path, { body: { ...body, from: ann.id } });
        expect(refused.status).to.equal(503);
        expect(Number(refused.headers.get("retry-after"))).to.be.greaterThan(0);
      }
      const socket = await openSocket(world, { "x-user-id": String(ann.id) });
      const frame = await socket.ask("message", { room_id: room.id, ...body });
      expect(frame.event).to.equal("error");
      expect(frame.data).to.include({ code: "overloaded", status: 503 });
      socket.ws.close();
      expect(await world.deps.backend.queues[0]!.getJobCountByTypes("wait")).to.equal(waiting.length);
      expect((await get(world, `${toRoom(room)}/messages`, ann.id)).status).to.equal(200);
    });
  });
}
