import { expect } from "chai";
import { rows } from "../src/shared/db/database.ts";
import { buildRoom, buildUsers, call, get, type Person, post, toRoom } from "./calls.ts";
import { runToEnd } from "./processes.ts";
import { hasRedis } from "./services.ts";
import { backends, buildWorld, type World } from "./world.ts";

for (const backend of backends) {
  describe(`npm run jobs with the queue on ${backend}`, () => {
    let world: World;
    let ann: Person;
    let room: { id: number };
    let stopWorker: () => Promise<void>;

    before(async function () {
      if (backend === "redis" && !hasRedis()) return this.skip();
      world = await buildWorld({ backend, worker: false });
      stopWorker = await world.startWorker();
      [ann] = (await buildUsers(world, 1)) as [Person];
      room = await buildRoom(world, [ann]);
      // A message that says so can't be stored, for as long as the table does not take it.
      await rows(world.deps.em, "alter table messages add constraint poison check (text not like 'poison%')");
    });
    after(() => world?.close());

    const jobs = (...args: string[]) => {
      const { DATABASE_URL, REDIS_URL, QUEUE_NAME } = world.env;
      return runToEnd("src/jobs.ts", args, { DATABASE_URL, REDIS_URL, QUEUE_NAME });
    };
    const json = async (...args: string[]) => JSON.parse((await jobs(...args, "--json")).stdout);
    const task = async (id: string, query = "?wait=20") => (await get(world, `/v1/tasks/${id}${query}`, ann.id)).body;
    const stateOf = (id: string) => world.deps.backend.queues[0]!.getJobState(id);
    /** A message that is given up after so many attempts. */
    const failing = async (text = "poison", attempts = 2): Promise<string> => {
      const id = world.deps.newId();
      const acceptedAt = new Date().toISOString();
      const data = { senderId: ann.id, roomId: room.id, text, clientKey: null, acceptedAt };
      await world.deps.backend.queues[0]!.add("message.send", data, { jobId: id, attempts });
      return id;
    };
    const failed = async (text?: string): Promise<string> => {
      const id = await failing(text);
      while ((await stateOf(id)) !== "failed");
      expect((await task(id)).state).to.equal("failed");
      return id;
    };
    const failureIn = "select from log where task_id = $1 and type = 'task.failed'";

    it("says that nothing has failed where nothing has, and that there is nothing to retry", async () => {
      expect(await jobs("failed")).to.deep.include({ code: 0, stdout: "No job has failed\n" });
      expect(await json("failed")).to.deep.equal([]);
      expect(await jobs("retry-all")).to.deep.include({ code: 1, stdout: "" });
    });

    it("a task tells each state that it goes through, and how often it was tried", async () => {
      await stopWorker();
      const id = await failing("poison for a while", 10);
      expect(await task(id, "")).to.deep.include({ state: "queued", attempts: 0, finished_at: null, error: null });
      stopWorker = await world.startWorker();
      let seen = await task(id, "");
      while (seen.state !== "retrying") seen = await task(id, "");
      expect(seen.attempts).to.be.greaterThan(0);
      expect(seen).to.deep.include({ finished_at: null, result: null, error: null });
      await rows(world.deps.em, "alter table messages drop constraint poison");
      const done = await task(id);
      expect(done).to.include({ state: "done" });
      expect(done.attempts).to.be.greaterThan(1);
      expect(done.result.text).to.equal("poison for a while");
      expect([done.created_at, done.finished_at].toSorted()).to.deep.equal([done.created_at, done.finished_at]);
      await rows(world.deps.em, "alter table messages add constraint poison check (text not like 'poison%') not valid");
    });

    it("lists what has failed and why, and shows one", async () => {
      const id = await failed();
      const refused = world.deps.newId();
      const nowhere = {
        senderId: ann.id,
        roomId: 999_999,
        text: "x",
        clientKey: null,
        acceptedAt: new Date().toISOString(),
      };
      await world.deps.backend.queues[0]!.add("message.send", nowhere, { jobId: refused });
      while ((await stateOf(refused)) !== "failed");
      const list = await json("failed");
      expect(list.map((job: { id: string }) => job.id)).to.deep.equal([refused, id]);
      expect(list[0]).to.deep.include({ kind: "message.send", state: "failed", attempts: 1 });
      expect(list[0].reason).to.equal("room_not_found: No room has the id 999999");
      expect(list[1]).to.deep.include({ attempts: 2 });
      expect(list[1].reason).to.include("poison");
      const { stdout } = await jobs("failed");
      expect(stdout.trimEnd().split("\n")).to.have.length(2);
      const shown = await jobs("show", id.toUpperCase());
      expect(shown.code).to.equal(0);
      for (const word of [id, "message.send", "failed", "poison", String(room.id)])
        expect(shown.stdout).to.include(word);
      expect(await json("show", id)).to.deep.include({ id, state: "failed" });
    });

    it("a retried send that then succeeds makes its task done", async () => {
      const id = await failed("poison no more");
      const { error, attempts } = await task(id);
      expect({ code: error.code, attempts }).to.deep.equal({ code: "internal", attempts: 2 });
      await stopWorker();
      expect(await jobs("retry", id)).to.deep.include({ code: 0, stdout: `${id} is in the queue again\n` });
      expect(await task(id, "")).to.deep.include({ state: "retrying", attempts: 2, error: null, finished_at: null });
      await rows(world.deps.em, "alter table messages drop constraint poison");
      stopWorker = await world.startWorker();
      const done = await task(id);
      expect(done).to.deep.include({ state: "done", attempts: 3, error: null });
      expect(done.result).to.include({ id, text: "poison no more" });
      const { body } = await get(world, `${toRoom(room)}/messages`, ann.id);
      expect(body.messages.filter((message: { id: string }) => message.id === id)).to.have.length(1);
    });

    it("one that fails again is failed again, and told again", async () => {
      await rows(world.deps.em, "alter table messages add constraint poison check (text not like 'poison%') not valid");
      const id = await failed("poison for good");
      expect((await jobs("retry", id)).code).to.equal(0);
      while (!((await stateOf(id)) === "failed" && (await rows(world.deps.em, failureIn, [id])).length === 2));
      expect(await task(id)).to.deep.include({ state: "failed", attempts: 4 });
      await rows(world.deps.em, "alter table messages drop constraint poison");
    });

    it("retries nothing that succeeded, is unknown or was cancelled, and says so", async () => {
      const { body } = await post(world, `${toRoom(room)}/messages`, { text: "fine" }, ann.id);
      await task(body.task_id);
      while ((await stateOf(body.task_id)) !== "completed");
      const before = await task(body.task_id);
      const succeeded = await jobs("retry", body.task_id);
      expect(succeeded).to.deep.include({ code: 1, stdout: "" });
      expect(succeeded.stderr).to.equal(`Job ${body.task_id} is completed: only a failed one can be retried\n`);
      expect(await task(body.task_id)).to.deep.equal(before);

      await stopWorker();
      const send = () =>
        call(world, "POST", `${toRoom(room)}/messages`, { as: ann.id, body: { text: "no", client_key: "no" } });
      const { body: sent } = await send();
      await call(world, "DELETE", `/v1/tasks/${sent.task_id}`, { as: ann.id });
      await send();
      stopWorker = await world.startWorker();
      while ((await stateOf(sent.task_id)) !== "failed");
      const cancelled = await jobs("retry", sent.task_id);
      expect(cancelled).to.deep.include({ code: 1, stdout: "" });
      expect(cancelled.stderr).to.include("cancelled by its sender");
      expect(await stateOf(sent.task_id)).to.equal("failed");

      const unknown = [world.deps.newId(), "nonsense"].flatMap((id) =>
        ["retry", "show"].map((command) => ({ command, id })),
      );
      const answers = await Promise.all(unknown.map(({ command, id }) => jobs(command, id)));
      for (const [i, answer] of answers.entries()) {
        expect(answer).to.deep.include({ code: 1, stdout: "" });
        expect(answer.stderr).to.match(new RegExp(`^No job ${unknown[i]!.id} is in the queue`));
      }
    });

    it("retry-all puts back all that may be, and leaves the cancelled ones", async () => {
      const poisoned = (await json("failed")).filter(({ reason }: { reason: string }) => reason.includes("poison"));
      expect(poisoned).to.have.length(2);
      const answer = await jobs("retry-all");
      expect(answer.code).to.equal(0);
      // The one for a room that is not there is tried as well, and refused as before.
      expect(answer.stdout).to.equal("3 in the queue again; 1 that their senders cancelled stay as they are\n");
      for (const { id } of poisoned) expect((await task(id)).state).to.equal("done");
    });
  });
}

