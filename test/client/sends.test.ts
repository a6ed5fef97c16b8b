import { expect } from "chai";
import { Problem, type SendHandle, type SendState } from "../../src/client/index.ts";
import { AppError } from "../../src/shared/errors.ts";
import { buildRoom, buildUsers, call, get, type Person, toRoom } from "../calls.ts";
import { buildWorld, type World } from "../world.ts";
import { clientsOf } from "./clients.ts";
import { FaultyProxy } from "./faulty-proxy.ts";

const problemOf = (promise: Promise<unknown>): Promise<Problem> =>
  promise.then(
    () => expect.fail("it went well"),
    (error: unknown) => error as Problem,
  );

describe("a send of the client", () => {
  let world: World;
  let proxy: FaultyProxy;
  let ann: Person;
  let ben: Person;
  let eve: Person;
  let room: { id: number };
  const clients = clientsOf(() => proxy.url);

  before(async () => {
    world = await buildWorld();
    proxy = await FaultyProxy.before(world.url);
    [ann, ben, eve] = (await buildUsers(world, 3)) as [Person, Person, Person];
    room = await buildRoom(world, [ann, ben]);
  });
  afterEach(() => {
    clients.closeAll();
    proxy.decide = () => undefined;
  });
  after(async () => {
    await proxy?.close();
    await world?.close();
  });

  const textsIn = async (id: number): Promise<string[]> =>
    (await get(world, `/v1/rooms/${id}/messages`, ann.id)).body.messages.map(({ text }: { text: string }) => text);

  const statesOf = (handle: SendHandle): SendState[] => {
    const states = [handle.state];
    handle.on(({ state }) => states.push(state));
    return states;
  };

  it("is accepted, stored and seen, in that order", async () => {
    const handle = clients.of(ann).send({ room: room.id }, "hello");
    const states = statesOf(handle);
    expect(handle.clientKey).to.match(/^[0-9a-f-]{36}$/);
    expect(handle.messageId).to.equal(undefined);
    const { messageId } = await handle.accepted;
    const message = await handle.stored;
    expect(message).to.include({ id: messageId, text: "hello", client_key: handle.clientKey, room_id: room.id });
    await clients.of(ben).markSeen({ message: messageId });
    expect((await handle.seen).userId).to.equal(ben.id);
    expect(states).to.deep.equal(["sending", "accepted", "stored", "seen"]);
  });

  it("is told of by the feed while one runs, without a question", async () => {
    const mine = clients.of(ann);
    const live = Promise.withResolvers<void>();
    const onStatus = ({ state }: { state: string }): void => void (state === "live" && live.resolve());
    const reading = (async () => {
      for await (const _ of mine.events({ onStatus }));
    })();
    await live.promise;
    const asked: string[] = [];
    proxy.decide = ({ method, path }) => void asked.push(`${method} ${path}`);
    const handle = mine.send({ to: ben.id }, "over the feed");
    const { id } = await handle.stored;
    const seen = handle.seen;
    await call(world, "POST", "/v1/messages/seen", { as: ben.id, body: { message_ids: [id] } });
    expect((await seen).userId).to.equal(ben.id);
    expect(asked).to.deep.equal([`POST /v1/users/${ben.id}/messages`]);
    mine.close();
    await reading;
  });

  it("is refused with what is wrong, and can be tried again", async () => {
    const client = clients.of(eve);
    const handle = client.send({ room: room.id }, "let me in");
    const states = statesOf(handle);
    const problem = await problemOf(handle.stored);
    expect(problem).to.be.instanceOf(Problem).and.include({ code: "room_not_found", status: 404 });
    expect(handle.problem).to.equal(problem);
    await call(world, "PUT", `${toRoom(room)}/members/${eve.id}`, { as: ann.id });
    const { clientKey } = handle;
    handle.retry();
    expect((await handle.stored).client_key).to.equal(clientKey);
    expect(states).to.deep.equal(["sending", "failed", "sending", "accepted", "stored"]);
    await call(world, "DELETE", `${toRoom(room)}/members/${eve.id}`, { as: ann.id });
  });

  it("takes any key that the API takes, as it is", async () => {
    const client = clients.of(ann);
    for (const clientKey of [" with blanks ", "~", "k".repeat(255)]) {
      const stored = await client.send({ room: room.id }, "hello", { clientKey }).stored;
      expect(stored.client_key).to.equal(clientKey);
    }
    const problem = await problemOf(client.send({ room: room.id }, "hello", { clientKey: "ключ" }).accepted);
    expect(problem.code).to.equal("validation_failed");
    expect(problem.errors.map(({ field }) => field)).to.deep.equal(["client_key"]);
  });

  it("names each field that is wrong", async () => {
    const problem = await problemOf(clients.of(ann).send({ room: room.id }, "x".repeat(4_001)).accepted);
    expect(problem.code).to.equal("validation_failed");
    expect(problem.errors.map(({ field }) => field)).to.deep.equal(["text"]);
  });

  it("is stored once, whoever lost its answers, and also under the key of a client that was ended", async () => {
    const own = await buildRoom(world, [ann, ben]);
    let lost = 3;
    proxy.decide = ({ method }) => (method === "POST" && lost-- > 0 ? { what: "lost" } : undefined);
    const first = clients.of(ann).send({ room: own.id }, "once");
    const { id } = await first.stored;
    const again = clients.of(ann).send({ room: own.id }, "once", { clientKey: first.clientKey });
    expect((await again.stored).id).to.equal(id);
    expect(await textsIn(own.id)).to.deep.equal(["once"]);
  });

  it("waits as long as the server asks", async () => {
    let refusals = 1;
    proxy.decide = () =>
      refusals-- > 0
        ? { what: "problem", error: new AppError("rate_limited", "slower", { headers: { "Retry-After": "1" } }) }
        : undefined;
    const askedAt = performance.now();
    await clients.of(ann).send({ room: room.id }, "patient").stored;
    expect(performance.now() - askedAt).to.be.within(995, 3_000);
  });

  it("is not overtaken by the next one to the same room, and does not hold up another", async () => {
    const [one, two] = [await buildRoom(world, [ann]), await buildRoom(world, [ann])];
    let stuck = true;
    proxy.decide = ({ path }) => (stuck && path.startsWith(toRoom(one)) ? { what: "refused" } : undefined);
    const client = clients.of(ann);
    const [first, second] = ["first", "second"].map((text) => client.send({ room: one.id }, text));
    await client.send({ room: two.id }, "elsewhere").stored;
    expect([first!.state, second!.state]).to.deep.equal(["sending", "sending"]);
    stuck = false;
    await Promise.all([first!.stored, second!.stored]);
    expect(await textsIn(one.id)).to.deep.equal(["second", "first"]);
  });

  describe("that is cancelled", () => {
    it("while it waits for its turn is not sent, and the next one is", async () => {
      const own = await buildRoom(world, [ann]);
      proxy.decide = () => ({ what: "refused" });
      const client = clients.of(ann);
      const [first, second, third] = ["a", "b", "c"].map((text) => client.send({ room: own.id }, text));
      second!.cancel();
      expect((await problemOf(second!.stored)).code).to.equal("cancelled");
      proxy.decide = () => undefined;
      await Promise.all([first!.stored, third!.stored]);
      expect(await textsIn(own.id)).to.deep.equal(["c", "a"]);
    });

    it("while nobody answers is looked for, and taken back if it can be", async () => {
      const own = await buildRoom(world, [ann]);
      let isLost = true;
      proxy.decide = ({ method }) => (method === "POST" && isLost ? { what: "lost" } : undefined);
      const stopping = new AbortController();
      const handle = clients.of(ann).send({ room: own.id }, "too late", { signal: stopping.signal });
      await new Promise<void>((resolve) => {
        proxy.decide = ({ method }) => {
          if (method !== "POST") return undefined;
          isLost = false;
          resolve();
          return { what: "lost" };
        };
      });
      stopping.abort();
      // It is stored or it is taken back, and the handle says which.
      const outcome = await handle.stored.then(
        () => ["too late"],
        ({ code }) => (code === "cancelled" ? [] : [code]),
      );
      expect(await textsIn(own.id)).to.deep.equal(outcome);
    });

    it("while it is queued is never stored; tried again, it is another send", async () => {
      const idle = await buildWorld({ worker: false });
      try {
        const [me] = (await buildUsers(idle, 1)) as [Person];
        const own = await buildRoom(idle, [me]);
        const handle = clients.of(me, {}, { url: idle.url }).send({ room: own.id }, "wait");
        await handle.accepted;
        const { clientKey } = handle;
        handle.cancel();
        expect((await problemOf(handle.stored)).code).to.equal("cancelled");
        handle.retry();
        expect(handle.clientKey).to.not.equal(clientKey);
        await handle.accepted;
        await idle.startWorker();
        expect((await handle.stored).text).to.equal("wait");
        expect((await get(idle, `/v1/rooms/${own.id}/messages`, me.id)).body.messages).to.have.length(1);
      } finally {
        clients.closeAll();
        await idle.close();
      }
    });
  });

  it("ends with its client", async () => {
    proxy.decide = () => ({ what: "refused" });
    const client = clients.of(ann);
    const handle = client.send({ room: room.id }, "never");
    client.close();
    expect((await problemOf(handle.stored)).code).to.equal("cancelled");
  });
});
