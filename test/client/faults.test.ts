import { randomInt } from "node:crypto";
import { expect } from "chai";
import { type ClientEvent, type Message, ParleyClient, type Transport } from "../../src/client/index.ts";
import { AppError } from "../../src/shared/errors.ts";
import { buildRoom, buildUsers, get, type Person } from "../calls.ts";
import { chance, oneOf } from "../faults/trial/chance.ts";
import { buildWorld, type World } from "../world.ts";
import { type Decide, FaultyProxy, type Strike } from "./faulty-proxy.ts";

const seed = Number(process.env["CLIENT_SEED"] ?? randomInt(2 ** 31));
/** As the product has it, only sooner. */
const hurried = {
  requestMs: 500,
  connectMs: 400,
  silenceMs: 300,
  pollMs: 1_000,
  backOffFirstMs: 10,
  backOffMostMs: 100,
};
const SENDS = 60;

/** One request in three goes wrong, in one way or another, and every stream sooner or later. */
function badWeather(words: string): Decide {
  const draw = chance(seed, words);
  const below = (most: number): number => Math.floor(draw() * most);
  // A stream that is caught up tells all of it in one event: what never lets one through lets nobody get on.
  const most = (path: string): number => (path.includes("live=sse") ? 40_000 : 8_000);
  const cuts: ((path: string) => Strike)[] = [
    (path) => ({ what: "cut", after: below(most(path)) }),
    (path) => ({ what: "mute", after: below(most(path)) }),
  ];
  const strikes: ((path: string) => Strike)[] = [
    ...cuts,
    () => ({ what: "refused" }),
    () => ({ what: "lost" }),
    () => ({ what: "stranger" }),
    () => ({ what: "slow", ms: below(200) }),
    () => ({ what: "problem", error: new AppError("overloaded", "busy", { headers: { "Retry-After": "0" } }) }),
  ];
  return ({ isSocket, path }) => {
    const isStream = isSocket || path.includes("live=sse");
    if (isStream && draw() < 0.8) return oneOf(cuts, draw)(path);
    return isStream || draw() < 1 / 3 ? oneOf(strikes, draw)(path) : undefined;
  };
}

describe(`the client, when much goes wrong (CLIENT_SEED=${seed})`, () => {
  let world: World;
  let proxy: FaultyProxy;
  let ann: Person;
  let ben: Person;
  const clients: ParleyClient[] = [];
  const clientOf = (person: Person, url = proxy.url, patience: object = hurried): ParleyClient => {
    const client = new ParleyClient({ url, auth: { userId: person.id }, patience });
    clients.push(client);
    return client;
  };

  before(async () => {
    world = await buildWorld();
    proxy = await FaultyProxy.before(world.url);
    [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
  });
  afterEach(() => {
    for (const client of clients.splice(0)) client.close();
    proxy.decide = () => undefined;
    proxy.reset();
  });
  after(async () => {
    await proxy?.close();
    await world?.close();
  });

  async function readTexts(events: AsyncIterable<ClientEvent>, count: number): Promise<string[]> {
    const texts: string[] = [];
    for await (const event of events) {
      if (event.type === "message.created") texts.push(event.data.text);
      if (texts.length >= count) break;
    }
    return texts;
  }

  async function storedIn(room: { id: number }): Promise<string[]> {
    const { body } = await get(world, `/v1/rooms/${room.id}/messages?limit=1000`, ann.id);
    return body.messages.map(({ text }: Message) => text).reverse();
  }

  for (const transport of ["websocket", "sse", "long-poll", undefined] as const satisfies (Transport | undefined)[]) {
    it(`stores every send once and tells every event once, in order, over ${transport ?? "whatever works"}`, async function () {
      this.timeout(60_000);
      const room = await buildRoom(world, [ann, ben]);
      const [mine, yours] = [clientOf(ann), clientOf(ben)];
      const { nextOffset: from } = await yours.rooms.list();
      proxy.decide = badWeather(transport ?? "any");
      const texts = Array.from({ length: SENDS }, (_, i) => `number ${i}`);
      const reading = readTexts(yours.events({ from, transport }), SENDS);
      const handles = texts.map((text) => mine.send({ room: room.id }, text));
      const stored = await Promise.all(handles.map((handle) => handle.stored));
      expect(stored.map(({ text }) => text)).to.deep.equal(texts);
      expect(await reading).to.deep.equal(texts);
      expect(await storedIn(room)).to.deep.equal(texts);
      expect([...proxy.struck.keys()]).to.include.members([
        "refused",
        "lost",
        "cut",
        "mute",
        "stranger",
        "slow",
        "problem",
      ]);
    });
  }

  it("tells two who write to each other the same story", async function () {
    this.timeout(60_000);
    const room = await buildRoom(world, [ann, ben]);
    const both = [clientOf(ann), clientOf(ben)];
    const { nextOffset: from } = await both[0]!.rooms.list();
    proxy.decide = badWeather("two");
    const each = SENDS / 2;
    const reading = both.map((client) => readTexts(client.events({ from }), SENDS));
    const handles = both.flatMap((client, who) =>
      Array.from({ length: each }, (_, i) => client.send({ room: room.id }, `${who}: ${i}`)),
    );
    await Promise.all(handles.map((handle) => handle.stored));
    const [mine, yours] = await Promise.all(reading);
    const stored = await storedIn(room);
    expect(mine).to.deep.equal(yours);
    expect(mine).to.have.members(stored).and.have.length(SENDS);
    for (const who of [0, 1]) {
      const own = stored.filter((text) => text.startsWith(`${who}:`));
      expect(own).to.deep.equal(Array.from({ length: each }, (_, i) => `${who}: ${i}`));
    }
    expect(handles.map(({ state }) => state)).to.deep.equal(handles.map(() => "stored"));
  });
});
