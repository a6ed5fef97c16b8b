import { expect } from "chai";
import fc from "fast-check";
import { rows } from "../../../src/shared/db/database.ts";
import { buildRoom, buildUsers, call, get, type Person, post, say, toRoom, toUser } from "../../calls.ts";
import { until } from "../../until.ts";
import { buildWorld, type World } from "../../world.ts";

interface Explained {
  readonly room_id: number;
  readonly unseen_count: number;
  readonly read_seq: number;
  readonly last_seq: number;
  readonly message_ids: string[];
}

interface Said {
  readonly id: string;
  readonly seq: number;
  readonly room_id: number;
  readonly sender: Person;
  readonly deleted_at: string | null;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

describe("the number of unseen messages", () => {
  let world: World;

  before(async () => {
    world = await buildWorld();
  });
  after(() => world?.close());

  const unseen = async (user: Person, query = "") =>
    (await get(world, `/v1/messages/unseen?explain=true${query}`, user.id)).body;

  it("is explained by room and message, the ack of the same poll counted in", async () => {
    const [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
    const room = await buildRoom(world, [ann, ben]);
    expect((await unseen(ben)).explain).to.deep.equal({ rooms: [] });
    const one = await say(world, ann, toRoom(room), "one");
    await say(world, ben, toRoom(room), "of one's own");
    const three = await say(world, ann, toRoom(room), "three");
    const direct = await say(world, ann, toUser(ben), "direct");
    const first = await unseen(ben, "&limit=1");
    const ofRoom = { room_id: room.id, unseen_count: 2, read_seq: 0, last_seq: 3, message_ids: [one.id, three.id] };
    const ofDirect = { room_id: direct.room_id, unseen_count: 1, read_seq: 0, last_seq: 1, message_ids: [direct.id] };
    expect(first.unseen_count).to.equal(3);
    expect(first.explain.rooms).to.deep.equal([ofRoom, ofDirect]);
    const second = await unseen(ben, `&ack=${first.ack}`);
    expect(second.explain.rooms[0]).to.deep.equal({ ...ofRoom, unseen_count: 1, read_seq: 1, message_ids: [three.id] });
    expect((await unseen(ben, `&room_id=${room.id}`)).explain.rooms.map((r: Explained) => r.room_id)).to.deep.equal([
      room.id,
    ]);
    expect((await get(world, "/v1/messages/unseen", ben.id)).body).to.not.have.property("explain");
  });

  it("is explained as well when the answer was waited for, and when nothing came", async () => {
    const [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
    expect((await unseen(ben, "&wait=1")).explain).to.deep.equal({ rooms: [] });
    const poll = unseen(ben, "&wait=20");
    await until(() => world.deps.hub.parked > 0);
    const { id, room_id } = await say(world, ann, toUser(ben), "wake up");
    const { explain, messages } = await poll;
    expect(messages.map((message: Said) => message.id)).to.deep.equal([id]);
    expect(explain.rooms).to.deep.equal([{ room_id, unseen_count: 1, read_seq: 0, last_seq: 1, message_ids: [id] }]);
  });

  it("names the oldest hundred of a room", async () => {
    const [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
    const room = await buildRoom(world, [ann, ben]);
    await Promise.all(Array.from({ length: 103 }, (_, i) => say(world, ann, toRoom(room), `m${i}`)));
    const { explain, messages } = await unseen(ben, "&limit=1000");
    expect(explain.rooms[0].unseen_count).to.equal(103);
    expect(explain.rooms[0].message_ids).to.deep.equal(messages.slice(0, 100).map((message: Said) => message.id));
  });

  it("moves past a hundred of one's own, so that they are not counted at every poll", async () => {
    const [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
    const room = await buildRoom(world, [ann, ben]);
    await say(world, ben, toRoom(room), "before");
    const speak = () => Promise.all(Array.from({ length: 100 }, (_, i) => say(world, ann, toRoom(room), `m${i}`)));
    const readSeq = async () => (await get(world, toRoom(room), ann.id)).body.read_seq;
    await speak();
    expect((await unseen(ann)).unseen_count, "there is one of another's before them").to.equal(1);
    const { ack } = await unseen(ann);
    expect((await unseen(ann, `&ack=${ack}&mark_seen=true`)).unseen_count).to.equal(0);
    while ((await readSeq()) !== 101);
    const parked = get(world, "/v1/messages/unseen?wait=20", ann.id);
    const { id } = await say(world, ben, toRoom(room), "after");
    expect((await parked).body.messages.map((message: Said) => message.id)).to.deep.equal([id]);
    expect((await unseen(ann)).explain.rooms[0].message_ids).to.deep.equal([id]);
  });

  it("is the same however it is asked for, whatever was said, read, joined, left and deleted", async function () {
    this.timeout(60_000);
    const who = fc.nat({ max: 2 });
    const where = fc.nat({ max: 2 });
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ kind: fc.constant("say" as const), who, where }) },
      {
        weight: 3,
        arbitrary: fc.record({ kind: fc.constant("read" as const), who, where, upTo: fc.nat({ max: 12 }) }),
      },
      {
        weight: 2,
        arbitrary: fc.record({ kind: fc.constant("ack" as const), who, where, limit: fc.integer({ min: 1, max: 5 }) }),
      },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant("join" as const), who, where }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant("leave" as const), who, where }) },
      {
        weight: 1,
        arbitrary: fc.record({ kind: fc.constant("unsay" as const), who, where, seq: fc.integer({ min: 1, max: 12 }) }),
      },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("delete" as const), who, where }) },
    );
    type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

    const scene = async () => {
      const people = (await buildUsers(world, 3)) as [Person, Person, Person];
      // The third place is the direct room of whoever speaks with the next of the three.
      const rooms = await Promise.all(
        [people, people.slice(0, 2)].map((of) => buildRoom(world, of, { is_public: true })),
      );
      return { people, rooms };
    };
    const done = async (answer: Promise<{ status: number; body: { task_id?: string } }>, by: Person): Promise<void> => {
      const { body } = await answer;
      if (body.task_id) await get(world, `/v1/tasks/${body.task_id}?wait=10`, by.id);
    };
    const take = async (one: Step, { people, rooms }: Awaited<ReturnType<typeof scene>>): Promise<void> => {
      const by = people[one.who]!;
      const room = rooms[one.where];
      const path = room ? toRoom(room) : toUser(people[(one.who + 1) % 3]!);
      const member = room && `${toRoom(room)}/members/${by.id}`;
      if (one.kind === "say") await done(post(world, `${path}/messages`, { text: "hello" }, by.id), by);
      if (one.kind === "read" && room)
        await done(post(world, "/v1/messages/seen", { room_id: room.id, up_to: one.upTo }, by.id), by);
      if (one.kind === "ack") {
        const { ack } = await unseen(by, `&limit=${one.limit}`);
        await unseen(by, `&ack=${ack}&mark_seen=true&limit=1`);
      }
      if (one.kind === "join" && member) await call(world, "PUT", member, { as: by.id });
      if (one.kind === "leave" && member) await call(world, "DELETE", member, { as: by.id });
      if (one.kind === "delete" && room) await call(world, "DELETE", toRoom(room), { as: by.id });
      if (one.kind === "unsay" && room)
        await rows(world.deps.em, "update messages set deleted_at = now() where room_id = $1 and seq = $2", [
          room.id,
          one.seq,
        ]);
    };
    const paged = async (user: Person): Promise<string[]> => {
      const ids: string[] = [];
      for (let ack = "", more = true; more; ) {
        const { body } = await get(world, `/v1/messages/unseen?limit=2&ack=${ack}`, user.id);
        ids.push(...body.messages.map((message: Said) => message.id));
        ({ ack, more } = body);
      }
      return ids;
    };
    /** From the histories alone. */
    const expected = async (rooms: { id: number; read_seq: number }[], user: Person): Promise<string[]> => {
      const histories = rooms.map(({ id }) => get(world, `/v1/rooms/${id}/messages?limit=1000`, user.id));
      const messages: Said[] = (await Promise.all(histories)).flatMap(({ body }) => body.messages);
      const readSeq = new Map(rooms.map((room) => [room.id, room.read_seq]));
      return messages
        .filter((message) => message.seq > readSeq.get(message.room_id)!)
        .filter((message) => message.sender.id !== user.id && message.deleted_at === null)
        .map(({ id }) => id);
    };

    const property = fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), async (steps) => {
      const { people, rooms } = await scene();
      for (const one of steps) await take(one, { people, rooms });
      // An ack is stored by a job of its own.
      while ((await world.deps.backend.queues[0]!.getJobCountByTypes("wait", "active", "delayed")) > 0);
      for (const user of people) {
        const { unseen_count, explain } = await unseen(user);
        const mine = (await get(world, "/v1/rooms", user.id)).body.rooms as (Explained & { id: number })[];
        const named = explain.rooms.flatMap((room: Explained) => room.message_ids);
        expect(named).to.have.members(await expected(mine, user));
        expect(sum(explain.rooms.map((room: Explained) => room.unseen_count))).to.equal(unseen_count);
        expect(sum(mine.map((room) => room.unseen_count))).to.equal(unseen_count);
        for (const room of explain.rooms as Explained[]) {
          const { unseen_count, read_seq, last_seq } = mine.find(({ id }) => id === room.room_id)!;
          expect({ unseen_count, read_seq, last_seq }).to.deep.equal({
            unseen_count: room.unseen_count,
            read_seq: room.read_seq,
            last_seq: room.last_seq,
          });
        }
        expect(await paged(user)).to.have.members(named);
      }
    });
    await fc.assert(property, { numRuns: 25, interruptAfterTimeLimit: 40_000, markInterruptAsFailure: false });
  });

  it("of those who have seen a message is the same on a page, among the unseen and alone", async () => {
    const [ann, ben, cat, dan] = (await buildUsers(world, 4)) as [Person, Person, Person, Person];
    const room = await buildRoom(world, [ann, ben, cat], { is_public: true });
    const seen = async (user: Person, upTo: number) => {
      const { body } = await post(world, "/v1/messages/seen", { room_id: room.id, up_to: upTo }, user.id);
      await get(world, `/v1/tasks/${body.task_id}?wait=10`, user.id);
    };
    for (const [by, text] of [
      [ann, "1"],
      [ben, "2"],
    ] as const)
      await say(world, by, toRoom(room), text);
    await seen(ben, 1);
    await seen(ann, 2);
    await call(world, "PUT", `${toRoom(room)}/members/${dan.id}`, { as: dan.id });
    await say(world, cat, toRoom(room), "3");
    await say(world, ann, toRoom(room), "4");
    await seen(dan, 3);
    await seen(cat, 4);
    type Counted = Said & { seen_by_count: number };
    const page: Counted[] = (await get(world, `${toRoom(room)}/messages`, ann.id)).body.messages;
    // The fourth is seen by cat; the third by dan; the second by ann and cat; the first by ben and cat.
    expect(page.map((message) => message.seen_by_count)).to.deep.equal([1, 1, 2, 2]);
    const unseenByBen: Counted[] = (await unseen(ben)).messages;
    expect(unseenByBen.map((message) => message.seen_by_count)).to.deep.equal([1, 1]);
    for (const { id, seen_by_count } of page) {
      expect((await get(world, `/v1/messages/${id}`, ann.id)).body.seen_by_count).to.equal(seen_by_count);
    }
  });
});
