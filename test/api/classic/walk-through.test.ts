import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect } from "chai";
import { buildUser, type Person, say, toRoom } from "../../calls.ts";
import { until } from "../../until.ts";
import { buildWorld, type World } from "../../world.ts";

const run = promisify(execFile);
const isoTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

interface CurlAnswer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever comes back
  readonly body: any;
}

describe("the classic paths, by curl", () => {
  let world: World;

  before(async () => {
    world = await buildWorld();
    // The reference starts with fifteen users and no rooms. One after the other, so that user_7 has the id 7.
    for (let n = 1; n <= 15; n++) await buildUser(world, { username: `user_${n}` });
  });
  after(() => world.close());

  /** Types what the walk-through types, with this world's address in place of http://localhost:8000. */
  async function curl(method: string, path: string, ...more: string[]): Promise<CurlAnswer> {
    const args = ["--silent", "--show-error", "--write-out", "\n%{http_code}"];
    const { stdout } = await run("curl", [...args, "--location", "--request", method, world.url + path, ...more]);
    const end = stdout.lastIndexOf("\n");
    const text = stdout.slice(0, end);
    return { status: Number(stdout.slice(end + 1)), body: text === "" ? undefined : JSON.parse(text) };
  }

  const json = (body: unknown): string[] => [
    "--header",
    "Content-Type: application/json",
    "--data-raw",
    JSON.stringify(body, null, 4),
  ];
  const form = (fields: object): string[] =>
    Object.entries(fields).flatMap(([name, value]) => ["--data-urlencode", `${name}=${value}`]);

  /** The data of a success in its envelope, which holds nothing else. */
  async function data(method: string, path: string, ...more: string[]) {
    const { status, body } = await curl(method, path, ...more);
    expect({ ...body, http: status }, JSON.stringify(body)).to.deep.equal({
      status: 200,
      message: "HTTP_200_OK",
      data: body.data,
      http: 200,
    });
    expect(body).to.have.property("data");
    return body.data;
  }

  /** An error in the one shape of these paths: `msg`, and the status of the answer itself. */
  async function refused(status: number, method: string, path: string, ...more: string[]): Promise<string> {
    const answer = await curl(method, path, ...more);
    expect(answer, JSON.stringify(answer)).to.deep.equal({ status, body: { status, msg: answer.body.msg } });
    expect(answer.body.msg).to.be.a("string").that.is.not.equal("");
    return answer.body.msg;
  }

  /** Asks for the task's state until it has come to an end. */
  async function ended(taskId: string) {
    expect(taskId).to.match(uuid);
    for (;;) {
      const { status, body } = await curl("GET", `/chat/task_state/${taskId}`);
      expect(status).to.equal(200);
      expect(body).to.have.all.keys("state", "result");
      if (!["PENDING", "STARTED", "RETRY"].includes(body.state)) return body;
    }
  }

  const named = (...names: number[]) => names.map((n) => ({ username: `user_${n}` }));
  const textsOf = (messages: readonly { text: string }[]): string[] => messages.map(({ text }) => text);

  describe("the walk-through", () => {
    it("lists the users, as a bare array with their profiles", async () => {
      const { status, body } = await curl("GET", "/users/");
      expect(status).to.equal(200);
      expect(body).to.have.length(15);
      expect(body[6]).to.deep.equal({
        id: 7,
        profile: { id: 7, status: "Offline", status_msg: null, user: 7 },
        last_login: null,
        is_superuser: false,
        username: "user_7",
        first_name: "",
        last_name: "",
        email: "",
        is_staff: false,
        is_active: true,
        date_joined: body[6].date_joined,
      });
      expect(body[6].date_joined).to.match(isoTime);
    });

    it("creates a user with a profile, whose numeric status message comes back as text", async () => {
      const profile = { status: "Online", status_msg: 5 };
      const account = {
        username: "My_firt_chat_user",
        password: "Password!",
        first_name: "",
        last_name: "",
        email: "",
      };
      const { status, body } = await curl("POST", "/users/", ...json({ profile, ...account }));
      expect(status).to.equal(201);
      expect(body).to.deep.include({
        id: 16,
        profile: { id: 16, status: "Online", status_msg: "5", user: 16 },
        username: "My_firt_chat_user",
        email: "",
        is_superuser: false,
      });
      expect(body).to.not.have.property("password");
      await refused(409, "POST", "/users/", ...json({ profile, ...account }));
      await refused(400, "POST", "/users/", ...json({ profile: { status: "Away" }, username: "somebody" }));
    });

    it("finds users by id, username, first and last name and status", async () => {
      const tom = {
        username: "tom",
        password: "x",
        first_name: "Tom",
        last_name: "Riddle",
        profile: { status: "Busy" },
      };
      expect((await curl("POST", "/users/", ...json(tom))).status).to.equal(201);
      const found = async (query: string): Promise<string[]> =>
        (await curl("GET", `/users/?${query}`)).body.map((user: Person) => user.username);
      expect(await found("id=7")).to.deep.equal(["user_7"]);
      expect(await found("username=user_9")).to.deep.equal(["user_9"]);
      expect(await found("first_name=Tom")).to.deep.equal(["tom"]);
      expect(await found("last_name=Riddle")).to.deep.equal(["tom"]);
      expect(await found("profile__status=Busy")).to.deep.equal(["tom"]);
      expect(await found("profile__status=Online")).to.deep.equal(["My_firt_chat_user"]);
      expect(await found("first_name=Tom&last_name=Other")).to.deep.equal([]);
      expect(await found("unknown=parameter")).to.have.length(17);
      await refused(400, "GET", "/users/?profile__status=Bogus");
      await refused(400, "GET", "/users/?id=seven");
    });

    it("creates the chatroom family with three members", async () => {
      const room = { room_member: named(7, 8, 9), room_name: "family" };
      expect(await data("POST", "/chat/chatroom/", ...json(room))).to.deep.equal({
        id: 1,
        room_name: "family",
        room_member: named(7, 8, 9),
      });
      await refused(409, "POST", "/chat/chatroom/", ...json(room));
      expect(await refused(400, "POST", "/chat/chatroom/", ...json({}))).to.contain("room_name");
    });

    it("lists the names of chatrooms to everybody, and their members to who says who they are", async () => {
      expect(await data("GET", "/chat/chatroom/")).to.deep.equal([{ id: 1, room_name: "family" }]);
      expect(await data("GET", "/chat/chatroom/?user_id=7")).to.deep.equal([
        { id: 1, room_name: "family", room_member: named(7, 8, 9) },
      ]);
      expect(await data("GET", "/chat/chatroom/?user_id=10")).to.deep.equal([]);
      await refused(404, "GET", "/chat/chatroom/?user_id=4711");
    });

    it("joins a chatroom, once", async () => {
      const joined = await curl("PUT", "/chat/chatroom/1/?user_id=12");
      expect(joined).to.deep.equal({ status: 200, body: { status: 200, message: "HTTP_200_OK" } });
      expect(await data("GET", "/chat/chatroom/1/?user_id=12")).to.deep.include({ room_member: named(7, 8, 9, 12) });
      expect(await refused(400, "PUT", "/chat/chatroom/1/?user_id=9")).to.equal(
        "User user_9 is already part of this group",
      );
      await refused(404, "PUT", "/chat/chatroom/4711/?user_id=9");
    });

    it("leaves a chatroom, with an answer that has no body", async () => {
      expect(await curl("DELETE", "/chat/chatroom/1/?user_id=7")).to.deep.equal({ status: 204, body: undefined });
      expect(await refused(400, "DELETE", "/chat/chatroom/1/?user_id=7")).to.equal(
        "User user_7 is not part of this group",
      );
      expect(await data("GET", "/chat/chatroom/?user_id=7")).to.deep.equal([]);
    });

    it("gets a chatroom by its name for everybody, with its members for its members", async () => {
      expect(await data("GET", "/chat/chatroom/1/")).to.deep.equal({ id: 1, room_name: "family" });
      expect(await data("GET", "/chat/chatroom/1/?user_id=8")).to.deep.equal({
        id: 1,
        room_name: "family",
        room_member: named(8, 9, 12),
      });
      expect(await refused(404, "GET", "/chat/chatroom/1/?user_id=7")).to.equal(
        "Membership matching query does not exist.",
      );
      await refused(404, "GET", "/chat/chatroom/4711/");
    });

    it("sends a direct message and follows its task to SUCCESS, whose result is the message with its room", async () => {
      const taskId = await data("POST", "/chat/user/1/", ...json({ from: 2, text: "hey man" }));
      const { state, result } = await ended(taskId);
      expect(state).to.equal("SUCCESS");
      expect(result).to.deep.equal({
        id: taskId,
        room: { id: result.room.id, room_name: "user_1 - user_2", room_member: named(1, 2) },
        msg_from: { id: 2, username: "user_2" },
        text: "hey man",
        sent_at: result.sent_at,
      });
      expect(result.sent_at).to.match(isoTime);
    });

    it("sends a direct message as a form too, and with spaces, signs and letters of all kinds", async () => {
      const text = "1 + 1 = 2 & så ïst ès 👍";
      const { state, result } = await ended(await data("POST", "/chat/user/1/", ...form({ from: 2, text })));
      expect(state).to.equal("SUCCESS");
      expect(result.text).to.equal(text);
    });

    it("gets a direct chatroom for its two members, called after them, and for nobody else", async () => {
      const [room] = await data("GET", "/chat/chatroom/?user_id=1");
      expect(room).to.deep.include({ room_name: "user_1 - user_2", room_member: named(1, 2) });
      expect(await data("GET", `/chat/chatroom/${room.id}/?user_id=2`)).to.deep.equal(room);
      await refused(404, "GET", `/chat/chatroom/${room.id}/?user_id=3`);
      await refused(404, "GET", `/chat/chatroom/${room.id}/`);
      expect(await data("GET", "/chat/chatroom/")).to.deep.equal([{ id: 1, room_name: "family" }]);
    });

    it("sends a message to a group, and refuses one from outside at once", async () => {
      const taskId = await data("POST", "/chat/group/1/", ...json({ from: 9, text: "hi fam" }));
      const { state, result } = await ended(taskId);
      expect(state).to.equal("SUCCESS");
      expect(result.room).to.deep.equal({ id: 1, room_name: "family", room_member: named(8, 9, 12) });
      await refused(403, "POST", "/chat/group/1/", ...json({ from: 7, text: "hi fam" }));
    });

    it("shows what is unseen in every room of mine, once", async () => {
      const rooms = await data("GET", "/chat/messages/unseen/?user_id=8");
      expect(rooms).to.deep.equal([
        { id: 1, room_name: "family", room_member: named(8, 9, 12), messages: rooms[0].messages },
      ]);
      const [message] = rooms[0].messages;
      expect(rooms[0].messages).to.deep.equal([
        { id: message.id, msg_from: { id: 9, username: "user_9" }, text: "hi fam", sent_at: message.sent_at, room: 1 },
      ]);
      const again = await data("GET", "/chat/messages/unseen/?user_id=8");
      expect(again).to.deep.equal([{ ...rooms[0], messages: [] }]);
      expect(await data("GET", "/chat/messages/unseen/?user_id=3")).to.deep.equal([]);
    });

    it("waits for what is unseen, and answers as soon as somebody says something", async () => {
      const waiting = data("GET", "/chat/messages/unseen/?user_id=8&wait=15");
      await until(() => world.deps.hub.parked > 0);
      await data("POST", "/chat/group/1/", ...json({ from: 12, text: "are you there?" }));
      const [family] = await waiting;
      expect(textsOf(family.messages)).to.deep.equal(["are you there?"]);
    });

    it("lists the messages of a room, oldest first, and takes them as seen", async () => {
      const room = await data("GET", "/chat/messages/1/?user_id=12");
      expect(room).to.deep.include({ id: 1, room_name: "family", room_member: named(8, 9, 12) });
      expect(textsOf(room.messages)).to.deep.equal(["hi fam", "are you there?"]);
      expect(room.messages[0]).to.have.all.keys("id", "msg_from", "text", "sent_at", "room");
      expect(await data("GET", "/chat/messages/unseen/?user_id=12")).to.deep.include.members([
        { id: 1, room_name: "family", room_member: named(8, 9, 12), messages: [] },
      ]);
      await refused(404, "GET", "/chat/messages/1/?user_id=7");
      await refused(404, "GET", "/chat/messages/4711/?user_id=8");
    });

    it("works without the trailing slashes as well", async () => {
      expect(await data("GET", "/chat/chatroom")).to.deep.equal([{ id: 1, room_name: "family" }]);
      expect((await curl("GET", "/users")).status).to.equal(200);
      expect(await data("GET", "/chat/messages/unseen?user_id=8")).to.have.length(1);
    });

    it("answers an unknown path with 404 and a wrong method with 405, in the same shape", async () => {
      await refused(404, "GET", "/chat/nothing/");
      await refused(405, "PATCH", "/chat/chatroom/1/?user_id=8");
    });
  });

  describe("the reference's own tests", () => {
    let [user1, user2, user3, user4]: Person[] = [];
    let family: { id: number };

    before(async () => {
      for (const name of ["user1", "user2", "user3", "user4"]) await buildUser(world, { username: name });
      const { body } = await curl("GET", "/users/");
      [user1, user2, user3, user4] = body.slice(-4);
      const room_member = [user1, user2, user3].map((user) => ({ username: user!.username }));
      family = await data("POST", "/chat/chatroom/", ...json({ room_name: "their family", room_member }));
    });

    it("a room is created under its name; members show only to who says who they are", async () => {
      const { room_name } = await data("POST", "/chat/chatroom/", ...form({ room_name: "crew" }));
      expect(room_name).to.equal("crew");
      const all = await data("GET", "/chat/chatroom/");
      expect(all.map((room: { room_name: string }) => room.room_name)).to.include("crew");
      for (const room of all) expect(room).to.not.have.property("room_member");
      const mine = await data("GET", `/chat/chatroom/?user_id=${user1!.id}`);
      expect(mine).to.have.length(1);
      for (const room of mine) expect(room).to.have.property("room_member");
    });

    it("a room lives until the last of those who joined it has left", async () => {
      const { id } = await data("POST", "/chat/chatroom/", ...json({ room_name: "besties" }));
      const status = async (method: string, query = ""): Promise<number> =>
        (await curl(method, `/chat/chatroom/${id}/${query}`)).status;
      expect(await status("PUT", `?user_id=${user2!.id}`)).to.equal(200);
      expect(await status("PUT", `?user_id=${user3!.id}`)).to.equal(200);
      expect(await status("DELETE", `?user_id=${user2!.id}`)).to.equal(204);
      expect(await status("GET")).to.equal(200);
      expect(await status("DELETE", `?user_id=${user3!.id}`)).to.equal(204);
      expect(await status("GET")).to.equal(404);
    });

    it("nobody joins a direct room", async () => {
      const direct = await say(world, user1!, `/v1/users/${user3!.id}`, "just you and me");
      for (const user of [user2, user1]) {
        const msg = await refused(400, "PUT", `/chat/chatroom/${direct.room_id}/?user_id=${user!.id}`);
        expect(msg).to.equal("Can't join a private chat");
      }
    });

    it("a direct message and its answer are in one and the same room", async () => {
      const there = await data("POST", `/chat/user/${user2!.id}/`, ...json({ from: user1!.id, text: "hi my man" }));
      const back = await data("POST", `/chat/user/${user1!.id}/`, ...json({ from: user2!.id, text: "hey what's up" }));
      const [first, second] = [await ended(there), await ended(back)];
      expect([first.state, second.state]).to.deep.equal(["SUCCESS", "SUCCESS"]);
      expect(second.result.room.id).to.equal(first.result.room.id);
    });

    it("a member writes to the group; an outsider is refused at once", async () => {
      const path = `/chat/group/${family.id}/`;
      const sent = await data("POST", path, ...json({ from: user1!.id, text: "hi family" }));
      expect((await ended(sent)).state).to.equal("SUCCESS");
      await refused(403, "POST", path, ...json({ from: user4!.id, text: "can I be part of the family?" }));
    });

    it("a member reads the group's messages; to an outsider they are not there", async () => {
      await say(world, user1!, toRoom(family), "hi again");
      const room = await data("GET", `/chat/messages/${family.id}/?user_id=${user2!.id}`);
      expect(room.messages[0].text).to.equal("hi family");
      await refused(404, "GET", `/chat/messages/${family.id}/?user_id=${user4!.id}`);
    });

    it("what is unseen is read once", async () => {
      const path = `/chat/messages/unseen/?user_id=${user3!.id}`;
      const first = await data("GET", path);
      const read = first.flatMap((room: { messages: { text: string }[] }) => textsOf(room.messages));
      expect(read).to.have.members(["hi family", "hi again", "just you and me"]);
      for (const room of await data("GET", path)) expect(room.messages).to.deep.equal([]);
    });
  });
});
