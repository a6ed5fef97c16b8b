import { expect } from "chai";
import { Redis } from "ioredis";
import { rows } from "../../../src/shared/db/database.ts";
import {
  type Answer,
  buildRoom,
  buildUsers,
  call,
  expectProblem,
  get,
  type Person,
  toRoom,
  toUser,
} from "../../calls.ts";
import { hasRedis, services } from "../../services.ts";
import { backends, buildWorld, type World } from "../../world.ts";

for (const backend of backends) {
  describe(`keys of sends with the queue on ${backend}`, () => {
    let world: World;
    let ann: Person;
    let ben: Person;
    let room: { id: number };
    let stopWorker: () => Promise<void>;

    before(async function () {
      if (backend === "redis" && !hasRedis()) return this.skip();
      world = await buildWorld({ backend, worker: false });
      stopWorker = await world.startWorker();
      [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
      room = await buildRoom(world, [ann, ben]);
    });
    after(() => world?.close());

    const send = (key: string, text = "once", path = toRoom(room), as = ann) =>
      call(world, "POST", `${path}/messages`, { as: as.id, body: { text }, headers: { "idempotency-key": key } });
    const done = async ({ body }: Answer, as = ann): Promise<Answer> => {
      const task = await get(world, `/v1/tasks/${body.task_id}?wait=20`, as.id);
      expect(task.body.state, JSON.stringify(task.body)).to.equal("done");
      return task;
    };
    const find = (key: string, as = ann) => get(world, `/v1/messages?client_key=${encodeURIComponent(key)}`, as.id);
    const storedUnder = async (key: string): Promise<number> =>
      (await rows(world.deps.em, "select id from messages where client_key = $1", [key])).length;
    const expectReplay = (again: Answer, first: Answer): void => {
      expect(again.status).to.equal(202);
      expect(again.body).to.deep.equal(first.body);
      expect(again.headers.get("location")).to.equal(first.headers.get("location"));
      expect(again.headers.get("idempotent-replayed")).to.equal("true");
    };
    /** What is remembered beside the database is lost: jobs, keys and all. */
    const wipe = async (): Promise<void> => {
      if (backend === "postgres") {
        await rows(world.deps.em, "truncate kv");
        await world.deps.backend.queues[0]!.obliterate({ force: true });
        return;
      }
      const redis = new Redis(services().redisUrl!);
      await redis.flushall();
      await redis.quit();
    };
    const whileStopped = async <T>(work: () => Promise<T>): Promise<T> => {
      await stopWorker();
      const result = await work();
      stopWorker = await world.startWorker();
      return result;
    };

    it("twenty times at once, and once more when it is stored, is one message and one answer", async () => {
      const answers = await Promise.all(Array.from({ length: 20 }, () => send("at once")));
      const [first] = answers.filter(({ headers }) => !headers.has("idempotent-replayed"));
      for (const answer of answers) if (answer !== first) expectReplay(answer, first!);
      await done(first!);
      expectReplay(await send("at once"), first!);
      expect(await storedUnder("at once")).to.equal(1);
    });

    it("is still the same message when its job has long been removed", async () => {
      const first = await send("long ago");
      await done(first);
      while ((await world.deps.backend.queues[0]!.getJobState(first.body.task_id)) !== "completed");
      await world.deps.backend.queues[0]!.remove(first.body.task_id);
      const again = await send("long ago");
      expectReplay(again, first);
      await done(again);
      expect(await storedUnder("long ago")).to.equal(1);
    });

    it("is still the same message when the store has lost all keys, and another one is still refused", async () => {
      const [first, direct] = [await send("wiped"), await send("wiped direct", "once", toUser(ben))];
      await done(first);
      await done(direct);
      await whileStopped(wipe);
      expectProblem(await send("wiped", "twice"), 422, "idempotency_mismatch");
      expectProblem(await send("wiped", "once", toUser(ben)), 422, "idempotency_mismatch");
      expectReplay(await send("wiped"), first);
      expectReplay(await send("wiped direct", "once", toUser(ben)), direct);
      await done(await send("wiped"));
      expect([await storedUnder("wiped"), await storedUnder("wiped direct")]).to.deep.equal([1, 1]);
    });

    it("is another sender's to use as well", async () => {
      const first = await send("shared");
      const other = await send("shared", "something else", toRoom(room), ben);
      expect(other.body.task_id).to.not.equal(first.body.task_id);
      await done(first);
      await done(other, ben);
      expect(await storedUnder("shared")).to.equal(2);
    });

    it("refuses another text, another room, another person, and says so", async () => {
      const elsewhere = await buildRoom(world, [ann, ben]);
      await send("taken");
      for (const again of [
        await send("taken", "other words"),
        await send("taken", "once", toRoom(elsewhere)),
        await send("taken", "once", toUser(ben)),
      ]) {
        expectProblem(again, 422, "idempotency_mismatch");
        expect(again.body.detail).to.include("another text or another room");
      }
    });

    it("refuses in the worker what the door could not know any more", async () => {
      const keep = `send:${ann.id}:forgotten`;
      const [first, same, other] = await whileStopped(async () => {
        const answers: Answer[] = [];
        for (const text of ["once", "once", "other words"]) {
          answers.push(await send("forgotten", text));
          await world.deps.backend.store.delete(keep);
        }
        return answers as [Answer, Answer, Answer];
      });
      const message = (await done(first)).body.result;
      expect((await done(same)).body.result).to.deep.equal(message);
      const refused = await get(world, `/v1/tasks/${other.body.task_id}?wait=20`, ann.id);
      expect(refused.body).to.deep.include({ state: "failed", attempts: 1, result: null });
      expect(refused.body.error).to.include({ code: "idempotency_mismatch", status: 422 });
      expect(await storedUnder("forgotten")).to.equal(1);
    });

    it("finds the message for whoever has lost the answer, and the task while there is no message", async () => {
      const key = "lost & found: 100 %";
      expect((await find(key)).body).to.deep.equal({ messages: [], task: null });
      const sent = await whileStopped(async () => {
        const answer = await send(key);
        const { body } = await find(key);
        expect(body.messages).to.deep.equal([]);
        expect(body.task).to.deep.include({ id: answer.body.task_id, state: "queued", attempts: 0, error: null });
        return answer;
      });
      const { body: task } = await done(sent);
      const found = await find(key);
      expect(found.body).to.deep.equal({ messages: [task.result], task });
      expect(found.body.messages[0]).to.include({ id: sent.body.message_id, client_key: key, text: "once" });
      expect((await find(key, ben)).body).to.deep.equal({ messages: [], task: null });
      await whileStopped(wipe);
      expect((await find(key)).body.messages).to.deep.equal([task.result]);
    });

    it("finds why a message was refused, and its own message also where the sender has left", async () => {
      const left = await buildRoom(world, [ann, ben]);
      await done(await send("before", "once", toRoom(left), ben), ben);
      await whileStopped(async () => {
        await send("too late", "once", toRoom(left), ben);
        await call(world, "DELETE", `${toRoom(left)}/members/${ben.id}`, { as: ben.id });
      });
      expect((await find("before", ben)).body.messages).to.have.length(1);
      const { task } = (await find("too late", ben)).body;
      await get(world, `/v1/tasks/${task.id}?wait=20`, ben.id);
      const { body } = await find("too late", ben);
      expect(body.messages).to.deep.equal([]);
      expect(body.task).to.deep.include({ state: "failed" });
      expect(body.task.error.code).to.equal("not_a_member");
    });

    it("of no characters, too many, or others than printable ASCII is no key to look for", async () => {
      for (const query of [
        "",
        "?client_key=",
        `?client_key=${"x".repeat(256)}`,
        "?client_key=a%0Ab",
        "?client_key=%00",
      ]) {
        expectProblem(await get(world, `/v1/messages${query}`, ann.id), 400, "validation_failed", "client_key");
      }
      expect((await get(world, `/v1/messages?client_key=${"x".repeat(255)}`, ann.id)).status).to.equal(200);
      expectProblem(await get(world, "/v1/messages?client_key=x"), 401, "not_signed_in");
    });
  });
}
