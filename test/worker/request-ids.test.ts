import { randomBytes, randomUUID } from "node:crypto";
import { expect } from "chai";
import { pino } from "pino";
import { Closers } from "../../src/shared/closers.ts";
import { jobs } from "../../src/shared/jobs/catalog.ts";
import { SEND_GROUP, sendGroup } from "../../src/shared/jobs/groups.ts";
import { openWorkerDeps } from "../../src/worker/deps.ts";
import { startWorker } from "../../src/worker/worker.ts";
import { buildRoom, buildUsers, call, get, type Person, toRoom, toUser } from "../calls.ts";
import { openSocket } from "../sockets.ts";
import { buildWorld, type World } from "../world.ts";

interface Line {
  readonly level: number;
  readonly msg: string;
  readonly requestId?: string;
  readonly task?: string;
  readonly code?: string;
  readonly tasks?: Readonly<Record<string, string | null>>;
}

const INFO = 30;
const WARN = 40;

describe("the id of a request in the worker's log", () => {
  let world: World;
  let ann: Person;
  let ben: Person;
  let room: { id: number };
  const closers = new Closers();
  const lines: Line[] = [];
  const written: (() => void)[] = [];

  before(async () => {
    world = await buildWorld({ worker: false });
    [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
    room = await buildRoom(world, [ann, ben]);
    const write = (line: string): void => {
      lines.push(JSON.parse(line));
      for (const look of written.splice(0)) look();
    };
    const log = pino({ level: "info" }, { write });
    await startWorker(await openWorkerDeps({ env: world.env, log, closers }), closers);
  });
  after(async () => {
    await closers.closeAll((name, cause) => expect.fail(`could not close ${name}: ${String(cause)}`));
    await world.close();
  });

  async function line(is: (line: Line) => boolean): Promise<Line> {
    for (;;) {
      const found = lines.find(is);
      if (found) return found;
      await new Promise<void>((resolve) => written.push(resolve));
    }
  }
  const done = (task: string): Promise<Line> => line(({ tasks }) => tasks !== undefined && Object.hasOwn(tasks, task));
  const send = (requestId: string, body: object = { text: "hello" }, path = toRoom(room)) =>
    call(world, "POST", `${path}/messages`, { as: ann.id, body, headers: { "x-request-id": requestId } });

  it("stands beside the task of a send, in the line that says that it is done", async () => {
    const { body, headers } = await send("from-the-proxy:7");
    expect(headers.get("x-request-id")).to.equal("from-the-proxy:7");
    const found = await done(body.task_id);
    expect(found).to.include({ level: INFO, msg: "done" });
    expect(found.tasks![body.task_id]).to.equal("from-the-proxy:7");
  });

  it("is each sender's own where sends travel together", async () => {
    const ids = Array.from({ length: 30 }, () => randomUUID());
    const answers = await Promise.all(ids.map((id) => send(id, { text: `of ${id}` }, toUser(ben))));
    for (const [i, { body }] of answers.entries()) {
      expect((await done(body.task_id)).tasks![body.task_id]).to.equal(ids[i]);
    }
  });

  it("stands beside the tasks of marks, whether they are said or acknowledged", async () => {
    const { body: sent } = await send("to-be-seen");
    await done(sent.task_id);
    const headers = { "x-request-id": "read-to-here" };
    const marked = await call(world, "POST", "/v1/messages/seen", {
      as: ben.id,
      body: { message_ids: [sent.message_id] },
      headers,
    });
    expect((await done(marked.body.task_id)).tasks![marked.body.task_id]).to.equal("read-to-here");
    await send("once-more", { text: "again" }, toUser(ben));
    const { body } = await get(world, "/v1/messages/unseen?wait=20", ben.id);
    await call(world, "GET", `/v1/messages/unseen?ack=${body.ack}`, {
      as: ben.id,
      headers: { "x-request-id": "acked" },
    });
    await line(({ tasks }) => Object.values(tasks ?? {}).includes("acked"));
  });

  it("is on a socket that of the socket and the number of the frame, also where the frame is answered with an error", async () => {
    const socket = await openSocket(world, { "x-user-id": String(ann.id), "x-request-id": "one-socket" });
    const wrong = await socket.ask("message", { room_id: room.id });
    expect(wrong.data).to.include({ code: "validation_failed", request_id: "one-socket:1" });
    const { data } = await socket.ask("message", { room_id: room.id, text: "by frame" });
    expect((await done(data.task_id)).tasks![data.task_id]).to.equal("one-socket:2");
    socket.ws.close();
    await socket.closed;
  });

  it("stands in the line of a refusal, which is no error, and in what its sender is told", async () => {
    const [zoe] = (await buildUsers(world, 1)) as [Person];
    const left = await buildRoom(world, [ann, zoe]);
    await call(world, "GET", toRoom(left), { as: zoe.id });
    await world.deps.backend.queues[0]!.pause();
    const options = { as: zoe.id, body: { text: "too late" }, headers: { "x-request-id": "left-meanwhile" } };
    const { body } = await call(world, "POST", `${toRoom(left)}/messages`, options);
    await call(world, "DELETE", `${toRoom(left)}/members/${zoe.id}`, { as: zoe.id });
    await world.deps.backend.queues[0]!.resume();
    const found = await line(({ task }) => task === body.task_id);
    expect(found).to.include({ level: INFO, msg: "refused", requestId: "left-meanwhile", code: "not_a_member" });
    const task = await get(world, `/v1/tasks/${body.task_id}?wait=20`, zoe.id);
    expect(task.body.error.request_id).to.equal("left-meanwhile");
  });

  it("stands in the line of a task that could not be done and is tried again", async () => {
    const id = world.deps.newId();
    // No key that came through the API is as long: no index of Postgres holds it.
    const clientKey = randomBytes(9_000).toString("base64");
    const acceptedAt = new Date().toISOString();
    const data = { senderId: ann.id, roomId: room.id, text: "never", clientKey, acceptedAt, requestId: "in-vain" };
    await world.deps.backend.queues[0]!.add("message.send", data, { jobId: id, attempts: 2, backoff: 1 });
    const again = await line(({ task, level }) => task === id && level === WARN);
    expect(again).to.include({ requestId: "in-vain", msg: "a task is tried again" });
    const failed = await line(({ task, level }) => task === id && level > WARN);
    expect(failed).to.include({ requestId: "in-vain", msg: "a task failed" });
    expect(JSON.stringify(lines)).to.not.include(clientKey);
  });

  it("is missing in jobs from before it was told, which run all the same", async () => {
    const at = new Date().toISOString();
    const send = { senderId: ann.id, roomId: room.id, text: "old", clientKey: null, acceptedAt: at };
    const mark = { userId: ben.id, marks: [{ roomId: room.id, upToSeq: 1 }], at };
    expect(jobs["message.send"].parse(send)).to.deep.equal(send);
    expect(jobs["messages.seen"].parse(mark)).to.deep.equal(mark);
    const id = world.deps.newId();
    const group = { sends: [{ ...send, id }] };
    expect(sendGroup.parse(group)).to.deep.equal(group);
    await world.deps.backend.queues[0]!.add(SEND_GROUP, group, { jobId: world.deps.newId() });
    expect((await done(id)).tasks![id]).to.equal(null);
  });
});
