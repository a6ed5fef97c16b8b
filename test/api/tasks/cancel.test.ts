import { expect } from "chai";
import { rows } from "../../../src/shared/db/database.ts";
import { CANCEL_LOCK } from "../../../src/shared/sends.ts";
import {
  buildRoom,
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
import { holdLocks } from "../../locks.ts";
import { hasRedis } from "../../services.ts";
import { backends, buildWorld, type World } from "../../world.ts";

for (const backend of backends) {
  describe(`cancelling with the queue on ${backend}`, () => {
    let world: World;
    let ann: Person;
    let ben: Person;
    let room: { id: number };
    let stopWorker: (() => Promise<void>) | undefined;

    before(async function () {
      if (backend === "redis" && !hasRedis()) return this.skip();
      world = await buildWorld({ backend, worker: false });
      [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
      room = await buildRoom(world, [ann, ben]);
    });
    after(() => world?.close());
    afterEach(() => withoutWorker());

    const withWorker = async (): Promise<void> => {
      stopWorker = await world.startWorker();
    };
    const withoutWorker = async (): Promise<void> => {
      await stopWorker?.();
      stopWorker = undefined;
    };
    const send = async (text: string, clientKey?: string) =>
      call(world, "POST", `${toRoom(room)}/messages`, {
        as: ann.id,
        body: { text, ...(clientKey && { client_key: clientKey }) },
      });
    const cancel = (id: string, as = ann) => call(world, "DELETE", `/v1/tasks/${id}`, { as: as.id });
    const task = (id: string, query = "") => get(world, `/v1/tasks/${id}${query}`, ann.id);
    const history = async (): Promise<string[]> => {
      const { body } = await get(world, `${toRoom(room)}/messages?limit=1000`, ann.id);
      return body.messages.map(({ text }: { text: string }) => text);
    };
    const failuresOf = (id: string) =>
      rows(world.deps.em, "select pos from log where task_id = $1 and type = 'task.failed'", [id]);

    it("a message that is still queued is never stored, and its task ends as cancelled", async () => {
      const { body: sent } = await send("take it back");
      const waiting = task(sent.task_id, "?wait=20");
      const cancelled = await cancel(sent.task_id);
      expect(cancelled.status).to.equal(200);
      expect(cancelled.body).to.deep.include({
        id: sent.task_id,
        kind: "message.send",
        state: "failed",
        attempts: 0,
        result: null,
      });
      expect(cancelled.body.error).to.include({ code: "cancelled", status: 409 });
      expect(cancelled.body.finished_at >= cancelled.body.created_at).to.equal(true);
      expect((await waiting).body.error.code).to.equal("cancelled");
      await withWorker();
      const after = await say(world, ann, toRoom(room), "after it");
      expect(await history()).to.deep.equal([after.text]);
      expect((await task(sent.task_id)).body).to.deep.equal(cancelled.body);
    });

    it("tells the sender's own feed, and nobody else's", async () => {
      const { "stream-next-offset": offset } = Object.fromEntries((await get(world, "/v1/rooms", ann.id)).headers);
      const { body: sent } = await send("never mind");
      await cancel(sent.task_id);
      const entries = async (person: Person) => (await get(world, `/v1/events?offset=${offset}`, person.id)).body;
      const [entry, ...more] = await entries(ann);
      expect(more).to.deep.equal([]);
      expect(entry).to.deep.include({ type: "task.failed", room_id: null, actor_id: ann.id });
      expect(entry.data).to.deep.include({ task_id: sent.task_id, kind: "message.send", attempts: 0 });
      expect(entry.data.error.code).to.equal("cancelled");
      expect(await entries(ben)).to.deep.equal([]);
    });

    it("answers the same when it is asked again, also many times at once", async () => {
      const { body: sent } = await send("once is enough");
      const answers = await Promise.all(Array.from({ length: 8 }, () => cancel(sent.task_id)));
      answers.push(await cancel(sent.task_id));
      for (const { status, body } of answers) {
        expect(status).to.equal(200);
        expect(body).to.deep.equal(answers[0]!.body);
      }
      expect(await failuresOf(sent.task_id)).to.have.length(1);
    });

    it("keeps its key: what is sent again under it is the same task, cancelled, also once a worker has had it", async () => {
      const { body: sent } = await send("second thoughts", `thoughts-${backend}`);
      await cancel(sent.task_id);
      const again = await send("second thoughts", `thoughts-${backend}`);
      expect(again.status).to.equal(202);
      expect(again.body.task_id).to.equal(sent.task_id);
      expect(again.headers.get("idempotent-replayed")).to.equal("true");
      expect((await task(sent.task_id)).body.error.code).to.equal("cancelled");
      await withWorker();
      while ((await world.deps.backend.queues[0]!.getJobState(sent.task_id)) !== "failed");
      expect((await task(sent.task_id)).body).to.deep.include({ state: "failed" });
      expect((await task(sent.task_id)).body.error.code).to.equal("cancelled");
      expect(await failuresOf(sent.task_id)).to.have.length(1);
      expect(await history()).to.not.include("second thoughts");
      const waited = await call(world, "POST", `${toRoom(room)}/messages`, {
        as: ann.id,
        body: { text: "second thoughts", client_key: `thoughts-${backend}` },
        headers: { prefer: "wait=5" },
      });
      expectProblem(waited, 409, "cancelled");
      expect((await send("something else", `thoughts-${backend}`)).body.code).to.equal("idempotency_mismatch");
    });

    it("comes too late for what is stored, refused, or in a worker's hands", async () => {
      await withWorker();
      const stored = await say(world, ann, toRoom(room), `too late on ${backend}`);
      expectProblem(await cancel(stored.id), 409, "task_not_cancellable");
      const held = await holdLocks(world, "select id from rooms where id = $1 for update", [room.id]);
      const { body: sent } = await send(`held on ${backend}`);
      await held.isWaitedFor();
      const refused = await cancel(sent.task_id);
      await held.release();
      expectProblem(refused, 409, "task_not_cancellable");
      expect(refused.body.detail).to.include("running");
      expect((await task(sent.task_id, "?wait=20")).body.state).to.equal("done");
      const gone = await post(world, `${toUser(ben)}/messages`, { text: "never mind" }, ann.id);
      await task(gone.body.task_id, "?wait=20");
      expect(await history()).to.include.members([`too late on ${backend}`, `held on ${backend}`]);
    });

    it("is for sends alone, for whoever sent them, and for tasks that exist", async () => {
      const { body: sent } = await send("mine");
      const mark = await post(world, "/v1/messages/seen", { room_id: room.id, up_to: 1 }, ann.id);
      expectProblem(await cancel(mark.body.task_id), 409, "task_not_cancellable");
      for (const id of [sent.task_id, world.deps.newId(), "nonsense", "%00", "0"]) {
        expectProblem(await cancel(id, ben), 404, "task_not_found");
      }
      expectProblem(await call(world, "DELETE", `/v1/tasks/${sent.task_id}`), 401, "not_signed_in");
      expect((await task(sent.task_id)).body.state).to.equal("queued");
      await cancel(sent.task_id);
    });

    it("is decided once, when a worker takes the job between the look and the decision", async () => {
      const { body: sent } = await send(`decided on ${backend}`);
      // Holds up the decision, and the log as well.
      const gate = await holdLocks(world, "select pg_advisory_xact_lock_shared($1)", [CANCEL_LOCK]);
      const head = await holdLocks(world, "select from log_head for update");
      const cancelling = cancel(sent.task_id);
      await gate.isWaitedFor();
      await withWorker();
      await gate.isWaitedFor(2);
      await gate.release();
      await head.isWaitedFor(2);
      await head.release();
      const { status } = await cancelling;
      const { body } = await task(sent.task_id, "?wait=20");
      const isStored = (await history()).includes(`decided on ${backend}`);
      expect({ state: body.state, isStored }).to.deep.equal({
        state: status === 200 ? "failed" : "done",
        isStored: status !== 200,
      });
      expect(await failuresOf(sent.task_id)).to.have.length(status === 200 ? 1 : 0);
    });

    it("sends that are cancelled while workers take them are either stored or cancelled, never both", async function () {
      this.timeout(60_000);
      await withWorker();
      const tries = Array.from({ length: 120 }, async (_, i) => {
        const { body: sent } = await send(`race ${backend} ${i}`);
        const { status } = await cancel(sent.task_id);
        return { id: sent.task_id as string, text: `race ${backend} ${i}`, status };
      });
      const ended = await Promise.all(tries);
      for (const { id, status } of ended) {
        const { body } = await task(id, "?wait=20");
        expect(body.state).to.equal(status === 200 ? "failed" : "done");
      }
      const said = await history();
      for (const { text, status } of ended) expect(said.includes(text), text).to.equal(status === 409);
    });
  });
}
