import { expect } from "chai";
import { Redis } from "ioredis";
import { announceUser } from "../../../src/api/users/users-cache.ts";
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
import { type Started, startApi } from "../../processes.ts";
import { hasRedis } from "../../services.ts";
import { openSocket } from "../../sockets.ts";
import { buildWorld, type World } from "../../world.ts";

const PASSWORD = "Passw0rd!"; // of everybody that buildUser makes
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

describe("a ban", () => {
  let world: World;
  /** On the same database: a process of its own, which believes tokens only. */
  let other: Started;
  let root: Person;

  before(async () => {
    world = await buildWorld();
    const { DATABASE_URL, REDIS_URL, QUEUE_NAME } = world.env;
    const settings = { AUTH_MODE: "token", AUTH_SECRET: "s".repeat(40), RATE_LIMITS: "off", PORT: "0" };
    other = await startApi({ ...settings, HOST: "127.0.0.1", DATABASE_URL, REDIS_URL, QUEUE_NAME });
    root = await buildAdmin();
  });
  after(async () => {
    await other?.end();
    await world?.close();
  });

  async function buildAdmin(): Promise<Person> {
    const person = await buildUser(world);
    await rows(world.deps.em, "update users set is_admin = true where id = $1", [person.id]);
    return person;
  }
  const banPath = ({ id }: Person) => `/v1/admin/users/${id}/ban`;
  const ban = (person: Person, body = {}, by = root) => call(world, "PUT", banPath(person), { as: by.id, body });
  const unban = (person: Person) => call(world, "DELETE", banPath(person), { as: root.id });
  const signIn = (person: Person, password = PASSWORD): Promise<Answer> =>
    post(other, "/v1/auth/login", { username: person.username, password });
  const tokenOf = async (person: Person): Promise<string> => (await signIn(person)).body.access_token;
  const me = (headers: Record<string, string>) => call(other, "GET", "/v1/me", { headers });
  /** Until somebody reads there, as everybody else is told. */
  async function isReading({ id }: Person): Promise<void> {
    while (!(await get(world, `/v1/presence?user_ids=${id}`, root.id)).body.presence[0].online);
  }

  it("ends at once what the user has open in another process: reads that wait, sockets, bots and keys", async () => {
    const ann = await buildUser(world);
    const signedIn = bearer(await tokenOf(ann));
    const bot = await call(other, "POST", "/v1/auth/tokens", { headers: signedIn, body: { name: "bot" } });
    const key = await post(world, "/v1/clients", { name: "server" }, root.id);
    const shown = [
      signedIn,
      bearer(bot.body.token),
      { "x-api-key": key.body.api_key, "x-act-as": String(ann.id) },
    ] as Record<string, string>[];
    const socket = await openSocket(other, signedIn);
    const reads = shown.map((headers, i) =>
      call(other, "GET", `/v1/messages/unseen?wait=50&device=d${i}`, { headers }),
    );
    await isReading(ann);
    const stream = await fetch(`${other.url}/v1/events?offset=now&live=sse`, { headers: signedIn });
    const before = performance.now();
    expect((await ban(ann, { reason: "spam" })).body).to.include({ state: "banned", ban_reason: "spam" });
    expect(await socket.closed).to.equal(4401);
    for (const answer of await Promise.all(reads)) expect(answer.status).to.be.oneOf([401, 403]);
    await stream.text();
    expect(performance.now() - before).to.be.lessThan(5_000);
    const after = await Promise.all(shown.map(me));
    expect(after.map(({ body }) => body.code)).to.deep.equal(["session_ended", "token_invalid", "account_banned"]);
  });

  it("ends what waits also where nobody heard of it", async () => {
    const ann = await buildUser(world);
    const key = await post(world, "/v1/clients", { name: "server" }, root.id);
    const headers = { "x-api-key": key.body.api_key, "x-act-as": String(ann.id) };
    const read = call(other, "GET", "/v1/messages/unseen?wait=50", { headers });
    await isReading(ann);
    await rows(world.deps.em, "update users set banned_at = now() where id = $1", [ann.id]);
    await rows(world.deps.em, "select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1", [
      "parley tail",
    ]);
    expectProblem(await read, 401, "session_ended");
    expectProblem(await me(headers), 403, "account_banned");
  });

  it("keeps the user from signing in, and says so and why to nobody but them", async () => {
    const ann = await buildUser(world);
    const { refresh_token } = (await signIn(ann)).body;
    const { ticket } = (await call(other, "POST", "/v1/auth/ticket", { headers: bearer(await tokenOf(ann)) })).body;
    await ban(ann, { reason: "  for spam " });
    const refused = await signIn(ann);
    expectProblem(refused, 403, "account_banned");
    expect(refused.body.detail).to.include("for spam");
    expectProblem(await signIn(ann, "a guess"), 401, "wrong_credentials");
    expectProblem(await post(other, "/v1/auth/refresh", { refresh_token }), 401, "session_ended");
    expect(
      (await openSocket(other, {}, `?ticket=${ticket}`).catch((error: Error) => error.message)) as string,
    ).to.match(/40[13]/);
    expectProblem(
      await post(world, "/v1/users", { username: ann.username, password: PASSWORD }),
      409,
      "username_taken",
    );
  });

  it("is not got round by whoever says to be them in demo mode", async () => {
    const [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
    await ban(ann);
    expectProblem(await get(world, "/v1/me", ann.id), 403, "account_banned");
    expectProblem(await get(world, `/v1/me?user_id=${ann.id}`), 403, "account_banned");
    expectProblem(await post(world, `${toUser(ben)}/messages`, { text: "hi", from: ann.id }), 403, "account_banned");
    const classic = await post(world, `/chat/user/${ben.id}/`, { from: ann.id, text: "hi" });
    expect([classic.status, classic.body.msg]).to.deep.equal([403, "This account is banned"]);
  });

  it("leaves what they have said, and them in their rooms; what was accepted before is stored", async () => {
    const [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
    const room = await buildRoom(world, [ann, ben]);
    await world.deps.backend.queues[0]!.pause();
    const sent = await post(world, `${toRoom(room)}/messages`, { text: "before the ban" }, ann.id);
    await ban(ann);
    await world.deps.backend.queues[0]!.resume();
    const { body } = await get(world, "/v1/messages/unseen?wait=20", ben.id);
    expect(body.messages.map(({ id }: { id: string }) => id)).to.deep.equal([sent.body.message_id]);
    const members = (await get(world, toRoom(room), ben.id)).body.members;
    expect(members.map(({ id }: Person) => id)).to.deep.equal([ann.id, ben.id]);
    await say(world, ben, toUser(ann), "when you are back");
    const listed = await get(world, `/v1/users?username=${ann.username}`, ben.id);
    expect(listed.body.users).to.have.length(1);
  });

  it("ends with an un-ban: they sign in anew, wait and send, and what was ended stays so", async () => {
    const ann = await buildUser(world);
    const old = bearer(await tokenOf(ann));
    const bot = await call(other, "POST", "/v1/auth/tokens", { headers: old, body: { name: "bot" } });
    await ban(ann, { reason: "a mistake" });
    expect((await unban(ann)).status).to.equal(204);
    expect((await unban(ann)).status).to.equal(204);
    const again = bearer(await tokenOf(ann));
    for (const headers of [old, bearer(bot.body.token)]) expect((await me(headers)).status).to.equal(401);
    const read = call(other, "GET", "/v1/messages/unseen?wait=20", { headers: again });
    await say(world, await buildUser(world), toUser(ann), "welcome back");
    expect((await read).body.messages).to.have.length(1);
    // Also in the process that has banned them, and where they say who they are.
    expect((await get(world, "/v1/messages/unseen?wait=1", ann.id)).status).to.equal(200);
    const seen = (await get(world, `/v1/admin/users/${ann.id}`, root.id)).body;
    expect(seen).to.include({ state: "active", ban_reason: null, session_count: 1, token_count: 0 });
  });

  it("ends nothing any more once it is taken back, however late its own answer comes", async function () {
    if (!hasRedis()) return this.skip();
    const ann = await buildUser(world);
    const state = async () => (await get(world, `/v1/admin/users/${ann.id}`, root.id)).body.state;
    const redis = new Redis(world.env.REDIS_URL!);
    try {
      // What drops the list of users waits, and with it the answer to the ban; the ban itself does not.
      await redis.call("CLIENT", "PAUSE", "20000", "WRITE");
      const banned = ban(ann);
      while ((await state()) !== "banned");
      const back = unban(ann);
      while ((await get(world, "/v1/me", ann.id)).status !== 200);
      await redis.call("CLIENT", "UNPAUSE");
      expect([(await banned).status, (await back).status]).to.deep.equal([200, 204]);
      expect((await get(world, "/v1/me", ann.id)).status).to.equal(200);
    } finally {
      await redis.call("CLIENT", "UNPAUSE");
      redis.disconnect();
    }
  });

  it("is not for oneself, and not for whoever is not there", async () => {
    expectProblem(await ban(root), 403, "not_allowed");
    expectProblem(await ban({ id: 424_242, username: "" }), 404, "user_not_found");
    const closed = await buildUser(world);
    await call(world, "DELETE", toUser(closed), { as: closed.id });
    for (const answer of [await ban(closed), await unban(closed)]) expectProblem(answer, 404, "user_not_found");
  });

  it("of two admins who ban each other at the same moment leaves one", async () => {
    const [a, b] = [await buildAdmin(), await buildAdmin()];
    for (const { id } of [a, b]) await announceUser(world.deps.em, id);
    const answers = await Promise.all([ban(a, {}, b), ban(b, {}, a)]);
    expect(answers.map(({ status }) => status).toSorted()).to.deep.equal([200, 403]);
    expect(
      (await get(world, "/v1/admin/users?state=banned&q=user", root.id)).body.users.filter(isOneOf(a, b)),
    ).to.have.length(1);
  });

  const isOneOf =
    (...people: Person[]) =>
    ({ id }: Person) =>
      people.some((person) => person.id === id);

  it("and whatever else is done, an admin is left", async () => {
    const apart = await buildWorld({ worker: false });
    try {
      const [one, two] = (await buildUsers(apart, 2)) as [Person, Person];
      await rows(apart.deps.em, "update users set is_admin = true where id = any($1)", [[one.id, two.id]]);
      const demote = (who: Person, by: Person) =>
        call(apart, "PATCH", toUser(who), { as: by.id, body: { is_admin: false } });
      const both = await Promise.all([demote(one, two), demote(two, one)]);
      // Whoever is the later one is refused as the last admin, or as somebody who is none any more.
      const [first, second] = both.map(({ status }) => status).toSorted();
      expect([first, second === 403 ? 409 : second]).to.deep.equal([200, 409]);
      const [last] = await rows<Person>(apart.deps.em, "select id from users where is_admin");
      expectProblem(await demote(last!, last!), 409, "last_admin");
      expectProblem(await call(apart, "DELETE", toUser(last!), { as: last!.id }), 409, "last_admin");
    } finally {
      await apart.close();
    }
  });

  it("and everything else that admins do leaves a line that says who did it", async () => {
    const ann = await buildUser(world);
    await ban(ann, { reason: "spam" });
    await unban(ann);
    await call(world, "DELETE", `/v1/admin/users/${ann.id}/sessions`, { as: root.id });
    await call(world, "PATCH", toUser(ann), { as: root.id, body: { is_admin: true, first_name: "Ann" } });
    await call(world, "PATCH", toUser(ann), { as: ann.id, body: { first_name: "Anna" } });
    const client = (await post(world, "/v1/clients", { name: "server" }, root.id)).body;
    const revoked = await call(world, "DELETE", `/v1/clients/${client.id}`, { as: root.id });
    await call(world, "DELETE", toUser(ann), { as: root.id });
    const { actions, next } = (await get(world, "/v1/admin/actions?limit=7", root.id)).body;
    const told = actions.map(({ action, target, detail, actor }: Record<string, unknown>) => {
      expect(actor).to.deep.equal({ id: root.id, username: root.username });
      return [action, target, detail];
    });
    const id = String(ann.id);
    expect(told).to.deep.equal([
      ["user.close", id, null],
      ["client.revoke", client.id, { name: "server" }],
      ["client.create", client.id, { name: "server", scopes: ["read", "write"] }],
      ["user.change", id, { fields: ["first_name"], is_admin: true }],
      ["user.sign-out", id, null],
      ["user.unban", id, null],
      ["user.ban", id, { reason: "spam" }],
    ]);
    expect(actions[1].request_id).to.equal(revoked.headers.get("x-request-id"));
    const older = (await get(world, `/v1/admin/actions?limit=1&after=${next}`, root.id)).body.actions;
    expect(older.every((action: { id: number }) => action.id < Number(next))).to.equal(true);
  });

  it("finds people by name, address, id and state, page by page", async () => {
    const [ann, ben] = [
      await buildUser(world, { username: "searched-ann", email: "ann@searched.example" }),
      await buildUser(world, { username: "searched-ben" }),
    ];
    await ban(ben);
    const find = async (query: string) =>
      (await get(world, `/v1/admin/users?${query}`, root.id)).body.users.map(({ username }: Person) => username);
    expect(await find("q=SEARCHED")).to.deep.equal(["searched-ben", "searched-ann"]);
    expect(await find(`q=${ann.id}`)).to.include("searched-ann");
    expect(await find("q=searched&state=banned")).to.deep.equal(["searched-ben"]);
    expect(await find("q=%25")).to.deep.equal([]);
    const page = (await get(world, "/v1/admin/users?q=searched&limit=1", root.id)).body;
    expect(await find(`q=searched&limit=1&after=${page.next}`)).to.deep.equal(["searched-ann"]);
  });
});
