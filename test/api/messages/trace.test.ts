import { expect } from "chai";
import { oneRow, rows } from "../../../src/shared/db/database.ts";
import {
  type Answer,
  buildRoom,
  buildUsers,
  call,
  expectProblem,
  get,
  type Person,
  say,
  toRoom,
  toUser,
} from "../../calls.ts";
import { hasRedis } from "../../services.ts";
import { openSocket } from "../../sockets.ts";
import { until } from "../../until.ts";
import { backends, buildWorld, type World } from "../../world.ts";

for (const backend of backends) {
  describe(`the trace of a message, with the queue on ${backend}`, () => {
    let world: World;
    let ann: Person;
    let ben: Person;
    let root: Person;
    let stopWorker: (() => Promise<void>) | undefined;

    before(async function () {
      if (backend === "redis" && !hasRedis()) return this.skip();
      world = await buildWorld({ backend, worker: false });
      [ann, ben, root] = (await buildUsers(world, 3)) as [Person, Person, Person];
      await rows(world.deps.em, "update users set is_admin = true where id = $1", [root.id]);
    });
    after(() => world?.close());
    beforeEach(async () => {
      stopWorker = await world.startWorker();
    });
    afterEach(() => stopWorker?.());

    const trace = (id: string, as: Person = ann): Promise<Answer> => get(world, `/v1/messages/${id}/trace`, as.id);
    const send = async (requestId: string, text = "hello") => {
      const options = { as: ann.id, body: { text }, headers: { "x-request-id": requestId } };
      return (await call(world, "POST", `${toUser(ben)}/messages`, options)).body.message_id as string;
    };
    const until = async (id: string, is: (body: Answer["body"]) => boolean, as?: Person): Promise<Answer["body"]> => {
      for (;;) {
        const { body } = await trace(id, as);
        if (is(body)) return body;
      }
    };

    it("tells when it was accepted, stored, delivered and seen, each when it has happened", async () => {
      const id = await send("the-request");
      const stored = await until(id, ({ stored_at }) => stored_at !== null);
      expect(stored).to.deep.include({ message_id: id, task_id: id, request_id: "the-request", state: "done" });
      expect(stored).to.deep.include({ attempts: 1, reasons: null, error: null });
      expect(stored).to.include({ first_delivered_at: null, first_seen_at: null, seen_by_count: 0 });
      const { body: unseen } = await get(world, "/v1/messages/unseen", ben.id);
      const delivered = await until(id, ({ first_delivered_at }) => first_delivered_at !== null);
      expect(delivered).to.include({ first_seen_at: null, seen_by_count: 0 });
      await get(world, `/v1/messages/unseen?ack=${unseen.ack}`, ben.id);
      const seen = await until(id, ({ first_seen_at }) => first_seen_at !== null);
      expect(seen).to.deep.include({ seen_by_count: 1, first_delivered_at: delivered.first_delivered_at });
      const times = [seen.accepted_at, seen.stored_at, seen.first_delivered_at, seen.first_seen_at];
      expect(times).to.deep.equal(times.toSorted());
      expect((await trace(id, root)).body).to.deep.equal({ ...seen, reasons: [] });
    });

    it("is there while the message waits, and when it was refused", async () => {
      const room = await buildRoom(world, [root, ann]);
      await get(world, toRoom(room), ann.id);
      await stopWorker!();
      const options = { as: ann.id, body: { text: "too late" }, headers: { "x-request-id": "waits" } };
      const { body } = await call(world, "POST", `${toRoom(room)}/messages`, options);
      const waiting = await trace(body.message_id);
      expect(waiting.body).to.deep.include({ state: "queued", attempts: 0, request_id: "waits", begun_at: null });
      expect(waiting.body).to.deep.include({ stored_at: null, first_delivered_at: null, error: null });
      await call(world, "DELETE", `${toRoom(room)}/members/${ann.id}`, { as: ann.id });
      stopWorker = await world.startWorker();
      const refused = await until(body.message_id, ({ state }) => state === "failed", root);
      expect(refused).to.deep.include({ request_id: "waits", attempts: 1, stored_at: null });
      expect(refused.error.code).to.equal("not_a_member");
    });

    it("tells an admin why attempts have failed, and nobody else", async () => {
      const id = world.deps.newId();
      const room = await buildRoom(world, [ann, ben]);
      const data = { senderId: ann.id, roomId: room.id, text: "x", clientKey: null, acceptedAt: "no time at all" };
      await world.deps.backend.queues[0]!.add("message.send", data, { jobId: id });
      const failed = await until(id, ({ state }) => state === "failed", root);
      expect(failed.reasons).to.have.length(1);
      expect(failed.reasons[0]).to.include("acceptedAt").and.not.include(".ts:");
      expect(failed.begun_at >= failed.accepted_at).to.equal(true);
      expect((await trace(id)).body).to.deep.include({ reasons: null, state: "failed" });
    });

    it("still names the request when the queue has forgotten the job, and of those that travelled together each its own", async () => {
      const ids = await Promise.all(["first", "second", "third"].map((name) => send(`${name}-of-three`)));
      for (const [i, id] of ids.entries()) {
        await until(id, ({ state }) => state === "done");
        for (const job of await world.deps.backend.queues[0]!.getJobs(["completed"])) await job.remove();
        expect((await trace(id)).body.request_id).to.equal(`${["first", "second", "third"][i]}-of-three`);
      }
    });

    it("is a message that is not there for whoever did not send it, also for those who may read it", async () => {
      const { id } = await say(world, ann, toUser(ben), "mine");
      const nobodys = "01890000-0000-7000-8000-000000000000";
      for (const [as, what] of [
        [ben, id],
        [ann, nobodys],
        [root, nobodys],
      ] as const) {
        expectProblem(await trace(what, as), 404, "message_not_found");
      }
      expectProblem(await trace("no-id"), 400, "validation_failed");
    });

    it("is not that of a mark", async () => {
      const { room_id } = await say(world, ann, toUser(ben), "to be marked");
      const options = { as: ben.id, body: { room_id, up_to: 1 } };
      const { task_id } = (await call(world, "POST", "/v1/messages/seen", options)).body;
      expectProblem(await trace(task_id, ben), 404, "message_not_found");
    });
  });
}

