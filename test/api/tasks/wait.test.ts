import { expect } from "chai";
import { buildUsers, get, type Person, post, say, toUser } from "../../calls.ts";
import { holdLocks } from "../../locks.ts";
import { buildWorld, type World } from "../../world.ts";

describe("waiting for a mark", () => {
  let world: World;
  before(async () => {
    world = await buildWorld({ backend: "postgres" });
  });
  after(() => world?.close());

  it("ends with it, also for whoever asks between its commit and the queue's word of it", async () => {
    const [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
    const message = await say(world, ann, toUser(ben), "mark me");
    const member = await holdLocks(world, "select from members where user_id = $1 for update", [ben.id]);
    const { body } = await post(world, "/v1/messages/seen", { message_ids: [message.id] }, ben.id);
    await member.isWaitedFor();
    const job = await holdLocks(world, "select from bullmq.job where id = $1 for update", [body.task_id]);
    await member.release();
    // Stored, and told to whoever listened; the worker can't tell the queue.
    await job.isWaitedFor();
    const task = (wait: number) => get(world, `/v1/tasks/${body.task_id}?wait=${wait}`, ben.id);
    expect((await task(0)).body).to.include({ state: "running" });
    const waiting = task(15);
    // By the time that this one is answered the other has looked as well.
    expect((await task(0)).body).to.include({ state: "running" });
    const since = performance.now();
    await job.release();
    expect((await waiting).body).to.include({ state: "done" });
    expect(performance.now() - since).to.be.below(10_000);
  });
});
