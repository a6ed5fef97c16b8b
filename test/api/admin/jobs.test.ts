import { expect } from "chai";
import { rows } from "../../../src/shared/db/database.ts";
import { buildRoom, buildUsers, call, expectProblem, get, type Person, post, toRoom } from "../../calls.ts";
import { hasRedis } from "../../services.ts";
import { backends, buildWorld, type World } from "../../world.ts";

for (const backend of backends) {
  describe(`failed jobs and health at the desk with the queue on ${backend}`, () => {
    let world: World;
    let root: Person;
    let ann: Person;
    let room: { id: number };

    before(async function () {
      if (backend === "redis" && !hasRedis()) return this.skip();
      world = await buildWorld({ backend });
      [root, ann] = (await buildUsers(world, 2)) as [Person, Person];
      await rows(world.deps.em, "update users set is_admin = true where id = $1", [root.id]);
      room = await buildRoom(world, [ann]);
      await setPoison(true);
    });
    after(() => world?.close());

    /** A message that says so can't be stored, for as long as the table does not take it. */
    const setPoison = (is: boolean) =>
      rows(
        world.deps.em,
        is
          ? "alter table messages add constraint poison check (text not like 'poison%') not valid"
          : "alter table messages drop constraint poison",
      );
    const at = (path: string) => get(world, `/v1/admin/${path}`, root.id);
    const retry = (id: string) => call(world, "POST", `/v1/admin/jobs/${id}/retry`, { as: root.id });
    const stateOf = (id: string) => world.deps.backend.queues[0]!.getJobState(id);
    const failed = async (text = "poison in a secret"): Promise<string> => {
      const id = world.deps.newId();
      const acceptedAt = new Date().toISOString();
      const data = { senderId: ann.id, roomId: room.id, text, clientKey: null, acceptedAt };
      await world.deps.backend.queues[0]!.add("message.send", data, { jobId: id, attempts: 1 });
      while ((await stateOf(id)) !== "failed");
      // Told after it, and it would end the wait for another try.
      while ((await rows(world.deps.em, "select 1 from log where task_id = $1", [id])).length === 0);
      return id;
    };
    const task = async (id: string) => (await get(world, `/v1/tasks/${id}?wait=20`, ann.id)).body;

    it("lists what has failed, the newest first and page by page, and never what was said", async () => {
      const ids = [await failed(), await failed(), await failed()];
      const first = (await at("jobs?limit=2")).body;
      const second = (await at(`jobs?limit=2&after=${first.next}`)).body;
      const found = [...first.jobs, ...second.jobs].map(({ id }: { id: string }) => id);
      expect(found).to.deep.equal(ids.toReversed());
      expect(second.next).to.equal(null);
      expect(first.jobs[0]).to.include({ kind: "message.send", state: "failed", attempts: 1, retryable: true });
      expect(first.jobs[0].reason).to.include("poison");
      const shown = (await at(`jobs/${ids[0]}`)).body;
      expect(shown.data).to.include({ senderId: ann.id, roomId: room.id, text: "(18 characters)" });
      expect(JSON.stringify([first, second, shown])).to.not.include("secret");
    });

    it("gives one another try, and what succeeded or is not there none", async () => {
      const id = await failed();
      await setPoison(false);
      expect((await retry(id)).status).to.equal(204);
      expect((await task(id)).state).to.equal("done");
      while ((await stateOf(id)) !== "completed");
      expectProblem(await retry(id), 409, "job_not_retryable");
      expectProblem(await retry(world.deps.newId()), 404, "job_not_found");
      for (const odd of ["none", "a:b", "%20", "x".repeat(200)]) expectProblem(await retry(odd), 404, "job_not_found");
      const [action] = (await at("actions?limit=1")).body.actions;
      expect(action).to.deep.include({ action: "job.retry", target: id, detail: { kind: "message.send" } });
      await setPoison(true);
    });

    it("of many who give one another try at the same moment lets one, and tells the others why not", async () => {
      const id = await failed();
      await world.deps.backend.queues[0]!.pause();
      const answers = await Promise.all(Array.from({ length: 8 }, () => retry(id)));
      await world.deps.backend.queues[0]!.resume();
      expect(answers.map(({ status }) => status).toSorted()).to.deep.equal([204, ...Array(7).fill(409)]);
      for (const answer of answers) if (answer.status === 409) expectProblem(answer, 409, "job_not_retryable");
      while ((await stateOf(id)) !== "failed");
    });

    it("gives all of them another try but those that their senders cancelled", async () => {
      await world.deps.backend.queues[0]!.pause();
      const sent = await post(world, `${toRoom(room)}/messages`, { text: "never mind" }, ann.id);
      await call(world, "DELETE", `/v1/tasks/${sent.body.task_id}`, { as: ann.id });
      const cancelled = world.deps.newId();
      await world.deps.backend.queues[0]!.resume();
      const id = await failed();
      await setPoison(false);
      const before = (await at("jobs?limit=100")).body.jobs;
      const { body } = await call(world, "POST", "/v1/admin/jobs/retry", { as: root.id });
      const retryable = before.filter((job: { retryable: boolean }) => job.retryable);
      expect(body).to.deep.equal({ retried: retryable.length, cancelled: before.length - retryable.length, left: 0 });
      expect(retryable.map((job: { id: string }) => job.id)).to.include(id);
      for (const job of retryable) expect((await task(job.id)).state).to.equal("done");
      expect((await task(sent.body.task_id)).error.code).to.equal("cancelled");
      expectProblem(await retry(cancelled), 404, "job_not_found");
    });

    it("says how the system is, and what stands behind it", async () => {
      const { body } = await at("health");
      expect(body).to.include({ status: "ready" });
      expect(body.queue).to.include({ carried_by: backend, waiting: 0 });
      expect(body.checks.worker.ok).to.equal(true);
      expect(body.database.size_bytes).to.be.greaterThan(1_000_000);
      expect(body.database.tables.map(({ name }: { name: string }) => name)).to.include.members(["log", "messages"]);
      expect(body.database.log.oldest).to.equal(1);
      expect(body.database.log.head).to.be.greaterThan(1);
      expect(body.node).to.equal(process.version);
    });
  });
}