describe("npm run jobs", () => {
  it("explains itself, and what was wrong about the way it was called", async () => {
    const help = await runToEnd("src/jobs.ts", ["--help"], {});
    expect(help.code).to.equal(0);
    for (const word of ["failed", "show <id>", "retry <id>", "retry-all", "--json"])
      expect(help.stdout).to.include(word);
    const calls = [[], ["nonsense"], ["retry"], ["show"], ["failed", "x"], ["retry", "a", "b"], ["--x"]];
    const answers = await Promise.all(calls.map((args) => runToEnd("src/jobs.ts", args, {})));
    for (const [i, wrong] of answers.entries()) {
      expect(wrong, calls[i]!.join(" ")).to.deep.include({ code: 1, stdout: "" });
      expect(wrong.stderr).to.include("Usage: npm run jobs");
    }
  });

  it("says what it can't reach, and ends", async function () {
    this.timeout(30_000);
    expect((await runToEnd("src/jobs.ts", ["failed"], {})).stderr).to.include("DATABASE_URL");
    const away = await runToEnd("src/jobs.ts", ["failed"], { DATABASE_URL: "postgres://x:x@127.0.0.1:1/x" });
    expect(away).to.deep.include({ code: 1, stdout: "" });
    expect(away.stderr).to.include("can't be reached");
  });
});
