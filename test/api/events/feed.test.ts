import { stream } from "@durable-streams/client";
import { expect } from "chai";
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
import { until } from "../../until.ts";
import { buildWorld, type World } from "../../world.ts";

interface Entry {
  offset: string;
  type: string;
  room_id: number | null;
  actor_id: number | null;
  data: Record<string, unknown>;
}

const types = (entries: Entry[]): string[] => entries.map(({ type }) => type);
const texts = (entries: Entry[]): unknown[] =>
  entries.filter(({ type }) => type === "message.created").map(({ data }) => data["text"]);

describe("the event feed", () => {
  let world: World;
  let ann: Person;
  let ben: Person;

  before(async () => {
    world = await buildWorld();
  });
  beforeEach(async () => {
    [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
  });
  after(() => world.close());

  const feed = (user: Person, query = "") => get(world, `/v1/events${query}`, user.id);
  const nextOf = ({ headers }: { headers: Headers }): string => headers.get("stream-next-offset")!;

  it("tells everything that a member can see, in order, from the beginning", async () => {
    const room = await buildRoom(world, [ann, ben]);
    const said = await say(world, ann, toRoom(room), "hello");
    const marked = await post(world, "/v1/messages/seen", { message_ids: [said.id] }, ben.id);
    await get(world, `/v1/tasks/${marked.body.task_id}?wait=20`, ben.id);
    await call(world, "PATCH", toRoom(room), { as: ann.id, body: { is_public: true } });
    const { status, headers, body } = await feed(ben);
    expect(status).to.equal(200);
    expect(types(body)).to.deep.equal(["room.created", "message.created", "messages.seen", "room.updated"]);
    expect(body[1].data).to.include({ id: said.id, text: "hello", seq: 1, seen_by_count: 0 });
    expect(body[2].data).to.deep.equal({ user_id: ben.id, up_to_seq: 1 });
    expect(body.map(({ offset }: Entry) => offset)).to.deep.equal(body.map(({ offset }: Entry) => offset).sort());
    expect(headers.get("stream-up-to-date")).to.equal("true");
    expect(nextOf({ headers }) >= body.at(-1).offset).to.equal(true);
    expect((await feed(ben, `?offset=${nextOf({ headers })}`)).body).to.deep.equal([]);
  });

  it("goes on from a snapshot without gap or overlap", async () => {
    const room = await buildRoom(world, [ann, ben]);
    await say(world, ann, toRoom(room), "before");
    const snapshot = await get(world, "/v1/rooms", ben.id);
    const history = await get(world, `${toRoom(room)}/messages`, ben.id);
    await say(world, ann, toRoom(room), "after");
    for (const answer of [snapshot, history]) {
      expect(texts((await feed(ben, `?offset=${nextOf(answer)}`)).body)).to.deep.equal(["after"]);
    }
  });

  it("a long poll waits for what comes, answers it once, and 204 when nothing does", async () => {
    const room = await buildRoom(world, [ann, ben]);
    const now = await feed(ben, "?offset=now");
    expect(now.body).to.deep.equal([]);
    const poll = feed(ben, `?offset=${nextOf(now)}&live=long-poll&timeout=20`);
    await say(world, ann, toRoom(room), "live");
    const answer = await poll;
    expect(texts(answer.body)).to.deep.equal(["live"]);
    expect(answer.headers.get("stream-cursor")).to.match(/^\d+$/);
    const empty = await feed(
      ben,
      `?offset=${nextOf(answer)}&live=long-poll&timeout=1&cursor=${answer.headers.get("stream-cursor")}`,
    );
    expect(empty.status).to.equal(204);
    expect(nextOf(empty)).to.equal(nextOf(answer));
    expect(empty.headers.get("stream-up-to-date")).to.equal("true");
    expect(Number(empty.headers.get("stream-cursor"))).to.be.above(Number(answer.headers.get("stream-cursor")));
  });

  it("pages by 500, and says when the end is reached", async () => {
    const room = await buildRoom(world, [ann, ben]);
    const sends = await Promise.all(
      Array.from({ length: 520 }, (_, i) => post(world, `${toRoom(room)}/messages`, { text: `m${i}` }, ann.id)),
    );
    await Promise.all(sends.map(({ body }) => get(world, `/v1/tasks/${body.task_id}?wait=20`, ann.id)));
    const first = await feed(ben);
    expect(first.body).to.have.length(500);
    expect(first.headers.has("stream-up-to-date")).to.equal(false);
    const second = await feed(ben, `?offset=${nextOf(first)}`);
    expect(second.body).to.have.length(21);
    expect(second.headers.get("stream-up-to-date")).to.equal("true");
    expect(new Set([...texts(first.body), ...texts(second.body)]).size).to.equal(520);
  });

  it("who joins gets the room from then on, and who is removed nothing after their own leaving", async () => {
    const room = await buildRoom(world, [ann]);
    await say(world, ann, toRoom(room), "before ben");
    const { headers } = await feed(ben, "?offset=now");
    await call(world, "PUT", `${toRoom(room)}/members/${ben.id}`, { as: ann.id });
    await say(world, ann, toRoom(room), "with ben");
    await call(world, "DELETE", `${toRoom(room)}/members/${ben.id}`, { as: ann.id });
    await say(world, ann, toRoom(room), "after ben");
    const { body } = await feed(ben, `?offset=${nextOf({ headers })}`);
    expect(types(body)).to.deep.equal(["member.joined", "message.created", "member.left"]);
    expect(texts(body)).to.deep.equal(["with ben"]);
    expectProblem(await get(world, `${toRoom(room)}/events`, ben.id), 404, "room_not_found");
  });

  it("tells one room alone at the room's own path", async () => {
    const [here, there] = [await buildRoom(world, [ann, ben]), await buildRoom(world, [ann, ben])];
    await say(world, ann, toRoom(there), "there");
    const poll = get(world, `${toRoom(here)}/events?offset=now&live=long-poll`, ben.id);
    await until(() => world.deps.hub.parked > 0);
    await say(world, ann, toRoom(there), "there again");
    await say(world, ann, toRoom(here), "here");
    expect(texts((await poll).body)).to.deep.equal(["here"]);
    expect(texts((await get(world, `${toRoom(there)}/events`, ben.id)).body)).to.deep.equal(["there", "there again"]);
  });

  it("shows a sender their key, and nobody else", async () => {
    await post(world, `${toUser(ben)}/messages`, { text: "keyed", client_key: "k-1" }, ann.id);
    const keyOf = async (user: Person) => {
      let { body } = await feed(user);
      while (texts(body).length === 0) ({ body } = await feed(user));
      return body.find(({ type }: Entry) => type === "message.created").data.client_key;
    };
    expect(await keyOf(ann)).to.equal("k-1");
    expect(await keyOf(ben)).to.equal(undefined);
  });

  it("tells a failed task to its sender alone", async () => {
    const room = await buildRoom(world, [ann, ben]);
    const id = world.deps.newId();
    const data = {
      senderId: ann.id,
      roomId: 888_888,
      text: "x",
      clientKey: null,
      acceptedAt: new Date().toISOString(),
    };
    await world.deps.backend.queues[0]!.add("message.send", data, { jobId: id });
    await get(world, `/v1/tasks/${id}?wait=20`, ann.id);
    const failed = (await feed(ann)).body.filter(({ type }: Entry) => type === "task.failed");
    expect(failed.map((entry: Entry) => entry.data["task_id"])).to.deep.equal([id]);
    expect(types((await feed(ben)).body)).to.not.include("task.failed");
    expect(room.id).to.be.above(0);
  });

  it("HEAD tells where the log ends, without waiting", async () => {
    const answer = await call(world, "HEAD", "/v1/events?live=long-poll&offset=now", { as: ann.id });
    expect(answer.status).to.equal(200);
    expect(nextOf(answer)).to.match(/^[0-9a-z]+_\d{16}$/);
  });

  it("refuses offsets that are none, of another log, ahead of it, and below what is kept", async () => {
    await buildRoom(world, [ann]);
    const next = nextOf(await feed(ann));
    const [epoch] = next.split("_");
    for (const bad of ["x", "12", `${epoch}_1`, `${epoch}_-000000000000001`, "-2", `${next}0`]) {
      expectProblem(await feed(ann, `?offset=${encodeURIComponent(bad)}`), 400, "validation_failed", "offset");
    }
    expectProblem(await feed(ann, "?offset=0000000_0000000000000001"), 410, "offset_gone");
    expectProblem(await feed(ann, `?offset=${epoch}_0000009999999999`), 410, "offset_gone");
    for (const query of ["live=push", "timeout=-1", "timeout=0", "timeout=56", "timeout=x"]) {
      expectProblem(await feed(ann, `?${query}`), 400, "validation_failed", query.split("=")[0]!);
    }
  });

  it("asks the database once to park a long poll, and not at all to wake it", async () => {
    const room = await buildRoom(world, [ann, ben]);
    await say(world, ann, toRoom(room), "known by now");
    // Of its own, where nobody was before: those who leave are told of half a minute later.
    const api = await world.startApi();
    const { headers } = await get(api, "/v1/events?offset=now", ben.id);
    api.statements.length = 0;
    const poll = get(api, `/v1/events?offset=${nextOf({ headers })}&live=long-poll&presence=off`, ben.id);
    await until(() => api.deps.hub.parked > 0);
    expect(api.statements).to.have.length(1);
    await post(world, `${toRoom(room)}/messages`, { text: "wake" }, ann.id);
    expect(texts((await poll).body)).to.deep.equal(["wake"]);
    expect(api.statements).to.have.length(1);
  });

  it("completes the older of two polls of one device, and the oldest of more than 32", async () => {
    const older = feed(ann, "?offset=now&live=long-poll&device=phone");
    await until(() => world.deps.hub.parked === 1);
    const newer = feed(ann, "?offset=now&live=long-poll&timeout=1&device=phone");
    expect((await older).status).to.equal(204);
    expect((await newer).status).to.equal(204);
    const oldest = feed(ann, "?offset=now&live=long-poll");
    await until(() => world.deps.hub.parked === 1);
    const others = Array.from({ length: 32 }, () => feed(ann, "?offset=now&live=long-poll&timeout=1"));
    expect((await oldest).status).to.equal(204);
    await Promise.all(others);
  });

  for (const live of [false, "long-poll", "sse"] as const) {
    for (const where of ["the user's feed", "a room's feed"] as const) {
      it(`is tailed by a ready-made Durable Streams client (${live || "catch-up"}, ${where})`, async () => {
        const room = await buildRoom(world, [ann, ben]);
        for (const text of ["one", "two"]) await say(world, ann, toRoom(room), text);
        const url = `${world.url}${where === "a room's feed" ? `${toRoom(room)}/events` : "/v1/events"}`;
        const answer = await stream<Entry>({ url, live, offset: "-1", headers: { "x-user-id": String(ben.id) } });
        const got: Entry[] = [];
        if (live === false) got.push(...(await answer.json()));
        else {
          const { promise, resolve } = Promise.withResolvers<void>();
          let isSaid = false;
          const stop = answer.subscribeJson(async ({ items }) => {
            got.push(...items);
            const isTime = texts(got).length === 2 && !isSaid;
            // A batch may be empty: that is not the time to say it once more.
            isSaid ||= isTime;
            if (isTime) await post(world, `${toRoom(room)}/messages`, { text: "three" }, ann.id);
            if (texts(got).includes("three")) resolve();
          });
          await promise;
          stop();
          answer.cancel();
        }
        expect(texts(got)).to.deep.equal(live === false ? ["one", "two"] : ["one", "two", "three"]);
      });
    }
  }
});