describe("when a message was first delivered", () => {
  let world: World;
  let ann: Person;
  let ben: Person;
  let room: { id: number };

  before(async () => {
    world = await buildWorld();
  });
  after(() => world?.close());
  beforeEach(async () => {
    [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
    room = await buildRoom(world, [ann, ben]);
  });

  const recorded = (id: string) => oneRow(world.deps.em, "select at from deliveries where message_id = $1", [id]);
  const isRecorded = async (id: string): Promise<void> => {
    await until(async () => (await recorded(id)) !== undefined);
  };

  const pages: Record<string, (id: string) => string> = {
    "a page of what is unseen": () => "/v1/messages/unseen",
    "the history of a room": () => `${toRoom(room)}/messages`,
    "the message itself": (id) => `/v1/messages/${id}`,
    "a page of the feed": () => "/v1/events?offset=-1",
    "a page of a room's feed": () => `${toRoom(room)}/events?offset=-1`,
    "the list of rooms": () => "/v1/rooms",
    "the room": () => toRoom(room),
  };
  for (const [what, path] of Object.entries(pages)) {
    it(`is told by ${what}`, async () => {
      const { id } = await say(world, ann, toRoom(room), "hello");
      await get(world, path(id), ben.id);
      await isRecorded(id);
    });
  }

  it("is told by a poll that waited, for new messages or for events", async () => {
    for (const path of ["/v1/messages/unseen?wait=20", "/v1/events?offset=now&live=long-poll"]) {
      const [reader] = (await buildUsers(world, 1)) as [Person];
      const poll = get(world, path, reader.id);
      await until(() => world.deps.hub.parked > 0);
      const { id } = await say(world, ann, toUser(reader), "hello");
      await poll;
      await isRecorded(id);
    }
  });

  it("is told by a stream and by a socket", async () => {
    const streaming = new AbortController();
    const headers = { "x-user-id": String(ben.id) };
    await fetch(`${world.url}/v1/events?offset=now&live=sse`, { headers, signal: streaming.signal });
    await until(() => world.deps.hub.parked > 0);
    await isRecorded((await say(world, ann, toRoom(room), "by stream")).id);
    streaming.abort();
    await until(() => world.deps.hub.parked === 0);
    const socket = await openSocket(world, headers);
    await socket.ask("subscribe", { offset: "now" });
    await isRecorded((await say(world, ann, toRoom(room), "by socket")).id);
    socket.ws.close();
    await socket.closed;
  });

  it("is not when its sender reads it, in whatever way", async () => {
    const socket = await openSocket(world, { "x-user-id": String(ann.id) });
    await socket.ask("subscribe", { offset: "now" });
    const { id } = await say(world, ann, toRoom(room), "to myself");
    await socket.saysMore(1);
    for (const path of Object.values(pages)) await get(world, path(id), ann.id);
    // What is recorded later than this would have been recorded before it.
    const { id: other } = await say(world, ben, toRoom(room), "from another");
    await isRecorded(other);
    expect(await recorded(id)).to.equal(undefined);
    socket.ws.close();
    await socket.closed;
  });

  it("stays the first time, whoever reads it later, and on whichever API", async () => {
    const { id } = await say(world, ann, toRoom(room), "hello");
    await get(world, `${toRoom(room)}/messages`, ben.id);
    await isRecorded(id);
    const first = await recorded(id);
    const other = await world.startApi();
    await get(other, `${toRoom(room)}/messages`, ben.id);
    // It writes what it still holds.
    await other.close();
    expect(await recorded(id)).to.deep.equal(first);
  });

  it("is recorded by an API that stops right after", async () => {
    const other = await world.startApi();
    const { id } = await say(world, ann, toRoom(room), "hello");
    await get(other, `${toRoom(room)}/messages`, ben.id);
    expect(await recorded(id)).to.equal(undefined);
    await other.close();
    expect(await recorded(id)).to.not.equal(undefined);
  });

  it("is recorded once the database takes it again", async () => {
    await rows(world.deps.em, "alter table deliveries rename to elsewhere");
    const { id } = await say(world, ann, toRoom(room), "hello");
    const other = await world.startApi();
    await get(other, `${toRoom(room)}/messages`, ben.id);
    await until(() => other.chores.length > 0);
    await rows(world.deps.em, "alter table elsewhere rename to deliveries");
    await isRecorded(id);
  });

  it("is where nobody has recorded it the time at which it was first seen", async () => {
    const { id } = await say(world, ann, toRoom(room), "hello");
    const options = { as: ben.id, body: { message_ids: [id] } };
    await call(world, "POST", "/v1/messages/seen", options);
    for (;;) {
      const { body } = await get(world, `/v1/messages/${id}/trace`, ann.id);
      if (body.first_seen_at === null) continue;
      expect(body.first_delivered_at).to.equal(body.first_seen_at);
      return;
    }
  });
});
