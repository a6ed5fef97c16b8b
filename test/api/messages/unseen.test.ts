import { expect } from "chai";
import { buildRoom, buildUsers, call, get, type Person, post, say, toRoom, toUser } from "../../calls.ts";
import { until } from "../../until.ts";
import { buildWorld, type World } from "../../world.ts";

const texts = (body: { messages: { text: string }[] }): string[] => body.messages.map(({ text }) => text);

describe("the unseen endpoint", () => {
  let world: World;

  before(async () => {
    world = await buildWorld();
  });
  after(() => world.close());

  const pair = async () => (await buildUsers(world, 2)) as [Person, Person];
  const unseen = (user: Person, query = "") => get(world, `/v1/messages/unseen${query}`, user.id);

  it("gives a message that arrives between an answer and its ack with the next answer", async () => {
    const [ann, ben] = await pair();
    await say(world, ann, toUser(ben), "one");
    const first = await unseen(ben);
    await say(world, ann, toUser(ben), "two");
    const second = await unseen(ben, `?ack=${first.body.ack}`);
    expect(texts(second.body)).to.deep.equal(["two"]);
    expect(second.body.unseen_count).to.equal(1);
  });

  it("gives everything again to a client that lost the answer", async () => {
    const [ann, ben] = await pair();
    await say(world, ann, toUser(ben), "lost on the way");
    await unseen(ben);
    expect(texts((await unseen(ben)).body)).to.deep.equal(["lost on the way"]);
  });

  it("takes the same ack twice, and an old one after a newer, without harm", async () => {
    const [ann, ben] = await pair();
    await say(world, ann, toUser(ben), "one");
    const first = await unseen(ben);
    await say(world, ann, toUser(ben), "two");
    const second = await unseen(ben, `?ack=${first.body.ack}`);
    for (const ack of [second.body.ack, second.body.ack, first.body.ack]) {
      const answer = await unseen(ben, `?ack=${ack}`);
      expect(answer.status).to.equal(200);
      // The old ack alone covers the first message only; the second is shown again until its own mark is stored.
      expect(texts(answer.body)).to.not.include("one");
    }
  });

  it("carries an ack that is not stored yet in the next token, so that nothing is repeated while no worker runs", async () => {
    const lonely = await buildWorld({ worker: false });
    try {
      const stop = await lonely.startWorker();
      const [ann, ben] = (await buildUsers(lonely, 2)) as [Person, Person];
      const room = await buildRoom(lonely, [ann, ben]);
      await say(lonely, ann, toUser(ben), "direct");
      await say(lonely, ann, toRoom(room), "group");
      await stop();
      const first = await get(lonely, "/v1/messages/unseen?limit=1", ben.id);
      const second = await get(lonely, `/v1/messages/unseen?limit=1&ack=${first.body.ack}`, ben.id);
      const third = await get(lonely, `/v1/messages/unseen?limit=1&ack=${second.body.ack}`, ben.id);
      const fourth = await get(lonely, `/v1/messages/unseen?limit=1&ack=${third.body.ack}`, ben.id);
      expect([first, second, third, fourth].map(({ body }) => texts(body))).to.deep.equal([
        ["direct"],
        ["group"],
        [],
        [],
      ]);
      expect(fourth.body.unseen_count).to.equal(0);
    } finally {
      await lonely.close();
    }
  });

  it("survives eight parallel polls of one user, all of them with the same answer", async () => {
    const [ann, ben] = await pair();
    for (const text of ["one", "two"]) await say(world, ann, toUser(ben), text);
    const answers = await Promise.all(Array.from({ length: 8 }, () => unseen(ben, "?wait=5")));
    for (const { status, body } of answers) {
      expect(status).to.equal(200);
      expect(texts(body)).to.deep.equal(["one", "two"]);
    }
    const marking = await Promise.all(Array.from({ length: 8 }, () => unseen(ben, "?mark_seen=true")));
    expect(new Set(marking.map(({ status }) => status))).to.deep.equal(new Set([200]));
    expect((await unseen(ben)).body.unseen_count).to.equal(0);
  });

  it("wakes every parked poll of a user, on two devices, and leaves each to ack for itself", async () => {
    const [ann, ben] = await pair();
    const phone = unseen(ben, "?wait=20");
    const laptop = unseen(ben, "?wait=20");
    await say(world, ann, toUser(ben), "to both");
    const [onPhone, onLaptop] = await Promise.all([phone, laptop]);
    expect(texts(onPhone.body)).to.deep.equal(["to both"]);
    expect(texts(onLaptop.body)).to.deep.equal(["to both"]);
    await say(world, ann, toUser(ben), "more");
    expect(texts((await unseen(ben, `?ack=${onPhone.body.ack}`)).body)).to.deep.equal(["more"]);
    expect(texts((await unseen(ben, `?ack=${onLaptop.body.ack}`)).body)).to.deep.equal(["more"]);
  });

  it("answers empty when the time is up, with a token that can be sent back", async () => {
    const [ann] = await pair();
    const startedAt = performance.now();
    const answer = await unseen(ann, "?wait=1");
    expect(performance.now() - startedAt).to.be.within(950, 5_000);
    expect(answer.body).to.deep.equal({
      messages: [],
      unseen_count: 0,
      ack: `2.${world.deps.tail.epoch}`,
      more: false,
    });
    expect((await unseen(ann, `?ack=${answer.body.ack}`)).status).to.equal(200);
  });

  it("pages by limit: each ack goes on where the page ended, in the order of storing, over all rooms", async () => {
    const [ann, ben] = await pair();
    const rooms = [await buildRoom(world, [ann, ben]), await buildRoom(world, [ann, ben])];
    const said: string[] = [];
    for (let i = 0; i < 12; i++) {
      said.push(`m${i}`);
      await say(world, ann, toRoom(rooms[i % 2]!), `m${i}`);
    }
    const seen: string[] = [];
    let ack = "";
    for (let more = true; more; ) {
      const { body } = await unseen(ben, `?limit=5&ack=${ack}`);
      expect(body.unseen_count).to.equal(12 - seen.length);
      seen.push(...texts(body));
      ({ ack, more } = body);
    }
    expect(seen).to.deep.equal(said);
  });

  it("tells one room alone if asked to, and waits for that room alone", async () => {
    const [ann, ben] = await pair();
    const [here, there] = [await buildRoom(world, [ann, ben]), await buildRoom(world, [ann, ben])];
    const poll = unseen(ben, `?room_id=${here.id}&wait=20`);
    await say(world, ann, toRoom(there), "there");
    await say(world, ann, toRoom(here), "here");
    expect(texts((await poll).body)).to.deep.equal(["here"]);
    expect(texts((await unseen(ben)).body)).to.deep.equal(["there", "here"]);
  });

  it("wakes a poll for a room that was joined, or made, while it was parked", async () => {
    const [ann, ben] = await pair();
    const room = await buildRoom(world, [ann], { is_public: true });
    const joined = unseen(ben, "?wait=20");
    await call(world, "PUT", `${toRoom(room)}/members/${ben.id}`, { as: ben.id });
    await say(world, ann, toRoom(room), "welcome");
    expect(texts((await joined).body)).to.deep.equal(["welcome"]);
    const [cat] = await pair();
    const first = unseen(cat, "?wait=20");
    await say(world, ann, toUser(cat), "nice to meet you");
    expect(texts((await first).body)).to.deep.equal(["nice to meet you"]);
  });

  it("stops at once for who is removed while a poll is parked", async () => {
    const [ann, ben] = await pair();
    const room = await buildRoom(world, [ann, ben]);
    const poll = unseen(ben, "?wait=20");
    await call(world, "DELETE", `${toRoom(room)}/members/${ben.id}`, { as: ann.id });
    await say(world, ann, toRoom(room), "about ben");
    await say(world, ann, toUser(ben), "sorry");
    expect(texts((await poll).body)).to.deep.equal(["sorry"]);
  });

  it("asks the database once to park, and not at all to wake", async () => {
    const [ann, ben] = await pair();
    await say(world, ann, toUser(ben), "so that the room is there");
    await unseen(ben, "?mark_seen=true");
    await say(world, ben, toUser(ann), "and ann's people are known");
    const { statements } = world;
    statements.length = 0;
    // What telling others that somebody is there costs is not the poll's.
    const poll = unseen(ben, "?wait=20&presence=off");
    await parked(world, 1);
    expect(statements).to.have.length(1);
    await post(world, `${toUser(ben)}/messages`, { text: "wake up" }, ann.id);
    expect(texts((await poll).body)).to.deep.equal(["wake up"]);
    expect(statements).to.have.length(1);
  });

  it("lets go of a poll whose client has gone", async () => {
    const [ann] = await pair();
    const controller = new AbortController();
    const poll = call(world, "GET", "/v1/messages/unseen?wait=50", { as: ann.id, signal: controller.signal });
    poll.catch(() => undefined);
    await parked(world, 1);
    controller.abort();
    await parked(world, 0);
  });

  it("gives every message exactly once to a reader that follows its acks through a storm", async () => {
    const [ann, ben] = await pair();
    const others = await buildUsers(world, 3);
    const room = await buildRoom(world, [ann, ben, ...others]);
    const sends = Array.from({ length: 200 }, (_, i) =>
      post(world, `${toRoom(room)}/messages`, { text: `s${i}` }, [ann, ...others][i % 4]!.id),
    );
    const seen: string[] = [];
    let ack = "";
    while (seen.length < 200) {
      const { body } = await unseen(ben, `?wait=10&limit=30&ack=${ack}`);
      seen.push(...texts(body));
      ack = body.ack;
    }
    await Promise.all(sends);
    expect(new Set(seen).size).to.equal(200);
    expect(seen).to.have.length(200);
    const last = await unseen(ben, `?ack=${ack}`);
    expect(last.body.unseen_count).to.equal(0);
  });
});

/** Waits until so many reads are parked on the API of this world. */
async function parked({ deps }: World, count: number): Promise<void> {
  await until(() => deps.hub.parked === count);
}
