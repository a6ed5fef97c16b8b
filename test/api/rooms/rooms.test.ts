import { randomBytes } from "node:crypto";
import { expect } from "chai";
import { rows } from "../../../src/shared/db/database.ts";
import {
  type Answer,
  buildRoom,
  buildUser,
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
import { buildWorld, type World } from "../../world.ts";

const word = (): string => randomBytes(5).toString("hex");

interface Room {
  readonly id: number;
  readonly name: string;
}

describe("rooms", () => {
  let world: World;
  let ann: Person;
  let ben: Person;
  let cat: Person;
  let stranger: Person;

  before(async () => {
    world = await buildWorld();
    // One after the other, so that their ids are in this order.
    ann = await buildUser(world);
    ben = await buildUser(world);
    cat = await buildUser(world);
    stranger = await buildUser(world);
  });
  after(() => world.close());

  const create = (body: object, as = ann) => post(world, "/v1/rooms", { name: `room-${word()}`, ...body }, as.id);
  const patch = (room: Room, body: object, as: Person) => call(world, "PATCH", toRoom(room), { as: as.id, body });
  const remove = (room: Room, as: Person) => call(world, "DELETE", toRoom(room), { as: as.id });
  const put = (room: Room, user: Person, as: Person) =>
    call(world, "PUT", `${toRoom(room)}/members/${user.id}`, { as: as.id });
  const putOut = (room: Room, user: Person, as: Person) =>
    call(world, "DELETE", `${toRoom(room)}/members/${user.id}`, { as: as.id });

  const rolesIn = async (room: Room, as: Person): Promise<[number, string][]> =>
    (await get(world, toRoom(room), as.id)).body.members.map((m: { id: number; role: string }) => [m.id, m.role]);
  const idsIn = ({ body }: Answer): number[] => body.rooms.map(({ id }: Room) => id);
  const namesTaken = async (name: string): Promise<number> =>
    (await rows(world.deps.em, "select id from rooms where name = $1", [name])).length;

  async function statementsOf(work: () => Promise<unknown>): Promise<number> {
    const before = world.statements.length;
    await work();
    return world.statements.length - before;
  }

  describe("creating a group", () => {
    it("makes its creator the owner and the others members", async () => {
      const name = `team ${word()}`;
      const { status, headers, body } = await create({
        name: ` ${name} `,
        member_ids: [cat.id, ben.id, ann.id, ben.id],
      });
      expect(status).to.equal(201);
      expect(headers.get("location")).to.equal(toRoom(body));
      expect(body).to.deep.include({
        kind: "group",
        name,
        is_public: false,
        last_message: null,
        unseen_count: 0,
        read_seq: 0,
        last_seq: 0,
      });
      expect(body.members).to.deep.equal([
        { id: ann.id, username: ann.username, role: "owner", read_seq: 0, joined_at: body.members[0].joined_at },
        { id: ben.id, username: ben.username, role: "member", read_seq: 0, joined_at: body.members[0].joined_at },
        { id: cat.id, username: cat.username, role: "member", read_seq: 0, joined_at: body.members[0].joined_at },
      ]);
      expect((await get(world, toRoom(body), ben.id)).body).to.deep.equal(body);
    });

    it("takes members by name, in whatever case, and none at all", async () => {
      const byName = await create({ member_usernames: [ben.username.toUpperCase(), cat.username], is_public: true });
      expect(byName.body.is_public).to.equal(true);
      expect(byName.body.members.map(({ id }: Person) => id)).to.deep.equal([ann.id, ben.id, cat.id]);
      expect((await create({})).body.members.map(({ id }: Person) => id)).to.deep.equal([ann.id]);
    });

    it("names every member that does not exist, and leaves no room", async () => {
      const gone = await buildUser(world);
      await call(world, "DELETE", toUser(gone), { as: gone.id });
      const name = `half ${word()}`;
      const answer = await create({
        name,
        member_ids: [ben.id, 999_999, gone.id],
        member_usernames: ["nobody", cat.username, gone.username],
      });
      expectProblem(answer, 404, "user_not_found");
      expect(answer.body.errors.map(({ path }: { path: string }) => path)).to.deep.equal([
        "member_ids.1",
        "member_ids.2",
        "member_usernames.0",
        "member_usernames.2",
      ]);
      expect(await namesTaken(name)).to.equal(0);
      expect((await create({ name })).status).to.equal(201);
    });

    it("names every field that is wrong", async () => {
      const bad = { name: " ", is_public: "yes", member_ids: ["1"], member_usernames: "ben", owner: 1 };
      const paths = ["name", "is_public", "member_ids.0", "member_usernames", "owner"];
      expectProblem(await create(bad), 400, "validation_failed", ...paths);
      for (const name of ["", "a".repeat(101), "no\u0000", 5, null]) {
        expectProblem(await create({ name }), 400, "validation_failed", "name");
      }
      expectProblem(await post(world, "/v1/rooms", {}, ann.id), 400, "validation_failed", "name");
      expectProblem(await post(world, "/v1/rooms", { name: "mine" }), 401, "not_signed_in");
    });

    it("gives a name that ten ask for at once to one of them", async () => {
      const name = `wanted ${word()}`;
      const answers = await Promise.all(Array.from({ length: 10 }, () => create({ name })));
      expect(answers.map(({ status }) => status).toSorted()).to.deep.equal([201, ...Array(9).fill(409)]);
      expectProblem(await create({ name }, ben), 409, "room_name_taken", "name");
      expect(await namesTaken(name)).to.equal(1);
    });
  });

  describe("the list of mine", () => {
    it("holds what a screen of rooms shows, the newest message first", async () => {
      const [me, friend] = (await buildUsers(world, 2)) as [Person, Person];
      const quiet = await buildRoom(world, [me]);
      const busy = await buildRoom(world, [friend, me]);
      const direct = await say(world, friend, toUser(me), "direct");
      await say(world, friend, toRoom(busy), "one");
      await say(world, me, toRoom(busy), "two");
      const three = await say(world, friend, toRoom(busy), "three");

      const { status, headers, body } = await get(world, "/v1/rooms", me.id);
      expect(status).to.equal(200);
      expect(idsIn({ status, headers, body })).to.deep.equal([busy.id, direct.room_id, quiet.id]);
      expect(body.next).to.equal(null);
      expect(headers.get("link")).to.equal(null);
      expect(headers.get("stream-next-offset")).to.match(/^[0-9a-z]+_\d{16}$/);
      const members = [friend, me].toSorted((a, b) => a.id - b.id).map(({ id, username }) => ({ id, username }));
      const [first, second, third] = body.rooms;
      expect(first).to.deep.equal({
        id: busy.id,
        kind: "group",
        name: busy.name,
        is_public: false,
        created_at: first.created_at,
        last_message: (await get(world, `/v1/messages/${three.id}`, me.id)).body,
        unseen_count: 2,
        read_seq: 0,
        last_seq: 3,
        members,
      });
      expect(second).to.deep.include({ kind: "direct", name: null, unseen_count: 1, last_seq: 1, members });
      expect(second.last_message.text).to.equal("direct");
      expect(third).to.deep.include({ last_message: null, unseen_count: 0, last_seq: 0 });
      expect(third.members).to.deep.equal([{ id: me.id, username: me.username }]);
    });

    it("moves a room up with its next message, and a new room to the top", async () => {
      const [me, friend] = (await buildUsers(world, 2)) as [Person, Person];
      const first = await buildRoom(world, [me, friend]);
      const second = await buildRoom(world, [me]);
      expect(idsIn(await get(world, "/v1/rooms", me.id))).to.deep.equal([second.id, first.id]);
      await say(world, friend, toRoom(first), "up we go");
      expect(idsIn(await get(world, "/v1/rooms", me.id))).to.deep.equal([first.id, second.id]);
      const third = await buildRoom(world, [friend, me]);
      expect(idsIn(await get(world, "/v1/rooms", me.id))).to.deep.equal([third.id, first.id, second.id]);
    });

    it("counts down what is unseen as it is seen", async () => {
      const [me, friend] = (await buildUsers(world, 2)) as [Person, Person];
      const room = await buildRoom(world, [friend, me]);
      for (const text of ["one", "two", "three"]) await say(world, friend, toRoom(room), text);
      const marked = await post(world, "/v1/messages/seen", { room_id: room.id, up_to: 2 }, me.id);
      await get(world, `/v1/tasks/${marked.body.task_id}?wait=15`, me.id);
      const [mine] = (await get(world, "/v1/rooms", me.id)).body.rooms;
      expect(mine).to.include({ unseen_count: 1, read_seq: 2, last_seq: 3 });
      const [theirs] = (await get(world, "/v1/rooms", friend.id)).body.rooms;
      expect(theirs, "one's own messages are never unseen").to.include({ unseen_count: 0, last_seq: 3 });
    });

    it("comes in pages without loss, by next and by the Link header", async () => {
      const [me, friend] = (await buildUsers(world, 2)) as [Person, Person];
      const made: Room[] = [];
      for (let n = 1; n <= 4; n++) made.push(await buildRoom(world, [me, friend]));
      const direct = await say(world, friend, toUser(me), "the fifth room");
      await say(world, friend, toRoom(made[1]!), "first again");
      const [one, two, three, four] = made.map(({ id }) => id);
      const expected = [[two, direct.room_id], [four, three], [one]];

      const byNext: number[][] = [];
      for (let after: string | null = ""; after !== null; ) {
        const page = await get(world, `/v1/rooms?limit=2${after && `&after=${after}`}`, me.id);
        byNext.push(idsIn(page));
        after = page.body.next;
      }
      expect(byNext).to.deep.equal(expected);
      expect(await pagesByLink("limit=2", me)).to.deep.equal(expected);
    });

    it("is empty for who is in no room, and refuses a cursor that nobody gave", async () => {
      const me = await buildUser(world);
      expect((await get(world, "/v1/rooms", me.id)).body).to.deep.equal({ rooms: [], next: null });
      expectProblem(await get(world, "/v1/rooms?after=x", me.id), 400, "validation_failed", "after");
      expectProblem(await get(world, "/v1/rooms?limit=0", me.id), 400, "validation_failed", "limit");
      expectProblem(await get(world, "/v1/rooms?scope=all", me.id), 400, "validation_failed", "scope");
    });

    it("takes at most three statements, however many rooms there are", async () => {
      const [me, ...friends] = (await buildUsers(world, 5)) as [Person, ...Person[]];
      const room = await buildRoom(world, [me]);
      await say(world, me, toRoom(room), "known to the API from here on");
      const list = () => get(world, "/v1/rooms", me.id);
      const forOne = await statementsOf(list);
      const many = await Promise.all(Array.from({ length: 12 }, () => buildRoom(world, [me, ...friends])));
      await Promise.all(many.map((each) => say(world, friends[0]!, toRoom(each), "hello")));
      expect(await statementsOf(list)).to.equal(forOne);
      expect(forOne).to.be.within(1, 3);
    });
  });

  async function pagesByLink(query: string, as: Person): Promise<number[][]> {
    const pages: number[][] = [];
    for (let link: string | undefined = query; link !== undefined; ) {
      const page = await get(world, `/v1/rooms?${link}`, as.id);
      pages.push(idsIn(page));
      link = /^<\?(.+)>; rel="next"$/.exec(page.headers.get("link") ?? "")?.[1];
    }
    return pages;
  }

  describe("the public list", () => {
    it("tells everybody the names of public groups, and nothing of the others", async () => {
      const open = await buildRoom(world, [ann, ben], { is_public: true });
      const closed = await buildRoom(world, [ann, ben]);
      const direct = await say(world, ann, toUser(ben), "between us");
      const { body } = await get(world, "/v1/rooms?scope=public&limit=1000", stranger.id);
      const found = body.rooms.filter(({ id }: Room) => [open.id, closed.id, direct.room_id].includes(id));
      expect(found).to.deep.equal([{ id: open.id, name: open.name, member_count: 2 }]);
    });

    it("comes in pages by id without loss", async () => {
      const made = await Promise.all(Array.from({ length: 5 }, () => buildRoom(world, [ann], { is_public: true })));
      const pages = await pagesByLink("scope=public&limit=2", stranger);
      const whole = await get(world, "/v1/rooms?scope=public&limit=1000", stranger.id);
      expect(pages.flat()).to.deep.equal(idsIn(whole));
      expect(pages.flat()).to.include.members(made.map(({ id }) => id));
      expect(pages.flat()).to.deep.equal(pages.flat().toSorted((a, b) => a - b));
    });
  });

  describe("one group", () => {
    it("is there for its members; to others a private one is missing and a public one closed", async () => {
      const closed = await buildRoom(world, [ann, ben]);
      const open = await buildRoom(world, [ann], { is_public: true });
      expect((await get(world, toRoom(closed), ben.id)).status).to.equal(200);
      expectProblem(await get(world, toRoom(closed), stranger.id), 404, "room_not_found");
      expectProblem(await get(world, toRoom(open), stranger.id), 403, "not_a_member");
      expectProblem(await get(world, "/v1/rooms/999999", ann.id), 404, "room_not_found");
      expectProblem(await get(world, "/v1/rooms/first", ann.id), 400, "validation_failed", "id");
      expectProblem(await get(world, `${toRoom(closed)}/messages`, stranger.id), 404, "room_not_found");
      expectProblem(await get(world, `${toRoom(open)}/messages`, stranger.id), 403, "not_a_member");
    });

    it("is renamed by its owner alone", async () => {
      const room = await buildRoom(world, [ann, ben]);
      const name = `renamed ${word()}`;
      const { status, body } = await patch(room, { name }, ann);
      expect(status).to.equal(200);
      expect(body).to.include({ id: room.id, name, is_public: false });
      expect((await get(world, toRoom(room), ben.id)).body.name).to.equal(name);
      expect((await patch(room, { name }, ann)).status, "to the name that it has").to.equal(200);
      expectProblem(await patch(room, { name: "by a member" }, ben), 403, "not_allowed");
      expectProblem(await patch(room, { name: "by a stranger" }, stranger), 404, "room_not_found");
      expect((await buildRoom(world, [ben], { name: room.name })).id, "the old name is free").to.not.equal(room.id);
      expect((await get(world, toRoom(room), ben.id)).body.name).to.equal(name);
    });

    it("says what is wrong with a change", async () => {
      const [room, other] = [await buildRoom(world, [ann]), await buildRoom(world, [ben])];
      expectProblem(await patch(room, { name: other.name }, ann), 409, "room_name_taken", "name");
      expectProblem(await patch(room, {}, ann), 400, "validation_failed", "name");
      const bad = { name: "", is_public: 1, kind: "direct", last_seq: 9 };
      expectProblem(await patch(room, bad, ann), 400, "validation_failed", ...Object.keys(bad));
      expect((await get(world, toRoom(room), ann.id)).body.name).to.equal(room.name);
    });

    it("is opened to the public and closed again by its owner alone", async () => {
      const room = await buildRoom(world, [ann, ben]);
      const isListed = async (): Promise<boolean> =>
        idsIn(await get(world, "/v1/rooms?scope=public&limit=1000", stranger.id)).includes(room.id);
      for (const is_public of [true, false]) {
        expectProblem(await patch(room, { is_public }, ben), 403, "not_allowed");
        expect((await patch(room, { is_public }, ann)).body).to.include({ name: room.name, is_public });
        expect((await get(world, toRoom(room), ben.id)).body.is_public).to.equal(is_public);
        expect(await isListed()).to.equal(is_public);
      }
    });

    it("changes before the change is answered: whoever asks next is told how it is now", async () => {
      const wrong: string[] = [];
      const expectCode = ({ status, body }: Answer, code: string | undefined, what: string): void => {
        if (body.code !== code) wrong.push(`${what}: ${status} ${body.code ?? ""}`);
      };
      const write = (room: Room) => post(world, `${toRoom(room)}/messages`, { text: "hello" }, stranger.id);
      for (let round = 1; round <= 30; round++) {
        const room = await buildRoom(world, [ann]);
        expectCode(await write(room), "room_not_found", "a new one, private");
        await patch(room, { is_public: true }, ann);
        expectCode(await write(room), "not_a_member", "just made public");
        await put(room, stranger, stranger);
        expectCode(await write(room), undefined, "just joined");
        await putOut(room, stranger, ann);
        expectCode(await write(room), "not_a_member", "just put out");
        await patch(room, { is_public: false }, ann);
        expectCode(await write(room), "room_not_found", "just made private");
        await put(room, stranger, ann);
        expectCode(await write(room), undefined, "just let in");
        await remove(room, ann);
        expectCode(await write(room), "room_not_found", "just deleted");
      }
      expect(wrong).to.deep.equal([]);
    });

    it("is deleted by its owner alone, with all that was said in it, for everybody at once", async () => {
      const room = await buildRoom(world, [ann, ben]);
      const message = await say(world, ben, toRoom(room), "soon gone");
      expectProblem(await remove(room, ben), 403, "not_allowed");
      expectProblem(await remove(room, stranger), 404, "room_not_found");
      const { status, body } = await remove(room, ann);
      expect([status, body]).to.deep.equal([204, ""]);
      for (const user of [ann, ben]) {
        expectProblem(await get(world, toRoom(room), user.id), 404, "room_not_found");
        expectProblem(await get(world, `${toRoom(room)}/messages`, user.id), 404, "room_not_found");
        expectProblem(await get(world, `/v1/messages/${message.id}`, user.id), 404, "message_not_found");
        expectProblem(
          await post(world, `${toRoom(room)}/messages`, { text: "too late" }, user.id),
          404,
          "room_not_found",
        );
        expect(idsIn(await get(world, "/v1/rooms?limit=1000", user.id))).to.not.include(room.id);
      }
      expectProblem(await remove(room, ann), 404, "room_not_found");
      expect((await create({ name: room.name })).status, "the name is free").to.equal(201);
    });
  });

  describe("coming in", () => {
    it("anybody joins a public group; once is enough", async () => {
      const room = await buildRoom(world, [ann], { is_public: true });
      const { status, body } = await put(room, ben, ben);
      expect(status).to.equal(200);
      expect(body).to.include({ id: room.id, name: room.name });
      const [, joined] = body.members;
      expect(joined).to.include({ id: ben.id, role: "member" });
      expect((await put(room, ben, ben)).body.members[1]).to.deep.equal(joined);
      expect((await put(room, ann, ann)).status).to.equal(200);
      expect(await rolesIn(room, ben)).to.deep.equal([
        [ann.id, "owner"],
        [ben.id, "member"],
      ]);
    });

    it("nobody joins a private group by themselves; whoever is in lets others in", async () => {
      const room = await buildRoom(world, [ann, ben]);
      expectProblem(await put(room, cat, cat), 404, "room_not_found");
      expect((await put(room, cat, ben)).status).to.equal(200);
      expect(await rolesIn(room, cat)).to.deep.equal([
        [ann.id, "owner"],
        [ben.id, "member"],
        [cat.id, "member"],
      ]);
      expect((await say(world, cat, toRoom(room), "thanks")).text, "who was added may write at once").to.equal(
        "thanks",
      );
    });

    it("nobody is let in by a stranger, or without being there", async () => {
      const closed = await buildRoom(world, [ann]);
      const open = await buildRoom(world, [ann], { is_public: true });
      const nobody = { id: 999_999, username: "" };
      expectProblem(await put(closed, cat, stranger), 404, "room_not_found");
      expectProblem(await put(open, cat, stranger), 403, "not_a_member");
      expectProblem(await put(closed, nobody, ann), 404, "user_not_found");
      expectProblem(await put({ id: 999_999, name: "" }, cat, ann), 404, "room_not_found");
      for (const room of [closed, open]) expect(await rolesIn(room, ann)).to.deep.equal([[ann.id, "owner"]]);
    });

    it("twelve who join at once are all in", async () => {
      const room = await buildRoom(world, [ann], { is_public: true });
      const people = await buildUsers(world, 12);
      const answers = await Promise.all([...people, ...people].map((user) => put(room, user, user)));
      expect(new Set(answers.map(({ status }) => status))).to.deep.equal(new Set([200]));
      const roles = await rolesIn(room, ann);
      expect(roles.map(([id]) => id)).to.have.members([ann.id, ...people.map(({ id }) => id)]);
      expect(roles.filter(([, role]) => role === "owner")).to.deep.equal([[ann.id, "owner"]]);
    });

    it("what was said before is there to read, but neither unseen nor seen by who has come", async () => {
      const room = await buildRoom(world, [ann, ben]);
      const [old, older] = [await say(world, ann, toRoom(room), "one"), await say(world, ann, toRoom(room), "two")];
      const late = await buildUser(world);
      const { body } = await put(room, late, ann);
      expect(body.members.find(({ id }: Person) => id === late.id).read_seq).to.equal(2);

      const history = await get(world, `${toRoom(room)}/messages`, late.id);
      expect(history.body.messages.map(({ text }: { text: string }) => text)).to.deep.equal(["two", "one"]);
      expect((await get(world, "/v1/messages/unseen", late.id)).body).to.deep.include({
        messages: [],
        unseen_count: 0,
      });
      expect((await get(world, toRoom(room), late.id)).body).to.include({ unseen_count: 0, read_seq: 2, last_seq: 2 });

      const fresh = await say(world, ann, toRoom(room), "three");
      const unseen = await get(world, "/v1/messages/unseen", late.id);
      expect(unseen.body.messages.map(({ id }: { id: string }) => id)).to.deep.equal([fresh.id]);
      const marked = await post(world, "/v1/messages/seen", { message_ids: [fresh.id, old.id] }, late.id);
      await get(world, `/v1/tasks/${marked.body.task_id}?wait=15`, late.id);
      for (const { id, seenBy } of [
        { ...old, seenBy: [] },
        { ...older, seenBy: [] },
        { ...fresh, seenBy: [late.id] },
      ]) {
        expect((await get(world, `/v1/messages/${id}`, ann.id)).body.seen_by_count).to.equal(seenBy.length);
        const { receipts, unseen_by } = (await get(world, `/v1/messages/${id}/receipts`, ann.id)).body;
        expect(receipts.map((receipt: { user_id: number }) => receipt.user_id)).to.deep.equal(seenBy);
        expect(unseen_by.map((user: Person) => user.id)).to.deep.equal([ben.id]);
      }
    });

    it("what was said while somebody was out is not unseen when they are back", async () => {
      const room = await buildRoom(world, [ann], { is_public: true });
      const user = await buildUser(world);
      await put(room, user, user);
      await putOut(room, user, user);
      await say(world, ann, toRoom(room), "while you were out");
      await put(room, user, user);
      expect((await get(world, "/v1/messages/unseen", user.id)).body.messages).to.deep.equal([]);
      await say(world, ann, toRoom(room), "welcome back");
      const { body } = await get(world, "/v1/messages/unseen", user.id);
      expect(body.messages.map(({ text }: { text: string }) => text)).to.deep.equal(["welcome back"]);
    });
  });

  describe("going out", () => {
    it("who has left is out of the room, and the room out of their list, before that is answered", async () => {
      const room = await buildRoom(world, [ann, ben], { is_public: true });
      await say(world, ann, toRoom(room), "never seen by who left");
      const { status, body } = await putOut(room, ben, ben);
      expect([status, body]).to.deep.equal([204, ""]);
      expect(await rolesIn(room, ann)).to.deep.equal([[ann.id, "owner"]]);
      expect(idsIn(await get(world, "/v1/rooms?limit=1000", ben.id))).to.not.include(room.id);
      expectProblem(await post(world, `${toRoom(room)}/messages`, { text: "hi" }, ben.id), 403, "not_a_member");
      expectProblem(await get(world, `${toRoom(room)}/messages`, ben.id), 403, "not_a_member");
      const unseen = await get(world, `/v1/messages/unseen?room_id=${room.id}`, ben.id);
      expect(unseen.body.messages).to.deep.equal([]);
      expectProblem(await putOut(room, ben, ben), 403, "not_a_member");
    });

    it("an owner who leaves hands over to who has been there longest", async () => {
      const room = await buildRoom(world, [ann]);
      for (const user of [cat, ben]) await put(room, user, ann);
      await putOut(room, ann, ann);
      expect(await rolesIn(room, ben)).to.deep.equal([
        [ben.id, "member"],
        [cat.id, "owner"],
      ]);
      expect((await patch(room, { is_public: true }, cat)).status).to.equal(200);
      await put(room, ann, ann);
      expect((await rolesIn(room, ann))[0], "who comes back is a member").to.deep.equal([ann.id, "member"]);
    });

    it("a group whose last member leaves is deleted", async () => {
      const room = await buildRoom(world, [ann, ben], { is_public: true });
      await say(world, ann, toRoom(room), "soon gone");
      for (const user of [ben, ann]) expect((await putOut(room, user, user)).status).to.equal(204);
      expectProblem(await get(world, toRoom(room), ann.id), 404, "room_not_found");
      expectProblem(await put(room, ben, ben), 404, "room_not_found");
      expect(idsIn(await get(world, "/v1/rooms?scope=public&limit=1000", ann.id))).to.not.include(room.id);
      expect((await create({ name: room.name })).status, "the name is free").to.equal(201);
    });

    it("the owner puts a member out; a member does not", async () => {
      const room = await buildRoom(world, [ann, ben, cat]);
      expectProblem(await putOut(room, cat, ben), 403, "not_allowed");
      expectProblem(await putOut(room, ann, ben), 403, "not_allowed");
      expectProblem(await putOut(room, cat, stranger), 404, "room_not_found");
      expectProblem(await putOut(room, stranger, ann), 404, "member_not_found");
      expect((await putOut(room, cat, ann)).status).to.equal(204);
      expect(await rolesIn(room, ann)).to.deep.equal([
        [ann.id, "owner"],
        [ben.id, "member"],
      ]);
      expectProblem(await post(world, `${toRoom(room)}/messages`, { text: "hi" }, cat.id), 404, "room_not_found");
      expectProblem(await putOut(room, cat, ann), 404, "member_not_found");
    });

    it("six who leave at once all get out, and the room with them", async () => {
      const people = await buildUsers(world, 6);
      const room = await buildRoom(world, people);
      const answers = await Promise.all(people.map((user) => putOut(room, user, user)));
      expect(answers.map(({ status }) => status)).to.deep.equal(Array(6).fill(204));
      expect(await namesTaken(room.name)).to.equal(0);
    });

    it("who joins while the last one leaves is either in, as the owner, or told that there is no room", async () => {
      for (let round = 1; round <= 15; round++) {
        const room = await buildRoom(world, [ann], { is_public: true });
        const [left, joined] = await Promise.all([putOut(room, ann, ann), put(room, ben, ben)]);
        expect(left.status).to.equal(204);
        if (joined.status === 200) expect(await rolesIn(room, ben)).to.deep.equal([[ben.id, "owner"]]);
        else expectProblem(joined, 404, "room_not_found");
        expect(await namesTaken(room.name)).to.equal(joined.status === 200 ? 1 : 0);
      }
    });
  });

  describe("a direct room", () => {
    it("has its two members and no name for good", async () => {
      const { room_id: id } = await say(world, ann, toUser(ben), "just us");
      const room = { id, name: "" };
      for (const answer of [
        await put(room, cat, ann),
        await put(room, ann, ann),
        await putOut(room, ann, ann),
        await putOut(room, ben, ann),
        await patch(room, { name: "us" }, ann),
        await remove(room, ann),
      ]) {
        expectProblem(answer, 409, "room_is_direct");
      }
      for (const answer of [
        await get(world, toRoom(room), stranger.id),
        await put(room, stranger, stranger),
        await putOut(room, ann, stranger),
        await patch(room, { name: "us" }, stranger),
        await remove(room, stranger),
      ]) {
        expectProblem(answer, 404, "room_not_found");
      }
      expect(await rolesIn(room, ben)).to.deep.equal([
        [ann.id, "member"],
        [ben.id, "member"],
      ]);
    });
  });

  it("a page of history takes at most two statements, however many messages and members there are", async () => {
    const [me, ...friends] = (await buildUsers(world, 5)) as [Person, ...Person[]];
    const room = await buildRoom(world, [me, ...friends]);
    await say(world, me, toRoom(room), "first");
    const history = (query = "") => get(world, `${toRoom(room)}/messages${query}`, me.id);
    const forOne = await statementsOf(history);
    await Promise.all(
      Array.from({ length: 60 }, (_, n) => say(world, friends[n % friends.length]!, toRoom(room), `${n}`)),
    );
    expect(await statementsOf(history)).to.equal(forOne);
    const { body } = await history();
    expect(body.messages).to.have.length(50);
    expect(await statementsOf(() => history(`?before=${body.next}`))).to.equal(forOne);
    expect(forOne).to.be.within(1, 2);
  });
});
