import { randomUUID } from "node:crypto";
import { expect } from "chai";
import { inTransaction, rows } from "../../../src/shared/db/database.ts";
import { append } from "../../../src/shared/log/append.ts";
import { type Answer, buildUser, buildUsers, call, get, type Person, post, say, toUser } from "../../calls.ts";
import { buildWorld, type World } from "../../world.ts";

interface ClassicRoom {
  readonly id: number;
  readonly room_name: string;
  readonly room_member: readonly { readonly username: string }[];
  readonly messages: readonly { readonly id: string; readonly text: string }[];
}

/** Each of these went wrong in the service that these paths come from. */
describe("the classic paths, where the reference went wrong", () => {
  let world: World;
  let stopWorker: () => Promise<void>;

  before(async () => {
    world = await buildWorld({ worker: false });
    stopWorker = await world.startWorker();
  });
  after(() => world.close());

  let rooms = 0;
  async function buildGroup(...members: readonly Person[]): Promise<ClassicRoom> {
    const room_member = members.map(({ username }) => ({ username }));
    const answer = await post(world, "/chat/chatroom/", { room_name: `classic ${++rooms}`, room_member });
    expect(answer.status, JSON.stringify(answer.body)).to.equal(200);
    return answer.body.data;
  }

  const sendTo = (room: ClassicRoom, from: Person, text: string, headers: Record<string, string> = {}) =>
    call(world, "POST", `/chat/group/${room.id}/`, { body: { from: from.id, text }, headers });

  /** The result of the task once it has come to an end. */
  async function stored(sent: Answer, from: Person) {
    expect(sent.status, JSON.stringify(sent.body)).to.equal(200);
    await get(world, `/v1/tasks/${sent.body.data}?wait=15`, from.id);
    const { body } = await get(world, `/chat/task_state/${sent.body.data}`);
    expect(body.state, JSON.stringify(body)).to.equal("SUCCESS");
    return body.result;
  }

  const pollUnseen = (reader: Person, wait = 0) =>
    get(world, `/chat/messages/unseen/?user_id=${reader.id}&wait=${wait}`);

  async function unseenTexts(reader: Person, wait = 0): Promise<string[]> {
    const { status, body } = await pollUnseen(reader, wait);
    expect(status, JSON.stringify(body)).to.equal(200);
    return body.data.flatMap((room: ClassicRoom) => room.messages.map(({ text }) => text));
  }

  const membersOf = async (room: ClassicRoom, asker: Person): Promise<string[]> => {
    const { body } = await get(world, `/chat/chatroom/${room.id}/?user_id=${asker.id}`);
    return body.data.room_member.map(({ username }: Person) => username);
  };

  const join = (room: ClassicRoom, user: Person) => call(world, "PUT", `/chat/chatroom/${room.id}/?user_id=${user.id}`);
  const leave = (room: ClassicRoom, user: Person) =>
    call(world, "DELETE", `/chat/chatroom/${room.id}/?user_id=${user.id}`);

  /** A 4xx in the shape of these paths, its status said twice and the same. */
  function expectRefusal(answer: Answer, what?: string): void {
    const told = `${what}: ${answer.status} ${JSON.stringify(answer.body)}`;
    expect(answer.status, told).to.be.within(400, 499);
    expect(answer.body, told).to.deep.equal({ status: answer.status, msg: answer.body.msg });
    expect(answer.body.msg, told).to.be.a("string").that.is.not.equal("");
  }

  async function statementsOf(work: () => Promise<unknown>): Promise<number> {
    const before = world.statements.length;
    await work();
    return world.statements.length - before;
  }

  describe("what was lost or came twice", () => {
    it("unseen marks exactly what it returned: what arrives after the answer is in the next one", async () => {
      const [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
      await say(world, ann, toUser(ben), "one");
      expect(await unseenTexts(ben)).to.deep.equal(["one"]);
      await say(world, ann, toUser(ben), "two");
      expect(await unseenTexts(ben)).to.deep.equal(["two"]);
      expect(await unseenTexts(ben)).to.deep.equal([]);
    });

    it("unseen gives each of sixty messages once, polled while they are being sent", async () => {
      const [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
      const texts = Array.from({ length: 60 }, (_, n) => `message ${n}`);
      const sending = Promise.all(
        texts.map((text) => call(world, "POST", `/chat/user/${ben.id}/`, { body: { from: ann.id, text } })),
      );
      const read: string[] = [];
      while (read.length < texts.length) read.push(...(await unseenTexts(ben, 10)));
      await sending;
      expect(read.toSorted()).to.deep.equal(texts.toSorted());
      expect(await unseenTexts(ben)).to.deep.equal([]);
    });

    it("reading a room marks exactly what it returned", async () => {
      const [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
      const { room_id } = await say(world, ann, toUser(ben), "one");
      const { body } = await get(world, `/chat/messages/${room_id}/?user_id=${ben.id}`);
      expect(body.data.messages.map(({ text }: { text: string }) => text)).to.deep.equal(["one"]);
      await say(world, ann, toUser(ben), "two");
      expect(await unseenTexts(ben)).to.deep.equal(["two"]);
    });

    it("reading the newest thousand of a room leaves unseen what was said before them", async () => {
      const [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
      const group = await buildGroup(ann, ben);
      const acceptedAt = new Date().toISOString();
      const messages = Array.from({ length: 1_001 }, (_, n) => {
        const id = world.deps.newId();
        return { id, roomId: group.id, seq: n + 1, senderId: ann.id, text: `${n}`, clientKey: null, acceptedAt };
      });
      // At once, as the worker stores them: to send so many one by one takes seconds.
      await inTransaction(world.deps.em, (tx) => append(tx, { messages }));
      const { body } = await get(world, `/chat/messages/${group.id}/?user_id=${ben.id}`);
      expect(body.data.messages).to.have.length(1_000);
      expect([...(await unseenTexts(ben)), ...(await unseenTexts(ben))]).to.have.length(1_001);
    });

    it("eight polls at once never fail, and neither does any poll after them", async () => {
      const [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
      for (let round = 1; round <= 5; round++) {
        const { id } = await say(world, ann, toUser(ben), `round ${round}`);
        const answers = await Promise.all(Array.from({ length: 8 }, () => unseenTexts(ben)));
        expect(answers.flat()).to.include(`round ${round}`);
        expect(await unseenTexts(ben)).to.deep.equal([]);
        const { body } = await get(world, `/v1/messages/${id}/receipts`, ann.id);
        expect(body.receipts.map((receipt: { user_id: number }) => receipt.user_id)).to.deep.equal([ben.id]);
      }
    });

    it("messages keep the order in which they were accepted, with two workers", async () => {
      const [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
      const group = await buildGroup(ann, ben);
      const stopSecond = await world.startWorker();
      const texts = Array.from({ length: 40 }, (_, n) => `${n}`);
      const sent: Answer[] = [];
      for (const text of texts) sent.push(await sendTo(group, ann, text));
      await Promise.all(sent.map((answer) => stored(answer, ann)));
      await stopSecond();
      const { body } = await get(world, `/chat/messages/${group.id}/?user_id=${ben.id}`);
      expect(body.data.messages.map(({ text }: { text: string }) => text)).to.deep.equal(texts);
    });

    it("six first messages at once make one direct room", async () => {
      const [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
      const sends = Array.from({ length: 6 }, (_, n) => {
        const [from, to] = n % 2 === 0 ? [ann, ben] : [ben, ann];
        return post(world, `/chat/user/${to.id}/`, { from: from.id, text: `${n}` }).then((sent) => stored(sent, from));
      });
      expect(new Set((await Promise.all(sends)).map((result) => result.room.id)).size).to.equal(1);
    });

    it("a client that sends again under the same key has sent one message", async () => {
      const [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
      const group = await buildGroup(ann, ben);
      const again = () => sendTo(group, ann, "once", { "idempotency-key": "retry-1" });
      const answers = [await again(), await again(), await again()];
      expect(new Set(answers.map(({ body }) => body.data)).size).to.equal(1);
      await stored(answers[0]!, ann);
      expect(await unseenTexts(ben)).to.deep.equal(["once"]);
    });
  });

  describe("who is in a room", () => {
    it("who has left is not listed and can't post; who comes back is listed and can", async () => {
      const [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
      const group = await buildGroup(ann, ben);
      for (let turn = 1; turn <= 3; turn++) {
        expect((await leave(group, ben)).status).to.equal(204);
        expect(await membersOf(group, ann)).to.deep.equal([ann.username]);
        expectRefusal(await sendTo(group, ben, "still here?"));
        expectRefusal(await get(world, `/chat/messages/${group.id}/?user_id=${ben.id}`));
        expectRefusal(await leave(group, ben));

        expect((await join(group, ben)).status).to.equal(200);
        expect(await membersOf(group, ann)).to.have.members([ann.username, ben.username]);
        const { text } = await stored(await sendTo(group, ben, `back again ${turn}`), ben);
        expect(text).to.equal(`back again ${turn}`);
      }
    });

    it("every room that empties is deleted, not the first alone", async () => {
      const [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
      for (let n = 1; n <= 3; n++) {
        const group = await buildGroup(ann, ben);
        await stored(await sendTo(group, ann, "soon gone"), ann);
        expect((await leave(group, ann)).status).to.equal(204);
        expect((await get(world, `/chat/chatroom/${group.id}/`)).status).to.equal(200);
        expect((await leave(group, ben)).status).to.equal(204);
        expectRefusal(await get(world, `/chat/chatroom/${group.id}/`));
        const left = await rows(world.deps.em, "select id from messages where room_id = $1", [group.id]);
        expect(left).to.deep.equal([]);
      }
    });

    it("a user with rooms can be deleted, and is gone from every list at once", async () => {
      const [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
      const group = await buildGroup(ann, ben);
      await say(world, ben, toUser(ann), "I was here");
      const lists = [`/users/?username=${ben.username}`, `/v1/users?username=${ben.username}`];
      const read = () => Promise.all(lists.map((list) => get(world, list)));
      const namesIn = ({ body }: Answer): string[] => (body.users ?? body).map(({ username }: Person) => username);
      await read();
      const before = await read();
      expect(before.map(namesIn)).to.deep.equal([[ben.username], [ben.username]]);
      expect(before.map(({ headers }) => headers.get("x-cache"))).to.deep.equal(["HIT", "HIT"]);

      expect((await call(world, "DELETE", `/v1/users/${ben.id}`, { as: ben.id })).status).to.equal(204);
      const after = await read();
      expect(after.map(namesIn)).to.deep.equal([[], []]);
      expect(after.map(({ headers }) => headers.get("x-cache"))).to.deep.equal(["MISS", "MISS"]);
      expect(await membersOf(group, ann)).to.deep.equal([ann.username]);
      expectRefusal(await sendTo(group, ben, "from beyond"));
      expectRefusal(await post(world, `/chat/user/${ben.id}/`, { from: ann.id, text: "are you there?" }));
    });

    it("a user who changes their name keeps their direct rooms", async () => {
      const [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
      const { room_id } = await say(world, ann, toUser(ben), "before");
      const username = `new-${ann.username}`;
      const renamed = await call(world, "PATCH", `/v1/users/${ann.id}`, { as: ann.id, body: { username } });
      expect(renamed.status).to.equal(200);
      const there = await stored(await post(world, `/chat/user/${ben.id}/`, { from: ann.id, text: "after" }), ann);
      const back = await stored(await post(world, `/chat/user/${ann.id}/`, { from: ben.id, text: "hi" }), ben);
      expect([there.room.id, back.room.id]).to.deep.equal([room_id, room_id]);
      const names = [{ ...ann, username }, ben].toSorted((a, b) => a.id - b.id).map((user) => user.username);
      expect(there.room.room_name).to.equal(names.join(" - "));
      expect(there.msg_from).to.deep.equal({ id: ann.id, username });
    });
  });

  describe("accounts", () => {
    it("a password is nowhere in the database as it was typed", async () => {
      const password = `plain-${randomUUID()}`;
      const username = `secretive-${randomUUID().slice(0, 8)}`;
      expect((await post(world, "/users/", { username, password, profile: {} })).status).to.equal(201);
      const ann = await buildUser(world, { password });
      const changes = { password: `${password}-2`, current_password: password };
      const changed = await call(world, "PATCH", `/v1/users/${ann.id}`, { as: ann.id, body: changes });
      expect(changed.status, JSON.stringify(changed.body)).to.equal(200);

      expect(await tablesWith(username)).to.deep.equal(["public.users"]);
      expect(await tablesWith(password)).to.deep.equal([]);
      const hashes = await rows<{ password_hash: string }>(world.deps.em, "select password_hash from users");
      for (const { password_hash } of hashes) expect(password_hash).to.match(/^\$argon2id\$/);
    });

    /** Where in the whole database this text is. */
    async function tablesWith(text: string): Promise<string[]> {
      const tables = await rows<{ name: string }>(
        world.deps.em,
        `select format('%I.%I', schemaname, tablename) as name from pg_tables
         where schemaname not in ('pg_catalog', 'information_schema') order by 1`,
      );
      expect(tables.length).to.be.greaterThan(8);
      const found = await Promise.all(
        tables.map(({ name }) =>
          rows(world.deps.em, `select 1 from ${name} t where strpos(t::text, $1) > 0 limit 1`, [text]),
        ),
      );
      return tables.filter((_, i) => found[i]!.length > 0).map(({ name }) => name);
    }

    it("nobody makes themselves an admin by saying so", async () => {
      const username = `climber-${randomUUID().slice(0, 8)}`;
      const claims = { is_superuser: true, is_staff: true, is_admin: true };
      const made = await post(world, "/users/", { username, password: "Passw0rd!", profile: {}, ...claims });
      expect(made.status).to.equal(201);
      expect(made.body).to.include({ is_superuser: false, is_staff: false });
      const { id } = made.body;
      for (const [method, path] of [
        ["POST", "/v1/users"],
        ["PATCH", `/v1/users/${id}`],
      ] as const) {
        const body = { username: `${username}-2`, password: "Passw0rd!", ...claims };
        expect((await call(world, method, path, { as: id, body })).status, method).to.equal(400);
      }
      expect((await get(world, "/v1/me", id)).body.is_admin).to.equal(false);
      const ann = await buildUser(world);
      expect((await call(world, "DELETE", `/v1/users/${ann.id}`, { as: id })).status).to.equal(403);
    });
  });

  describe("errors", () => {
    it("every bad request is a 4xx that says the same status in its body", async () => {
      const [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
      const group = await buildGroup(ann);
      const bad: [method: string, path: string, body?: unknown][] = [
        ["GET", "/users/?id=abc"],
        ["GET", "/users/?profile__status=Away"],
        ["GET", "/users/?username=%00"],
        ["GET", "/users/?first_name=a%00b"],
        ["GET", "/users/?last_name=%00"],
        ["POST", "/users/", {}],
        ["POST", "/users/", []],
        ["POST", "/users/", "{ not json"],
        ["POST", "/users/", { username: "no spaces, please", password: "x", profile: {} }],
        ["POST", "/users/", { username: "unlikely", password: "x", profile: null }],
        ["POST", "/users/", { username: ann.username, password: "x", profile: {} }],
        ["GET", "/chat/chatroom/?user_id=abc"],
        ["GET", "/chat/chatroom/?user_id="],
        ["GET", "/chat/chatroom/?user_id=-1"],
        ["GET", "/chat/chatroom/?user_id=99999999999999999999"],
        ["GET", "/chat/chatroom/?user_id=1&user_id=2"],
        ["GET", "/chat/chatroom/abc/"],
        ["GET", `/chat/chatroom/${group.id}/?user_id=abc`],
        ["PUT", `/chat/chatroom/${group.id}/`],
        ["PUT", `/chat/chatroom/abc/?user_id=${ann.id}`],
        ["DELETE", `/chat/chatroom/${group.id}/`],
        ["DELETE", `/chat/chatroom/${group.id}/?user_id=${ben.id}`],
        ["POST", "/chat/chatroom/", {}],
        ["POST", "/chat/chatroom/", { room_name: "" }],
        ["POST", "/chat/chatroom/", { room_name: 5 }],
        ["POST", "/chat/chatroom/", { room_name: "half made", room_member: [{}] }],
        ["POST", "/chat/chatroom/", { room_name: "half made", room_member: [{ username: "nobody at all" }] }],
        ["POST", "/chat/chatroom/", { room_name: "half made", room_member: [{ username: "no \u0000 in names" }] }],
        ["POST", "/chat/chatroom/", "{ not json"],
        ["POST", `/chat/user/${ben.id}/`, {}],
        ["POST", `/chat/user/${ben.id}/`, { from: ann.id }],
        ["POST", `/chat/user/${ben.id}/`, { text: "from whom?" }],
        ["POST", `/chat/user/${ben.id}/`, { from: "abc", text: "hi" }],
        ["POST", `/chat/user/${ben.id}/`, { from: ann.id, text: " " }],
        ["POST", `/chat/user/${ben.id}/`, { from: ann.id, text: { a: 1 } }],
        ["POST", `/chat/user/${ben.id}/`, { from: ann.id, text: "no \u0000 in text" }],
        ["POST", `/chat/user/${ben.id}/`, { from: 4_711, text: "hi" }],
        ["POST", "/chat/user/4711/", { from: ann.id, text: "hi" }],
        ["POST", "/chat/user/abc/", { from: ann.id, text: "hi" }],
        ["POST", `/chat/user/${ann.id}/`, { from: ann.id, text: "dear me" }],
        ["POST", "/chat/group/abc/", { from: ann.id, text: "hi" }],
        ["POST", "/chat/group/4711/", { from: ann.id, text: "hi" }],
        ["POST", `/chat/group/${group.id}/`, { from: ben.id, text: "hi" }],
        ["GET", "/chat/messages/abc/?user_id=1"],
        ["GET", `/chat/messages/${group.id}/`],
        ["GET", `/chat/messages/${group.id}/?user_id=abc`],
        ["GET", `/chat/messages/${group.id}/?user_id=${ben.id}`],
        ["GET", "/chat/messages/unseen/"],
        ["GET", "/chat/messages/unseen/?user_id=abc"],
        ["GET", "/chat/messages/unseen/?user_id=4711"],
        ["GET", `/chat/messages/unseen/?user_id=${ann.id}&wait=long`],
        ["GET", "/chat/task_state/nonsense"],
      ];
      for (const [method, path, body] of bad) {
        const headers = { "content-type": "application/json" };
        expectRefusal(await call(world, method, path, { body, headers }), `${method} ${path} ${JSON.stringify(body)}`);
      }
      const halves = await rows(world.deps.em, "select id from rooms where name = 'half made'");
      expect(halves).to.deep.equal([]);
    });

    it("a second room of the same name is a 409, and leaves the first alone", async () => {
      const [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
      const { room_name, ...group } = await buildGroup(ann);
      const again = await post(world, "/chat/chatroom/", { room_name, room_member: [{ username: ben.username }] });
      expectRefusal(again);
      expect(again.status).to.equal(409);
      expect(again.body.msg).to.not.match(/constraint|duplicate key|Key \(/i);
      expect(await membersOf({ room_name, ...group }, ann)).to.deep.equal([ann.username]);
    });

    it("a task that failed says why in words, and nothing of the server's insides", async () => {
      const [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
      const group = await buildGroup(ann, ben);
      await stopWorker();
      const sent = await sendTo(group, ben, "said too late");
      expect((await get(world, `/chat/task_state/${sent.body.data}`)).body).to.deep.equal({
        state: "PENDING",
        result: null,
      });
      expect((await leave(group, ben)).status).to.equal(204);
      stopWorker = await world.startWorker();
      let task: Answer;
      do task = await get(world, `/chat/task_state/${sent.body.data}`);
      while (["PENDING", "STARTED", "RETRY"].includes(task.body.state));
      expect(task.status).to.equal(200);
      expect(task.body).to.deep.equal({ state: "FAILURE", result: `You are not a member of room ${group.id}` });
      expect(await unseenTexts(ann)).to.deep.equal([]);
    });

    it("a task that has succeeded has its message to show, from the first answer that says so", async () => {
      const [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
      const group = await buildGroup(ann, ben);
      const without: string[] = [];
      const lanes = Array.from({ length: 4 }, async (_, lane) => {
        for (let n = 1; n <= 40; n++) {
          const text = `lane ${lane}, message ${n}`;
          const { data } = (await sendTo(group, ann, text)).body;
          let task: { state: string; result: { text: string } | null };
          do task = (await get(world, `/chat/task_state/${data}`)).body;
          while (task.state !== "SUCCESS");
          if (task.result?.text !== text) without.push(text);
        }
      });
      await Promise.all(lanes);
      expect(without).to.deep.equal([]);
    });

    it("a job that nobody knows is not found, rather than pending for ever", async () => {
      for (const id of [randomUUID(), "018f0000-0000-7000-8000-000000000000", "nonsense", "1"]) {
        const answer = await get(world, `/chat/task_state/${id}`);
        expect(answer.status, id).to.equal(404);
        expectRefusal(answer, id);
      }
    });
  });

  describe("what it cost", () => {
    it("a poll with nothing new adds no job", async () => {
      const [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
      await buildGroup(ann, ben);
      await say(world, ann, toUser(ben), "seen by the next poll");
      expect(await unseenTexts(ben)).to.have.length(1);
      const countJobs = async (): Promise<number> => {
        const counts = await world.deps.backend.queues[0]!.getJobCounts();
        return Object.values(counts).reduce((sum, count) => sum + count, 0);
      };
      const before = await countJobs();
      expect(before).to.be.greaterThan(1);
      for (let n = 1; n <= 5; n++) expect(await unseenTexts(ben)).to.deep.equal([]);
      expect(await unseenTexts(ben, 1)).to.deep.equal([]);
      await get(world, `/chat/messages/${(await pollUnseen(ben)).body.data[0].id}/?user_id=${ben.id}`);
      expect(await countJobs()).to.equal(before);
    });

    it("a poll, a room and the list of rooms take as many statements for ten rooms as for one", async () => {
      const [reader, ...people] = (await buildUsers(world, 11)) as [Person, ...Person[]];
      await say(world, people[0]!, toUser(reader), "first");
      const lists = [
        `/chat/messages/unseen/?user_id=${reader.id}`,
        `/chat/chatroom/?user_id=${reader.id}`,
        "/chat/chatroom/",
      ];
      const count = async (): Promise<number[]> => {
        const counts: number[] = [];
        for (const list of lists) counts.push(await statementsOf(() => get(world, list)));
        return counts;
      };
      await unseenTexts(reader);
      const forOne = await count();
      for (const person of people) await buildGroup(reader, person);
      await Promise.all(people.map((person) => say(world, person, toUser(reader), "hello")));
      expect(await count()).to.deep.equal(forOne);
      expect(forOne).to.deep.equal([2, 1, 1]);
    });

    it("a room's history takes as many statements for forty messages as for one", async () => {
      const [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
      const { room_id } = await say(world, ann, toUser(ben), "first");
      const history = () => get(world, `/chat/messages/${room_id}/?user_id=${ann.id}`);
      await history();
      const forOne = await statementsOf(history);
      await Promise.all(Array.from({ length: 40 }, (_, n) => say(world, ann, toUser(ben), `${n}`)));
      await history();
      expect(await statementsOf(history)).to.equal(forOne);
      expect(forOne).to.equal(2);
    });

    it("the users list tells nobody to keep it", async () => {
      for (const path of ["/users/", "/users/", "/v1/users", "/v1/users"]) {
        const { headers } = await get(world, path);
        expect(headers.get("cache-control"), path).to.equal("private, no-cache");
        expect(headers.get("expires"), path).to.equal(null);
      }
    });

    it("the users list is dropped after the commit, so that no list read meanwhile brings back the old one", async () => {
      for (let round = 1; round <= 15; round++) {
        let answered = false;
        const readOn = async (): Promise<void> => {
          while (!answered) await get(world, "/users/");
        };
        const signUp = buildUser(world).finally(() => {
          answered = true;
        });
        const [made] = await Promise.all([signUp, readOn(), readOn()]);
        const { body } = await get(world, "/users/");
        expect(body.map(({ id }: Person) => id)).to.include(made.id);
      }
    });
  });
});
