import { expect } from "chai";
import { buildRoom, buildUsers, call, get, type Person, post, say, toRoom, toUser } from "../calls.ts";
import { holdLocks } from "../locks.ts";
import { demoSettings, type Settings, type Started, startApi, startWorkerProcess } from "../processes.ts";
import { freshDatabase, hasRedis } from "../services.ts";

const texts = (body: { messages: { text: string }[] }): string[] => body.messages.map(({ text }) => text);

describe("two APIs and two workers on one database and queue", () => {
  let database: Awaited<ReturnType<typeof freshDatabase>>;
  let settings: Settings;
  const started: Started[] = [];
  const keep = async (starting: Promise<Started>): Promise<Started> => {
    const process = await starting;
    started.push(process);
    return process;
  };
  let here: Started;
  let there: Started;
  let ann: Person;
  let ben: Person;

  before(async function () {
    if (!hasRedis()) return this.skip();
    database = await freshDatabase();
    settings = demoSettings(database.url);
    [here, there] = await Promise.all([keep(startApi(settings)), keep(startApi(settings))]);
    await Promise.all([keep(startWorkerProcess(settings)), keep(startWorkerProcess(settings))]);
    [ann, ben] = (await buildUsers(here, 2)) as [Person, Person];
  });

  after(async () => {
    await Promise.all(started.map((process) => process.end()));
    await database?.drop();
  });

  it("what is sent to one API is delivered by the other", async () => {
    const poll = get(there, "/v1/messages/unseen?wait=20", ben.id);
    await post(here, `${toUser(ben)}/messages`, { text: "across" }, ann.id);
    expect(texts((await poll).body)).to.deep.equal(["across"]);
  });

  it("an ack given to one API holds on the other", async () => {
    const first = await get(there, "/v1/messages/unseen", ben.id);
    const second = await get(here, `/v1/messages/unseen?ack=${first.body.ack}`, ben.id);
    expect(second.body.unseen_count).to.equal(0);
  });

  it("who is added by one API may send through the other at once, and who is removed may not", async () => {
    const room = await buildRoom(here, [ann]);
    await call(here, "PUT", `${toRoom(room)}/members/${ben.id}`, { as: ann.id });
    await say(there, ben, toRoom(room), "thanks");
    await call(here, "DELETE", `${toRoom(room)}/members/${ben.id}`, { as: ann.id });
    const refused = await call(there, "POST", `${toRoom(room)}/messages`, {
      as: ben.id,
      body: { text: "still here" },
      headers: { prefer: "wait=20" },
    });
    // At the door, or in the worker's transaction: either way it is refused and nothing is stored.
    expect(refused.body.code).to.be.oneOf(["room_not_found", "not_a_member"]);
    expect(texts((await get(here, `${toRoom(room)}/messages`, ann.id)).body)).to.deep.equal(["thanks"]);
  });

  it("400 messages through both APIs and both workers are each stored once, and numbered without a gap", async () => {
    const people = await buildUsers(here, 4);
    const room = await buildRoom(here, people);
    const answers = await Promise.all(
      Array.from({ length: 400 }, (_, i) =>
        post(i % 2 ? here : there, `${toRoom(room)}/messages`, { text: `m${i}` }, people[i % 4]!.id),
      ),
    );
    expect(new Set(answers.map(({ status }) => status))).to.deep.equal(new Set([202]));
    await Promise.all(answers.map(({ body }, i) => get(here, `/v1/tasks/${body.task_id}?wait=20`, people[i % 4]!.id)));
    const { body } = await get(here, `${toRoom(room)}/messages?limit=1000`, people[0]!.id);
    const seqs = body.messages.map(({ seq }: { seq: number }) => seq).sort((a: number, b: number) => a - b);
    expect(seqs).to.deep.equal(Array.from({ length: 400 }, (_, i) => i + 1));
    expect(new Set(texts(body)).size).to.equal(400);
  });

  it("the jobs of a worker that is killed run again within 10 seconds, once", async function () {
    this.timeout(30_000);
    const room = await buildRoom(here, [ann, ben]);
    const holder = await holdRoom(database.url, room.id);
    const sends = await Promise.all(
      Array.from({ length: 20 }, (_, i) => post(here, `${toRoom(room)}/messages`, { text: `held${i}` }, ann.id)),
    );
    // Both workers may hold some of them; one that nobody knows takes over.
    await holder.isWaitedFor();
    const [, , first, second] = started as [Started, Started, Started, Started];
    first.signal("SIGKILL");
    second.signal("SIGKILL");
    await Promise.all([first.exited, second.exited]);
    const killedAt = performance.now();
    await holder.release();
    await keep(startWorkerProcess(settings));
    for (const { body } of sends) {
      const task = await get(here, `/v1/tasks/${body.task_id}?wait=20`, ann.id);
      expect(task.body.state).to.equal("done");
    }
    expect(performance.now() - killedAt).to.be.below(10_000);
    const { body } = await get(here, `${toRoom(room)}/messages?limit=1000`, ann.id);
    expect(texts(body).sort()).to.deep.equal(Array.from({ length: 20 }, (_, i) => `held${i}`).sort());
  });

  it("sends are accepted while no worker runs, and stored when one is back", async () => {
    const worker = started.at(-1)!;
    worker.signal("SIGTERM");
    expect(await worker.exited).to.equal(0);
    const sent = await post(here, `${toUser(ben)}/messages`, { text: "patience" }, ann.id);
    expect(sent.status).to.equal(202);
    const waiting = await get(here, `/v1/tasks/${sent.body.task_id}`, ann.id);
    expect(waiting.body).to.deep.include({ state: "queued", attempts: 0, finished_at: null, result: null });
    await keep(startWorkerProcess(settings));
    expect((await get(here, `/v1/tasks/${sent.body.task_id}?wait=20`, ann.id)).body.state).to.equal("done");
  });

  it("a worker that is told to stop finishes what it holds and exits with 0", async () => {
    const worker = started.at(-1)!;
    const room = await buildRoom(here, [ann, ben]);
    const holder = await holdRoom(database.url, room.id);
    const sent = await post(here, `${toRoom(room)}/messages`, { text: "in time" }, ann.id);
    await holder.isWaitedFor();
    worker.signal("SIGTERM");
    await holder.release();
    expect(await worker.exited).to.equal(0);
    expect((await get(here, `/v1/tasks/${sent.body.task_id}`, ann.id)).body.state).to.equal("done");
    await keep(startWorkerProcess(settings));
  });

  it("an API that is told to stop answers its parked reads at once and exits with 0; the other goes on", async () => {
    const poll = get(there, "/v1/messages/unseen?wait=50&limit=1", (await buildUsers(here, 1))[0]!.id);
    await isParked(there);
    const askedAt = performance.now();
    there.signal("SIGTERM");
    const answer = await poll;
    expect(answer.status).to.equal(200);
    expect(answer.body.messages).to.deep.equal([]);
    expect(answer.headers.get("connection")).to.equal("close");
    expect(await there.exited).to.equal(0);
    expect(performance.now() - askedAt).to.be.below(5_000);
    expect((await get(here, "/readyz")).status).to.equal(200);
  });
});

/** Keeps a room's row locked, so that whoever wants to append to it waits. */
const holdRoom = (url: string, roomId: number) =>
  holdLocks({ env: { DATABASE_URL: url } }, "select id from rooms where id = $1 for update", [roomId]);

async function isParked(api: Started): Promise<void> {
  while ((await get(api, "/readyz")).body.parked_reads === 0);
}
