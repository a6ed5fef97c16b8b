import { expect } from "chai";
import { type EntityManager, inTransaction, rows } from "../../../src/shared/db/database.ts";
import { append } from "../../../src/shared/log/append.ts";
import { buildRoom, buildUsers, call, get, type Person, post, say, toRoom } from "../../calls.ts";
import { services } from "../../services.ts";
import { until } from "../../until.ts";
import { buildWorld, type World } from "../../world.ts";

interface Api {
  readonly url: string;
}

interface Entry {
  offset: string;
  type: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever comes
  data: any;
}

interface Event {
  readonly event: string;
  readonly id?: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever comes
  readonly data: any;
}

const texts = (entries: readonly Entry[]): string[] =>
  entries.filter(({ type }) => type === "message.created").map(({ data }) => data.text);
/** As long as a message may be, in characters that JSON writes as six. */
const lengthened = (text: string): string => text.padEnd(4_000, "\u0001");
const numbered = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, i) => `m${String(from + i).padStart(6, "0")}`);

describe("the event feed as server-sent events", () => {
  let world: World;
  let there: Awaited<ReturnType<World["startApi"]>>;
  let ann: Person;
  let ben: Person;
  let room: { id: number };
  /** Opened first, and looked at last. */
  let longest: { stream: Stream; since: number; ended: Promise<number> };
  const opened: AbortController[] = [];
  type Stream = Awaited<ReturnType<typeof open>>;

  before(async () => {
    world = await buildWorld();
    there = await world.startApi();
    const [zoe] = (await buildUsers(world, 1)) as [Person];
    const stream = await open(zoe, "/v1/events?offset=now", {}, there);
    opened.pop();
    const since = performance.now();
    longest = { stream, since, ended: stream.ended.then(() => performance.now() - since) };
  });
  beforeEach(async () => {
    [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
    room = await buildRoom(world, [ann, ben]);
  });
  afterEach(async () => {
    for (const controller of opened.splice(0)) controller.abort();
    await until(() => world.deps.hub.parked === 0);
  });
  after(() => world.close());

  /** A client that reads all the time, or only when it is told to. */
  async function open(who: Person, path: string, headers: Record<string, string> = {}, api: Api = world, eager = true) {
    const controller = new AbortController();
    opened.push(controller);
    const query = path.includes("?") ? "&" : "?";
    const response = await fetch(`${api.url}${path}${query}live=sse`, {
      headers: { "x-user-id": String(who.id), ...headers },
      signal: controller.signal,
    });
    const arrived: (() => void)[] = [];
    const stream = {
      response,
      /** Everything, as it came. */
      raw: "",
      live: false,
      stop: () => controller.abort(),
      events: () => stream.raw.split("\n\n").slice(0, -1).map(eventOf),
      entries: (): Entry[] => stream.events().flatMap(({ event, data }) => (event === "data" ? data : [])),
      async until(look: () => unknown): Promise<void> {
        while (!look()) await new Promise<void>((resolve) => arrived.push(resolve));
      },
      saysMore: (count: number) => stream.until(() => texts(stream.entries()).length >= count),
      isLive: () => stream.until(() => stream.live),
      /** Whether the answer was whole, or broken off. */
      async read(): Promise<"whole" | "cut"> {
        const decoder = new TextDecoder();
        let last = "";
        try {
          for await (const chunk of response.body!) {
            // Looked for in what is new: all of it, each time, would take longer than what is measured here.
            const text = decoder.decode(chunk, { stream: true });
            stream.raw += text;
            stream.live ||= (last + text).includes('"upToDate":true');
            last = text.slice(-20);
            for (const look of arrived.splice(0)) look();
          }
          return "whole";
        } catch {
          return "cut";
        }
      },
    };
    return Object.assign(stream, { ended: eager ? stream.read() : new Promise<"whole" | "cut">(() => {}) });
  }

  function eventOf(block: string): Event {
    const fields = Object.fromEntries(block.split("\n").map((line) => line.split(/: (.*)/s).slice(0, 2)));
    return { ...fields, data: fields["data"] === undefined ? undefined : JSON.parse(fields["data"]) };
  }

  const feedOf = (who: Person, offset = "-1", api: Api = world) => get(api, `/v1/events?offset=${offset}`, who.id);
  const nowhere = async () => (await feedOf(ben, "now")).headers.get("stream-next-offset")!;

  /** Many messages with one commit: they reach every reader within a few milliseconds. */
  async function sayMany(list: readonly string[], tx?: EntityManager): Promise<void> {
    if (!tx) return inTransaction(world.deps.em, (own) => sayMany(list, own));
    const sql = "select last_seq from rooms where id = $1 for update";
    const [{ last_seq }] = (await rows<{ last_seq: number }>(tx, sql, [room.id])) as [{ last_seq: number }];
    const rest = { roomId: room.id, senderId: ann.id, clientKey: null, acceptedAt: new Date().toISOString() };
    const messages = list.map((text, i) => ({ ...rest, id: world.deps.newId(), seq: last_seq + 1 + i, text }));
    await append(tx, { messages });
  }

  it("is written event by event: data with entries, control with where they end", async () => {
    const offset = await nowhere();
    const stream = await open(ben, `/v1/events?offset=${offset}`);
    expect(stream.response.status).to.equal(200);
    expect(stream.response.headers.get("content-type")).to.equal("text/event-stream; charset=utf-8");
    expect(stream.response.headers.get("cache-control")).to.equal("no-store");
    await stream.isLive();
    const cursors = () => [...stream.raw.matchAll(/"streamCursor":"(\d+)"/g)].map(([, cursor]) => cursor);
    const control = (at: string, i: number) =>
      `event: control\nid: ${at}\ndata: {"streamNextOffset":"${at}","streamCursor":"${cursors()[i]}","upToDate":true}\n\n`;
    expect(stream.raw).to.equal(control(offset, 0));
    await say(world, ann, toRoom(room), "line\nbreak and 字");
    await stream.until(() => cursors().length === 2);
    const answer = await feedOf(ben, offset);
    const [entry] = answer.body;
    const data = `event: data\nid: ${entry.offset}\ndata: ${JSON.stringify(answer.body)}\n\n`;
    expect(stream.raw).to.equal(`${control(offset, 0)}${data}${control(entry.offset, 1)}`);
  });

  it("resumes by offset and by Last-Event-ID, which counts for more", async () => {
    const start = await nowhere();
    await say(world, ann, toRoom(room), "one");
    const first = await open(ben, `/v1/events?offset=${start}`);
    await first.isLive();
    first.stop();
    const { id } = first.events().find(({ event }) => event === "data")!;
    await say(world, ann, toRoom(room), "two");
    for (const [path, headers] of [
      [`/v1/events?offset=${id}`, {}],
      ["/v1/events?offset=-1", { "last-event-id": id! }],
      ["/v1/events", { "last-event-id": first.events().at(-1)!.id! }],
    ] as const) {
      const again = await open(ben, path, headers);
      await again.isLive();
      expect(texts(again.entries()), path).to.deep.equal(["two"]);
    }
  });

  it("refuses an offset that is none, or of another log, before it begins", async () => {
    for (const [offset, status] of [
      ["nonsense", 400],
      ["0000000_0000000000000001", 410],
    ] as const) {
      expect((await get(world, `/v1/events?live=sse&offset=${offset}`, ben.id)).status).to.equal(status);
      const headers = { "last-event-id": offset };
      expect((await call(world, "GET", "/v1/events?live=sse", { as: ben.id, headers })).status).to.equal(status);
    }
  });

  it("brings a room to who joins while it is open, and nothing after the leaving", async () => {
    const other = await buildRoom(world, [ann]);
    await say(world, ann, toRoom(other), "before");
    const stream = await open(ben, "/v1/events?offset=now");
    await stream.isLive();
    await call(world, "PUT", `${toRoom(other)}/members/${ben.id}`, { as: ann.id });
    await say(world, ann, toRoom(other), "with ben");
    await call(world, "DELETE", `${toRoom(other)}/members/${ben.id}`, { as: ann.id });
    await say(world, ann, toRoom(other), "without ben");
    await say(world, ann, toRoom(room), "elsewhere");
    await stream.saysMore(2);
    const types = stream.entries().map(({ type }) => type);
    expect(types).to.deep.equal(["member.joined", "message.created", "member.left", "message.created"]);
    expect(texts(stream.entries())).to.deep.equal(["with ben", "elsewhere"]);
  });

  it("ends the stream of a room with the removal from it, or with the end of the room", async () => {
    for (const how of ["removed", "deleted"]) {
      const stream = await open(ben, `${toRoom(room)}/events?offset=now`);
      await stream.isLive();
      const path = how === "removed" ? `${toRoom(room)}/members/${ben.id}` : toRoom(room);
      expect((await call(world, "DELETE", path, { as: ann.id })).status).to.equal(204);
      expect(await stream.ended).to.equal("whole");
      const last = how === "removed" ? "member.left" : "room.deleted";
      expect(stream.entries().map(({ type }) => type)).to.deep.equal([last]);
      room = await buildRoom(world, [ann, ben]);
    }
  });

  it("tells others live how far somebody has read", async () => {
    const said = await say(world, ann, toRoom(room), "read me");
    const stream = await open(ann, "/v1/events?offset=now");
    await stream.isLive();
    await post(world, "/v1/messages/seen", { message_ids: [said.id] }, ben.id);
    await stream.until(() => stream.entries().length === 1);
    expect(stream.entries()[0]).to.deep.include({ type: "messages.seen", data: { user_id: ben.id, up_to_seq: 1 } });
  });

  it("tells nobody of a message that went with its room before anybody had read of it", async () => {
    const stream = await open(ben, "/v1/events?offset=now");
    await stream.isLive();
    await inTransaction(world.deps.em, async (tx) => {
      await sayMany(["gone"], tx);
      await append(tx, { entries: [{ type: "room.deleted", roomId: room.id, actorId: ann.id, data: {} }] });
      await rows(tx, "delete from rooms where id = $1", [room.id]);
    });
    await stream.until(() => stream.entries().some(({ type }) => type === "room.deleted"));
    expect(stream.entries().map(({ type }) => type)).to.deep.equal(["room.deleted"]);
  });

  it("ends when the session does, and is not opened for one that has ended", async () => {
    const strict = await world.startApi({ AUTH_MODE: "token", AUTH_SECRET: "s".repeat(40), RATE_LIMITS: "off" });
    const signedIn = await post(strict, "/v1/auth/login", { username: ben.username, password: "Passw0rd!" });
    const headers = { authorization: `Bearer ${signedIn.body.access_token}` };
    const stream = await open(ben, "/v1/events?offset=now", headers, strict);
    await stream.isLive();
    await call(strict, "POST", "/v1/auth/logout", { headers });
    expect(await stream.ended).to.equal("whole");
    expect(strict.deps.hub.parked).to.equal(0);
    expect((await open(ben, "/v1/events", headers, strict)).response.status).to.equal(401);
    await strict.close();
  });

  it("goes on at another API from where one has left off", async () => {
    const here = await open(ben, "/v1/events?offset=now");
    const other = await open(ben, "/v1/events?offset=now", {}, there);
    await Promise.all([here.isLive(), other.isLive()]);
    await say(there, ann, toRoom(room), "one");
    await Promise.all([here.saysMore(1), other.saysMore(1)]);
    expect(here.entries()).to.deep.equal(other.entries());
    here.stop();
    await say(world, ann, toRoom(room), "two");
    const next = await open(ben, "/v1/events", { "last-event-id": here.events().at(-1)!.id! }, there);
    await next.saysMore(1);
    expect(texts(next.entries())).to.deep.equal(["two"]);
  });

  it("asks the database once to open, and not at all when something comes", async () => {
    await say(world, ann, toRoom(room), "known by now");
    const { body } = await feedOf(ben);
    // Of its own, where nobody was before: those who leave are told of half a minute later.
    const api = await world.startApi();
    await get(api, "/v1/me", ben.id);
    api.statements.length = 0;
    const stream = await open(ben, `/v1/events?offset=${body.at(-1).offset}&presence=off`, {}, api);
    await stream.isLive();
    await post(world, `${toRoom(room)}/messages`, { text: "wake" }, ann.id);
    await stream.saysMore(1);
    expect(api.statements).to.have.length(1);
  });

  it("lets go of its reader within a second of the client's going", async () => {
    const stream = await open(ben, "/v1/events?offset=now");
    await stream.isLive();
    expect(world.deps.hub.parked).to.equal(1);
    const goneAt = performance.now();
    stream.stop();
    await until(() => world.deps.hub.parked === 0);
    expect(performance.now() - goneAt).to.be.below(1_000);
  });

  it("brings however much there is to catch up with, at the pace of the reader", async () => {
    const offset = await nowhere();
    await sayMany(numbered(0, 499).map(lengthened));
    const stream = await open(ben, `/v1/events?offset=${offset}`, {}, world, false);
    await sayMany(numbered(499, 998).map(lengthened));
    void stream.read();
    await stream.isLive();
    const short = texts(stream.entries()).map((text) => text.slice(0, 7));
    expect(short).to.deep.equal(numbered(0, 998));
  });

  it("is cut for who reads too slowly, and resumes without loss", async () => {
    const stream = await open(ben, "/v1/events?offset=now", {}, world, false);
    await until(() => world.deps.hub.parked > 0);
    for (let i = 0; world.deps.hub.parked > 0; i += 200) await sayMany(numbered(i, i + 200).map(lengthened));
    expect(await stream.read()).to.equal("cut");
    const again = await open(ben, "/v1/events", { "last-event-id": stream.events().at(-1)!.id! });
    await again.isLive();
    const all = [...texts(stream.entries()), ...texts(again.entries())].map((text) => text.slice(0, 7));
    expect(all.length % 200).to.equal(0);
    expect(all).to.deep.equal(numbered(0, all.length));
  });

  it("ends by itself after about a minute, and keeps the line alive until then", async function () {
    if (!services().slow) return this.skip();
    this.timeout(70_000);
    expect(await longest.ended).to.be.within(55_000, 61_000);
    expect(await longest.stream.ended).to.equal("whole");
    expect(longest.stream.raw.split("\n\n").filter((line) => line === ":")).to.have.length.within(2, 4);
  });

  it("ends at once when its server stops", async () => {
    const stream = await open(ben, "/v1/events?offset=now", {}, there);
    await stream.isLive();
    const askedAt = performance.now();
    const closed = there.close();
    expect(await stream.ended).to.equal("whole");
    expect(performance.now() - askedAt).to.be.below(1_000);
    await closed;
  });
});
