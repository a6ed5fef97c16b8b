import { randomBytes } from "node:crypto";
import { expect } from "chai";
import { rows } from "../../src/shared/db/database.ts";
import { buildRoom, buildUsers, call, get, type Person, post, say, toRoom, toUser } from "../calls.ts";
import { buildWorld, type World } from "../world.ts";

describe("the worker", () => {
  let world: World;
  let ann: Person;
  let ben: Person;
  let stopWorker: () => Promise<void>;

  before(async () => {
    world = await buildWorld({ worker: false });
    stopWorker = await world.startWorker();
    [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
  });
  after(() => world.close());

  const whileStopped = async <T>(work: () => Promise<T>): Promise<T> => {
    await stopWorker();
    const result = await work();
    stopWorker = await world.startWorker();
    return result;
  };
  const enqueue = (data: object, name = "message.send") => {
    const id = world.deps.newId();
    return world.deps.backend.queues[0]!.add(name, data, { jobId: id }).then(() => id);
  };
  const longKeyed = () => ({
    senderId: ann.id,
    recipientId: ben.id,
    clientKey: randomBytes(9_000).toString("base64"),
    acceptedAt: new Date().toISOString(),
  });
  const task = (id: string, user: Person) => get(world, `/v1/tasks/${id}?wait=20`, user.id);

  it("stores the rest of a batch when one of its rows can't be stored", async () => {
    const room = await buildRoom(world, [ann, ben]);
    const acceptedAt = new Date().toISOString();
    const job = (text: string, clientKey: string | null) => ({
      senderId: ann.id,
      roomId: room.id,
      text,
      clientKey,
      acceptedAt,
    });
    // No key that came through the API is as long; no index of Postgres holds it, and the whole statement fails.
    const badKey = randomBytes(9_000).toString("base64");
    const ids = await whileStopped(() =>
      Promise.all(Array.from({ length: 21 }, (_, i) => enqueue(job(`said ${i}`, i === 10 ? badKey : null)))),
    );
    const good = ids.filter((_, i) => i !== 10);
    for (const id of good) expect((await task(id, ann)).body.state).to.equal("done");
    const bad = await get(world, `/v1/tasks/${ids[10]}`, ann.id);
    expect(bad.body.state).to.be.oneOf(["retrying", "running"]);
    const history = await get(world, `${toRoom(room)}/messages`, ann.id);
    expect(history.body.messages).to.have.length(20);
    const seqs = history.body.messages.map(({ seq }: { seq: number }) => seq);
    expect(seqs.sort((a: number, b: number) => a - b)).to.deep.equal(Array.from({ length: 20 }, (_, i) => i + 1));
    await world.deps.backend.queues[0]!.remove(ids[10]!);
  });

  it("fails a task with a problem when its sender has left the room meanwhile, and tells their log", async () => {
    const room = await buildRoom(world, [ann, ben]);
    const sent = await whileStopped(async () => {
      const answer = await post(world, `${toRoom(room)}/messages`, { text: "too late" }, ben.id);
      await call(world, "DELETE", `${toRoom(room)}/members/${ben.id}`, { as: ben.id });
      return answer.body;
    });
    const failed = await task(sent.task_id, ben);
    expect(failed.body).to.deep.include({ state: "failed", attempts: 1, result: null });
    expect(failed.body.error).to.include({ code: "not_a_member", status: 403 });
    const entries = await rows<{ user_id: number; data: { task_id: string } }>(
      world.deps.em,
      "select user_id, data from log where type = 'task.failed' and task_id = $1",
      [sent.task_id],
    );
    expect(entries).to.have.length(1);
    expect(entries[0]!.user_id).to.equal(ben.id);
    expect((await get(world, `${toRoom(room)}/messages`, ann.id)).body.messages).to.deep.equal([]);
  });

  it("tells the sender of what has just failed before it stops", async () => {
    const { queues } = world.deps.backend;
    for (let turn = 0; turn < 5; turn++) {
      const id = await enqueue({ userId: ann.id, marks: "none", at: "never" }, "messages.seen");
      while ((await queues[0]!.getJobState(id)) !== "failed");
      // No index of Postgres holds its key.
      const data = { ...longKeyed(), text: "never" };
      const send = await queues[0]!.add("message.send", data, { jobId: world.deps.newId(), attempts: 1 });
      while ((await queues[0]!.getJobState(send.id!)) !== "failed");
      await whileStopped(async () => {
        const told = await rows(world.deps.em, "select from log where task_id = $1", [send.id]);
        expect(told).to.have.length(1);
      });
    }
  });

  it("still tells why a task failed when the queue has forgotten it", async () => {
    const id = await enqueue({
      senderId: ann.id,
      roomId: 999_999,
      text: "x",
      clientKey: null,
      acceptedAt: new Date().toISOString(),
    });
    expect((await task(id, ann)).body.error.code).to.equal("room_not_found");
    while ((await world.deps.backend.queues[0]!.getJobState(id)) !== "failed");
    await world.deps.backend.queues[0]!.remove(id);
    expect((await task(id, ann)).body).to.deep.include({ state: "failed", kind: "message.send" });
    expect((await task(id, ben)).status).to.equal(404);
  });

  it("a task that is done stays done when the queue has forgotten it, for as long as the message exists", async () => {
    const message = await say(world, ann, toUser(ben), "kept");
    while ((await world.deps.backend.queues[0]!.getJobState(message.id)) !== "completed");
    await world.deps.backend.queues[0]!.remove(message.id);
    expect((await task(message.id, ann)).body).to.deep.include({ state: "done" });
  });

  it("a mark that moved something is done also when the queue has forgotten it", async () => {
    const message = await say(world, ann, toUser(ben), "mark this");
    const { body } = await post(world, "/v1/messages/seen", { message_ids: [message.id] }, ben.id);
    const before = (await task(body.task_id, ben)).body;
    while ((await world.deps.backend.queues[0]!.getJobState(body.task_id)) !== "completed");
    await world.deps.backend.queues[0]!.remove(body.task_id);
    const after = (await task(body.task_id, ben)).body;
    expect(after).to.deep.include({ state: "done", kind: "messages.seen", error: null });
    expect(after.result).to.deep.equal({ rooms: [{ room_id: message.room_id, read_seq: message.seq }] });
    expect(after.created_at).to.equal(before.created_at);
    expect((await task(body.task_id, ann)).status).to.equal(404);
  });

  it("does not try again what can never be parsed", async () => {
    const id = await enqueue({ senderId: ann.id, text: 5 });
    const { body } = await task(id, ann);
    expect(body).to.deep.include({ state: "failed", attempts: 1 });
    expect(body.error.code).to.equal("internal");
    expect(JSON.stringify(body)).to.not.match(/node_modules|at .*\.ts/);
  });

  it("running the same job twice stores it once", async () => {
    const message = await say(world, ann, toUser(ben), "only once");
    const queue = world.deps.backend.queues[0]!;
    while ((await queue.getJobState(message.id)) !== "completed");
    const job = (await queue.getJob(message.id))!;
    await job.remove();
    await queue.add(job.name, job.data, { jobId: message.id });
    while ((await queue.getJobState(message.id)) !== "completed");
    const history = await get(world, `${toUser(ben)}/messages`, ann.id);
    expect(history.body.messages.filter((m: { text: string }) => m.text === "only once")).to.have.length(1);
  });

  it("six first messages at once make one direct room", async () => {
    const [cat, dan] = (await buildUsers(world, 2)) as [Person, Person];
    await world.startWorker();
    const sends = await Promise.all(
      Array.from({ length: 6 }, (_, i) => {
        const [from, to] = i % 2 ? [cat, dan] : [dan, cat];
        return post(world, `${toUser(to)}/messages`, { text: `first ${i}` }, from.id);
      }),
    );
    const done = await Promise.all(sends.map(({ body }, i) => task(body.task_id, i % 2 ? cat : dan)));
    expect(new Set(done.map(({ body }) => body.result.room_id)).size).to.equal(1);
  });

  it("shows a receipt once for each move of a read pointer, with who saw what when", async () => {
    const people = (await buildUsers(world, 3)) as [Person, Person, Person];
    const room = await buildRoom(world, people);
    const [owner, reader] = people;
    const first = await say(world, owner, toRoom(room), "one");
    const second = await say(world, owner, toRoom(room), "two");
    for (const up_to of [first.id, first.seq, second.id, first.id]) {
      const { body } = await post(world, "/v1/messages/seen", { room_id: room.id, up_to }, reader.id);
      await task(body.task_id, reader);
    }
    const receipts = await rows<{ from_seq: number; seq: number }>(
      world.deps.em,
      "select from_seq, seq from receipts where room_id = $1 order by seq",
      [room.id],
    );
    expect(receipts).to.deep.equal([
      { from_seq: 0, seq: 1 },
      { from_seq: 1, seq: 2 },
    ]);
    const { body } = await get(world, `/v1/messages/${second.id}/receipts`, owner.id);
    expect(body.receipts.map((receipt: { user_id: number }) => receipt.user_id)).to.deep.equal([reader.id]);
    expect(body.unseen_by).to.deep.equal([{ id: people[2].id, username: people[2].username }]);
    expect((await get(world, `/v1/messages/${second.id}`, owner.id)).body.seen_by_count).to.equal(1);
  });
});
