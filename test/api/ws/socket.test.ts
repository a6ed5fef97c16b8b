import { once } from "node:events";
import { connect } from "node:net";
import { text as textOf } from "node:stream/consumers";
import { expect } from "chai";
import { decodeJwt, decodeProtectedHeader, SignJWT } from "jose";
import { WebSocket } from "ws";
import { hashSecret } from "../../../src/api/auth/secrets.ts";
import { inTransaction, oneRow, rows } from "../../../src/shared/db/database.ts";
import { append } from "../../../src/shared/log/append.ts";
import { keys } from "../../../src/shared/store/store.ts";
import { buildRoom, buildUser, buildUsers, call, get, type Person, post, say, toRoom, toUser } from "../../calls.ts";
import { startApi } from "../../processes.ts";
import { services } from "../../services.ts";
import { openSocket } from "../../sockets.ts";
import { until } from "../../until.ts";
import { buildWorld, type World } from "../../world.ts";

interface Api {
  readonly url: string;
}

interface Room {
  readonly id: number;
}

const SECRET = "s".repeat(40);
const PASSWORD = "Passw0rd!"; // of everybody that buildUser makes
const asUser = ({ id }: Person) => ({ "x-user-id": String(id) });
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

describe("a socket", () => {
  let world: World;
  /** On the same database, and believes tokens only. */
  let strict: Api;
  let ann: Person;
  let ben: Person;
  let room: Room;
  /** Opened first, and looked at last. */
  let idle: { client: Awaited<ReturnType<typeof connectAs>>; pinged: Promise<number> };
  const open: WebSocket[] = [];

  before(async () => {
    world = await buildWorld();
    strict = await world.startApi({ AUTH_MODE: "token", AUTH_SECRET: SECRET, RATE_LIMITS: "off" });
    const client = await connectAs(await buildUser(world));
    open.pop();
    const since = performance.now();
    idle = { client, pinged: once(client.ws, "ping").then(() => performance.now() - since) };
  });
  beforeEach(async () => {
    [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
    room = await buildRoom(world, [ann, ben]);
  });
  afterEach(() => {
    for (const ws of open.splice(0)) ws.terminate();
  });
  after(() => {
    idle.client.ws.terminate();
    return world.close();
  });

  async function connectAs(who: Person | Record<string, string>, api: Api = world, query = "") {
    const client = await openSocket(api, "id" in who ? asUser(who as Person) : who, query);
    open.push(client.ws);
    return client;
  }

  /** What the handshake is refused with. */
  async function refusal(headers: Record<string, string>, api: Api = world, path = "/v1/ws") {
    const ws = new WebSocket(`${api.url.replace("http", "ws")}${path}`, { headers });
    ws.on("open", () => ws.emit("error", new Error(`${path} was opened`)));
    const [, response] = await once(ws, "unexpected-response");
    const body = JSON.parse(await textOf(response));
    expect(response.headers["content-type"]).to.match(/^application\/problem\+json/);
    expect(body).to.include({ status: response.statusCode, request_id: response.headers["x-request-id"] });
    return { said: `${body.status} ${body.code}`, headers: response.headers };
  }

  const nowhere = async (): Promise<string> =>
    (await get(world, "/v1/events?offset=now", ann.id)).headers.get("stream-next-offset")!;

  /** Many messages with one commit: they reach every reader within a few milliseconds. */
  const sayMany = (texts: readonly string[]): Promise<unknown> =>
    inTransaction(world.deps.em, async (tx) => {
      const sql = "select last_seq from rooms where id = $1 for update";
      const { last_seq } = (await oneRow<{ last_seq: number }>(tx, sql, [room.id]))!;
      const rest = { roomId: room.id, senderId: ann.id, clientKey: null, acceptedAt: new Date().toISOString() };
      const messages = texts.map((text, i) => ({ ...rest, id: world.deps.newId(), seq: last_seq + 1 + i, text }));
      await append(tx, { messages });
    });

  const numbered = (from: number, to: number): string[] =>
    Array.from({ length: to - from }, (_, i) => `m${String(from + i).padStart(6, "0")}`);

  describe("answers", () => {
    it("a ping, a message and a mark, each under the ref that it came with", async () => {
      const { ask, send, until, got } = await connectAs(ann);
      expect(await ask("ping")).to.deep.include({ event: "pong" });
      send("ping", { any: "thing" }, 7);
      await until(() => got.find(({ event, ref }) => event === "pong" && ref === 7));
      const accepted = await ask("message", { room_id: room.id, text: " hi " });
      expect(accepted.event).to.equal("accepted");
      expect(accepted.data.task_id).to.equal(accepted.data.message_id);
      const task = await get(world, `/v1/tasks/${accepted.data.task_id}?wait=10`, ann.id);
      expect(task.body.result).to.include({ id: accepted.data.message_id, text: "hi", room_id: room.id });
    });

    it("a message to a person, and one that is sent twice under a key as one", async () => {
      const { ask } = await connectAs(ann);
      const one = await ask("message", { to: ben.id, text: "psst", client_key: "k" });
      const two = await ask("message", { to: ben.id, text: "psst", client_key: "k" });
      expect(two.data).to.deep.equal(one.data);
      await get(world, `/v1/tasks/${one.data.task_id}?wait=10`, ann.id);
      const { body } = await get(world, `${toUser(ann)}/messages`, ben.id);
      expect(body.messages.map(({ text }: { text: string }) => text)).to.deep.equal(["psst"]);
    });

    it("a mark by message or by room, and the other members hear of it", async () => {
      const [first, second] = [await say(world, ann, toRoom(room), "1"), await say(world, ann, toRoom(room), "2")];
      const [here, there] = [await connectAs(ben), await connectAs(ann)];
      await there.ask("subscribe", { offset: "now" });
      for (const [data, seq] of [
        [{ message_id: first.id }, 1],
        [{ room_id: room.id, up_to: second.id }, 2],
      ] as const) {
        const { event, data: accepted } = await here.ask("read", data);
        expect([event, Object.keys(accepted)]).to.deep.equal(["accepted", ["task_id"]]);
        const seen = await there.until(() => there.entries().find((entry) => entry.data.up_to_seq === seq));
        expect(seen).to.deep.include({ type: "messages.seen", room_id: room.id, actor_id: ben.id });
        expect(seen.data).to.deep.equal({ user_id: ben.id, up_to_seq: seq });
      }
    });

    it("50 messages written in one go in the order in which they were written", async () => {
      const { send, until, got } = await connectAs(ann);
      for (const [i, text] of numbered(0, 50).entries()) send("message", { room_id: room.id, text }, i);
      await until(() => got[49]);
      expect(got.map(({ ref }) => ref)).to.deep.equal(numbered(0, 50).map((_, i) => i));
      for (const { data } of got) await get(world, `/v1/tasks/${data.task_id}?wait=10`, ann.id);
      const { body } = await get(world, `${toRoom(room)}/messages`, ben.id);
      expect(body.messages.map(({ text }: { text: string }) => text)).to.have.members(numbered(0, 50));
      const ids = body.messages.map(({ id }: { id: string }) => id).sort();
      expect(ids).to.deep.equal(got.map(({ data }) => data.message_id));
    });

    it("what was written before a goodbye, as if there had been none", async () => {
      const { send, ws, closed } = await connectAs(ann);
      const watching = await connectAs(ben);
      await watching.ask("subscribe", { offset: "now" });
      for (const text of numbered(0, 30)) send("message", { room_id: room.id, text });
      ws.close();
      expect(await closed).to.equal(1005);
      await watching.saysMore(30);
      expect(watching.texts()).to.have.members(numbered(0, 30));
    });

    it("a bad frame with an error that names the fields and carries its ref, and stays open", async () => {
      const client = await connectAs(ann);
      const frame = (event: unknown, data?: unknown) => JSON.stringify({ event, data, ref: "x" });
      const cases: [sent: string | Buffer, code: string, paths: string[], ref?: string][] = [
        ["not json", "malformed_json", []],
        ["", "malformed_json", []],
        ['"text"', "validation_failed", [""]],
        ["null", "validation_failed", [""]],
        ["[]", "validation_failed", [""]],
        ['{"ref":"x"}', "validation_failed", ["event"], "x"],
        ['{"event":"ping","ref":{}}', "validation_failed", ["ref"]],
        ['{"event":"ping","ref":"x","more":1}', "validation_failed", ["more"], "x"],
        [Buffer.from(frame("ping")), "validation_failed", []],
        [frame("message", { room_id: room.id, text: "x".repeat(70_000) }), "body_too_large", []],
        [frame("fly"), "validation_failed", ["event"], "x"],
        [frame("constructor"), "validation_failed", ["event"], "x"],
        [frame(7), "validation_failed", ["event"], "x"],
        [frame("message"), "validation_failed", ["text"], "x"],
        [frame("message", { room_id: room.id }), "validation_failed", ["text"], "x"],
        [frame("message", { text: "to nobody" }), "validation_failed", ["room_id"], "x"],
        [frame("message", { room_id: room.id, to: ben.id, text: "both" }), "validation_failed", ["room_id"], "x"],
        [frame("message", { room_id: "1", text: 5, more: 1 }), "validation_failed", ["room_id", "text", "more"], "x"],
        [frame("message", { room_id: room.id, text: "\0" }), "validation_failed", ["text"], "x"],
        [frame("read", { message_id: 5 }), "validation_failed", [], "x"],
        [frame("read", {}), "validation_failed", [], "x"],
        [frame("typing", {}), "validation_failed", ["room_id"], "x"],
        [frame("subscribe", {}), "validation_failed", ["offset"], "x"],
        [frame("subscribe", { offset: "yesterday" }), "validation_failed", ["offset"], "x"],
        [frame("subscribe", { offset: "0000000_0000000000000001" }), "offset_gone", [], "x"],
        [frame("message", { room_id: 999_999, text: "x" }), "room_not_found", [], "x"],
        [frame("message", { to: 999_999, text: "x" }), "user_not_found", [], "x"],
        [frame("message", { to: ann.id, text: "x" }), "message_to_self", [], "x"],
        [frame("typing", { room_id: 999_999 }), "room_not_found", [], "x"],
        [frame("read", { message_id: crypto.randomUUID() }), "message_not_found", [], "x"],
      ];
      for (const [i, [sent, code, paths, ref]] of cases.entries()) {
        client.ws.send(sent);
        const answer = await client.until(() => client.got[i]);
        const named = `${String(sent).slice(0, 80)} → ${JSON.stringify(answer)}`;
        expect(answer.event, named).to.equal("error");
        expect([answer.data.code, answer.ref], named).to.deep.equal([code, ref]);
        expect(
          (answer.data.errors ?? []).map(({ path }: { path: string }) => path),
          named,
        ).to.include.members(paths);
        expect(answer.data, named).to.include({ type: `urn:parley:problem:${code}` });
      }
      expect((await client.ask("ping")).event).to.equal("pong");
    });
  });

  describe("follows the feed", () => {
    it("from an offset on: what there is, then what comes, each once and ascending", async () => {
      await say(world, ann, toRoom(room), "before");
      const client = await connectAs(ben);
      const { event, data } = await client.ask("subscribe", { offset: "-1" });
      expect(event).to.equal("subscribed");
      expect(client.entries().map(({ type }) => type)).to.deep.equal(["room.created", "message.created"]);
      expect(data.offset >= client.entries().at(-1).offset).to.equal(true);
      await say(world, ann, toRoom(room), "after");
      await client.saysMore(2);
      const feed = (await get(world, "/v1/events", ben.id)).body;
      expect(client.entries()).to.deep.equal(feed);
    });

    it("and goes on from its last entry after a broken connection", async () => {
      const first = await connectAs(ben);
      await first.ask("subscribe", { offset: "now" });
      await say(world, ann, toRoom(room), "one");
      await first.saysMore(1);
      first.ws.terminate();
      await say(world, ann, toRoom(room), "two");
      const second = await connectAs(ben);
      await second.ask("subscribe", { offset: first.entries().at(-1).offset });
      await say(world, ann, toRoom(room), "three");
      await second.saysMore(2);
      expect(second.texts()).to.deep.equal(["two", "three"]);
    });

    it("once, however often it is subscribed, and not at all after an offset that is gone", async () => {
      const client = await connectAs(ben);
      for (let i = 0; i < 3; i++) await client.ask("subscribe", { offset: "now" });
      expect((await client.ask("subscribe", { offset: "nonsense" })).data.code).to.equal("validation_failed");
      await say(world, ann, toRoom(room), "once");
      await client.saysMore(1);
      const [epoch] = (await nowhere()).split("_");
      const ahead = await client.ask("subscribe", { offset: `${epoch}_0000009999999999` });
      expect(ahead.data.code).to.equal("offset_gone");
      await say(world, ann, toRoom(room), "unheard");
      await client.ask("ping");
      expect(client.texts()).to.deep.equal(["once"]);
    });

    it("of a room from the joining on, without reconnecting, and to the leaving and no further", async () => {
      const other = await buildRoom(world, [ann]);
      await say(world, ann, toRoom(other), "before");
      const client = await connectAs(ben);
      await client.ask("subscribe", { offset: "now" });
      await call(world, "PUT", `${toRoom(other)}/members/${ben.id}`, { as: ann.id });
      await say(world, ann, toRoom(other), "with ben");
      await call(world, "DELETE", `${toRoom(other)}/members/${ben.id}`, { as: ann.id });
      await say(world, ann, toRoom(other), "without ben");
      await say(world, ann, toRoom(room), "elsewhere");
      await client.saysMore(2);
      expect(client.texts()).to.deep.equal(["with ben", "elsewhere"]);
      const types = client.entries().map(({ type }) => type);
      expect(types).to.deep.equal(["member.joined", "message.created", "member.left", "message.created"]);
    });

    it("in each of 100 tabs", async () => {
      const tabs = await Promise.all(Array.from({ length: 100 }, () => connectAs(ben)));
      await Promise.all(tabs.map((tab) => tab.ask("subscribe", { offset: "now" })));
      await say(world, ann, toRoom(room), "to all");
      await Promise.all(tabs.map((tab) => tab.saysMore(1)));
      expect(tabs.flatMap((tab) => tab.texts())).to.deep.equal(tabs.map(() => "to all"));
      for (const { ws } of tabs) ws.terminate();
      await until(() => world.deps.hub.parked === 0);
    });

    it("also when 500 messages come within some milliseconds: all of them, ascending", async () => {
      const client = await connectAs(ben);
      await client.ask("subscribe", { offset: "now" });
      await Promise.all([sayMany(numbered(0, 300)), sayMany(numbered(300, 500)), say(world, ann, toRoom(room), "hi")]);
      await client.saysMore(501);
      const offsets = client.entries().map(({ offset }) => offset);
      expect(offsets).to.deep.equal([...new Set(offsets)].sort());
      expect(client.texts()).to.have.members([...numbered(0, 500), "hi"]);
    });

    it("without a question to the database when something comes", async () => {
      // Of its own, where nobody was before: those who leave are told of half a minute later.
      const api = await world.startApi();
      const client = await connectAs(ben, api, "?presence=off");
      await client.ask("subscribe", { offset: "now" });
      api.statements.length = 0;
      await post(world, `${toRoom(room)}/messages`, { text: "wake" }, ann.id);
      await client.saysMore(1);
      expect(api.statements).to.deep.equal([]);
    });

    it("however much there is to catch up with, at the pace of the reader", async () => {
      const offset = await nowhere();
      await sayMany(numbered(0, 499).map(lengthened));
      const client = await connectAs(ben);
      client.send("subscribe", { offset });
      await once(client.ws, "message");
      client.ws.pause();
      await sayMany(numbered(499, 998).map(lengthened));
      client.ws.resume();
      await client.until(() => client.got.find(({ event }) => event === "subscribed"));
      expect(client.texts().map((text) => text.slice(0, 7))).to.deep.equal(numbered(0, 998));
    });

    it("until it reads too slowly: it is cut, and goes on where it was", async () => {
      const client = await connectAs(ben);
      const { data } = await client.ask("subscribe", { offset: "now" });
      client.ws.pause();
      for (let i = 0; world.deps.hub.parked > 0; i += 200) await sayMany(numbered(i, i + 200).map(lengthened));
      client.ws.resume();
      expect(await client.closed).to.equal(1006);
      const last = client.entries().at(-1)?.offset ?? data.offset;
      const again = await connectAs(ben);
      await again.ask("subscribe", { offset: last });
      const all = [...client.texts(), ...again.texts()].map((text) => text.slice(0, 7));
      expect(all.length % 200).to.equal(0);
      expect(all).to.deep.equal(numbered(0, all.length));
    });
  });

  describe("opens", () => {
    const ticketOf = async (who: Person) => (await post(world, "/v1/auth/ticket", {}, who.id)).body.ticket as string;

    it("with a ticket, once", async () => {
      const ticket = await ticketOf(ann);
      const { ask } = await connectAs({}, strict, `?ticket=${ticket}`);
      const { data } = await ask("message", { room_id: room.id, text: "mine" });
      expect((await get(world, `/v1/tasks/${data.task_id}?wait=10`, ann.id)).body.result.sender.id).to.equal(ann.id);
      expect((await refusal({}, strict, `/v1/ws?ticket=${ticket}`)).said).to.equal("401 token_invalid");
      const fresh = await ticketOf(ann);
      const tries = Array.from({ length: 10 }, () => connectAs({}, strict, `?ticket=${fresh}`));
      const opened = (await Promise.allSettled(tries)).filter(({ status }) => status === "fulfilled");
      expect(opened).to.have.length(1);
    });

    it("not with a ticket that is stale or made up", async () => {
      const ticket = await ticketOf(ann);
      const name = keys.ticket(hashSecret(ticket).toString("base64url"));
      // Half a minute passes.
      await world.deps.backend.store.set(name, "{}", 1);
      while ((await world.deps.backend.store.get(name)) !== null);
      for (const bad of [ticket, "garbage", "", "%00"]) {
        const { said, headers } = await refusal({}, strict, `/v1/ws?ticket=${bad}`);
        expect([bad, said]).to.deep.equal([bad, "401 token_invalid"]);
        expect(headers["www-authenticate"]).to.equal('Bearer realm="parley", error="invalid_token"');
      }
    });

    it("in demo mode for whoever one says to be, and nowhere else", async () => {
      const { ask } = await connectAs({}, world, `?user_id=${ann.id}`);
      expect((await ask("message", { to: ben.id, text: "hi" })).event).to.equal("accepted");
      expect((await refusal({})).said).to.equal("401 not_signed_in");
      expect((await refusal({ "x-user-id": "999999" })).said).to.equal("401 not_signed_in");
      expect((await refusal({ "x-user-id": "x" })).said).to.equal("400 validation_failed");
      expect((await refusal(asUser(ann), strict)).said).to.equal("401 not_signed_in");
      expect((await refusal(asUser(ann), world, "/v1/rooms")).said).to.equal("404 route_not_found");
    });

    it("in demo mode for no page of another origin", async () => {
      expect((await refusal({ ...asUser(ann), origin: "https://evil.example" })).said).to.equal("403 not_allowed");
      const own = await connectAs({ ...asUser(ann), origin: world.url });
      expect((await own.ask("ping")).event).to.equal("pong");
    });

    it("for an API key, which may do over it what its scopes allow", async () => {
      await rows(world.deps.em, "update users set is_admin = true where id = $1", [ann.id]);
      world.deps.directory.forgetUser(ann.id);
      const { body } = await post(world, "/v1/clients", { name: "reader", scopes: ["read"] }, ann.id);
      const client = await connectAs({ "x-api-key": body.api_key, "x-act-as": String(ben.id) }, strict);
      expect((await client.ask("subscribe", { offset: "now" })).event).to.equal("subscribed");
      for (const [event, data] of [
        ["message", { room_id: room.id, text: "x" }],
        ["typing", { room_id: room.id }],
        ["read", { room_id: room.id, up_to: 0 }],
      ] as const) {
        expect((await client.ask(event, data)).data.code).to.equal("insufficient_scope");
      }
    });

    it("beside other upgrades, which are plain requests here", async () => {
      const { port } = new URL(world.url);
      const socket = connect(Number(port), "127.0.0.1");
      socket.write(
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings, close\r\n" +
          "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n",
      );
      expect((await textOf(socket)).split("\r\n")[0]).to.equal("HTTP/1.1 200 OK");
    });

    it("not without a key, which is a problem like any other", async () => {
      const { port } = new URL(world.url);
      const socket = connect(Number(port), "127.0.0.1");
      socket.write(
        "GET /v1/ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
          `Sec-WebSocket-Version: 13\r\nX-User-Id: ${ann.id}\r\n\r\n`,
      );
      const [head, body] = (await textOf(socket)).split("\r\n\r\n") as [string, string];
      expect(head)
        .to.match(/^HTTP\/1\.1 400 /)
        .and.match(/^content-type: application\/problem\+json/im);
      expect(JSON.parse(body)).to.include({ status: 400, code: "malformed_request" });
    });
  });

  describe("closes", () => {
    const signIn = async ({ username }: Person): Promise<string> =>
      (await post(strict, "/v1/auth/login", { username, password: PASSWORD })).body.access_token;

    it("with 4401 when the session ends, at once, and listens to nothing more", async () => {
      const token = await signIn(ben);
      const client = await connectAs(bearer(token), strict);
      await client.ask("subscribe", { offset: "now" });
      client.ws.pause(); // so that it does not hear of the end before it has said more
      await call(strict, "POST", "/v1/auth/logout", { headers: bearer(token) });
      const endedAt = performance.now();
      client.send("message", { room_id: room.id, text: "too late" });
      client.ws.resume();
      expect(await client.closed).to.equal(4401);
      expect(performance.now() - endedAt).to.be.below(1_000);
      await say(world, ann, toRoom(room), "last");
      const { body } = await get(world, `${toRoom(room)}/messages`, ann.id);
      expect(body.messages.map(({ text }: { text: string }) => text)).to.deep.equal(["last"]);
      expect(client.texts()).to.deep.equal([]);
    });

    it("with 4401 when the token expires", async () => {
      const token = await signIn(ben);
      const claims = decodeJwt(token);
      const soon = await new SignJWT({ ...claims, exp: Math.floor(world.deps.now() / 1_000) + 1 })
        .setProtectedHeader({ ...decodeProtectedHeader(token), alg: "HS256" })
        .sign(new TextEncoder().encode(SECRET));
      const { closed } = await connectAs(bearer(soon), strict);
      const openedAt = performance.now();
      expect(await closed).to.equal(4401);
      expect(performance.now() - openedAt).to.be.below(2_000);
    });

    it("with 4401, or is not opened, when a ticket's token was revoked meanwhile", async () => {
      const auth = { headers: bearer(await signIn(ben)) };
      const made = await call(strict, "POST", "/v1/auth/tokens", { ...auth, body: { name: "bot" } });
      const asBot = { headers: bearer(made.body.token) };
      const { body } = await call(strict, "POST", "/v1/auth/ticket", { ...asBot, body: {} });
      expect((await call(strict, "DELETE", `/v1/auth/tokens/${made.body.id}`, auth)).status).to.equal(204);
      expect((await refusal({}, strict, `/v1/ws?ticket=${body.ticket}`)).said).to.equal("401 token_invalid");
    });

    it("with 1008 when it goes on too fast after having been told to wait", async () => {
      const limited = await world.startApi({ RATE_LIMITS: "on", RATE_SENDS: "10" });
      const { send, closed, got } = await connectAs(await buildUser(world), limited);
      for (let i = 0; i < 100; i++) send("typing", { room_id: room.id }, i);
      expect(await closed).to.equal(1008);
      expect(got.filter(({ data }) => data.code === "rate_limited")).to.have.length(51);
      await limited.close();
    });

    it("with 1013 when its server stops, which waits for nobody who does not say goodbye", async () => {
      const { DATABASE_URL, REDIS_URL, QUEUE_NAME } = world.env;
      const api = await startApi({ DATABASE_URL, REDIS_URL, QUEUE_NAME, AUTH_MODE: "demo", PORT: "0" });
      try {
        const clients = await Promise.all([connectAs(ann, api), connectAs(ben, api)]);
        for (const { ask } of clients) await ask("subscribe", { offset: "now" });
        const [polite, stalled] = clients as [(typeof clients)[0], (typeof clients)[0]];
        stalled.ws.pause();
        const askedAt = performance.now();
        api.signal("SIGTERM");
        expect(await polite.closed).to.equal(1013);
        expect(performance.now() - askedAt).to.be.below(1_000);
        expect(await api.exited).to.equal(0);
        expect(performance.now() - askedAt).to.be.below(5_000);
      } finally {
        await api.end();
      }
    });

    it("and lets go of its reader within a second of the client's going", async () => {
      const client = await connectAs(ben);
      await client.ask("subscribe", { offset: "now" });
      expect(world.deps.hub.parked).to.equal(1);
      const goneAt = performance.now();
      client.ws.terminate();
      await until(() => world.deps.hub.parked === 0);
      expect(performance.now() - goneAt).to.be.below(1_000);
    });

    it("not while it is idle: it is asked every 25 seconds whether it is still there", async function () {
      if (!services().slow) return this.skip();
      this.timeout(30_000);
      expect((await idle.client.ask("ping")).event).to.equal("pong");
      expect(await idle.pinged).to.be.below(26_000);
    });
  });
});

/** As long as a message may be, in characters that JSON writes as six. */
const lengthened = (text: string): string => text.padEnd(4_000, "\u0001");
