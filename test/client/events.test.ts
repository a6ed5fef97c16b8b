import { getEventListeners } from "node:events";
import { expect } from "chai";
import {
  type ClientEvent,
  type ConnectionStatus,
  type EventsOptions,
  type ParleyClient,
  Problem,
  type Transport,
} from "../../src/client/index.ts";
import { AppError } from "../../src/shared/errors.ts";
import { buildRoom, buildUsers, call, type Person, say, toRoom } from "../calls.ts";
import { until } from "../until.ts";
import { buildWorld, type World } from "../world.ts";
import { clientsOf } from "./clients.ts";
import { FaultyProxy } from "./faulty-proxy.ts";

const transports = ["websocket", "sse", "long-poll"] as const satisfies Transport[];

/** Reads on in the background, and waits for what has not come yet. */
function follow(client: ParleyClient, options: EventsOptions = {}) {
  const events: ClientEvent[] = [];
  const statuses: ConnectionStatus[] = [];
  const looks = new Set<() => void>();
  const look = (): void => {
    for (const each of looks) each();
  };
  const onStatus = (status: ConnectionStatus): void => {
    statuses.push(status);
    look();
  };
  const read = async (): Promise<void> => {
    for await (const event of client.events({ ...options, onStatus })) {
      events.push(event);
      look();
    }
  };
  const ended = read();
  ended.then(look, look);
  const until = (holds: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const each = (): void => {
        if (!holds()) return;
        looks.delete(each);
        resolve();
      };
      looks.add(each);
      each();
    });
  const texts = (): string[] => events.flatMap((event) => (event.type === "message.created" ? [event.data.text] : []));
  const live = (transport: Transport): Promise<void> =>
    until(() => statuses.at(-1)?.state === "live" && statuses.at(-1)?.transport === transport);
  return { events, statuses, ended, until, texts, live };
}

describe("the client's events", () => {
  let world: World;
  let proxy: FaultyProxy;
  let ann: Person;
  let ben: Person;
  let room: { id: number };
  const clients = clientsOf(() => proxy.url);

  before(async () => {
    world = await buildWorld();
    proxy = await FaultyProxy.before(world.url);
    [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
    room = await buildRoom(world, [ann, ben]);
  });
  afterEach(() => {
    clients.closeAll();
    proxy.decide = () => undefined;
    proxy.reset();
  });
  after(async () => {
    await proxy?.close();
    await world?.close();
  });

  for (const transport of transports) {
    describe(`over ${transport}`, () => {
      it("begin again where the log does not go on, and say so first", async () => {
        const reader = follow(clients.of(ben), { from: "00000000_0000000000000001", transport });
        await reader.until(() => reader.events.length > 0);
        const [resync] = reader.events as [Extract<ClientEvent, { type: "resync" }>];
        expect(resync.type).to.equal("resync");
        await say(world, ann, toRoom(room), `after the gap, ${transport}`);
        await reader.until(() => reader.texts().length > 0);
        expect(reader.texts()).to.deep.equal([`after the gap, ${transport}`]);
        expect(reader.events.filter(({ type }) => type === "resync")).to.have.length(1);
      });

      it("notice a connection that is dead without saying so", async () => {
        const client = clients.of(ben, { silenceMs: 200 });
        const { nextOffset: from } = await client.rooms.list();
        let left = 1;
        proxy.decide = ({ path, isSocket }) =>
          (isSocket || path.includes("live=")) && left-- > 0 ? { what: "mute", after: 400 } : undefined;
        const reader = follow(client, { from, transport });
        await reader.until(() => proxy.struck.has("mute"));
        for (const text of ["one", "two", "three"]) await say(world, ann, toRoom(room), `${text} ${transport}`);
        await reader.until(() => reader.texts().length === 3);
        expect(reader.texts()).to.deep.equal([`one ${transport}`, `two ${transport}`, `three ${transport}`]);
        proxy.struck.clear();
      });

      it("tell who types and who comes", async () => {
        const reader = follow(clients.of(ben), { transport });
        await reader.live(transport);
        clients.of(ann).typing(room.id);
        // A poll takes it along with the next answer.
        await say(world, ann, toRoom(room), "typed");
        await reader.until(() => reader.events.some(({ type }) => type === "typing"));
        expect(reader.events.find(({ type }) => type === "typing")).to.deep.equal({
          type: "typing",
          room_id: room.id,
          user_id: ann.id,
        });
      });

      it("end at once when they are aborted, and leave nothing behind", async () => {
        const aborting = new AbortController();
        const reader = follow(clients.of(ben), { transport, signal: aborting.signal });
        await reader.live(transport);
        aborting.abort();
        await reader.ended;
        expect(getEventListeners(aborting.signal, "abort")).to.have.length(0);
        await until(() => world.deps.hub.parked === 0);
      });

      it("end with the loop that reads them", async () => {
        const client = clients.of(ben);
        const { nextOffset: from } = await client.rooms.list();
        await say(world, ann, toRoom(room), "last");
        for await (const _ of client.events({ from, transport })) break;
        await until(() => world.deps.hub.parked === 0);
      });

      it("wait for a reader who is slow, and lose nothing", async () => {
        const client = clients.of(ben);
        const { nextOffset: from } = await client.rooms.list();
        const iterator = client.events({ from, transport })[Symbol.asyncIterator]();
        const first = iterator.next();
        const count = 1_200; // more than it keeps
        await Promise.all(
          Array.from({ length: count }, (_, i) =>
            call(world, "POST", `${toRoom(room)}/messages`, { as: ann.id, body: { text: `${i}` } }),
          ),
        );
        const texts: string[] = [];
        for (let event = (await first).value!; ; event = (await iterator.next()).value!) {
          if (event.type === "message.created" && texts.push(event.data.text) === count) break;
        }
        expect(new Set(texts).size).to.equal(count);
        await iterator.return!();
      });
    });
  }

  it("fall back to what works, and go back to what is better once that does", async () => {
    const client = clients.of(ben, { betterAfterMs: 300, connectMs: 300, silenceMs: 300 });
    let blocked = ["socket", "sse"];
    proxy.decide = ({ path, isSocket }) => {
      if (isSocket) return blocked.includes("socket") ? { what: "refused" } : undefined;
      // A proxy that keeps back what it has not got whole.
      return path.includes("live=sse") && blocked.includes("sse") ? { what: "mute", after: 0 } : undefined;
    };
    const { nextOffset: from } = await client.rooms.list();
    const reader = follow(client, { from });
    await reader.live("long-poll");
    await say(world, ann, toRoom(room), "by poll");
    blocked = ["socket"];
    await reader.live("sse");
    await say(world, ann, toRoom(room), "by stream");
    await reader.until(() => reader.texts().length === 2);
    blocked = [];
    await reader.live("websocket");
    await say(world, ann, toRoom(room), "by socket");
    await reader.until(() => reader.texts().length === 3);
    expect(reader.texts()).to.deep.equal(["by poll", "by stream", "by socket"]);
  });

  it("do without a WebSocket where there is none", async () => {
    const reader = follow(clients.of(ben, {}, { WebSocket: null }));
    await reader.live("sse");
  });

  it("wait as long as the server asks, and say until when", async () => {
    let refusals = 1;
    proxy.decide = ({ path }) =>
      path.includes("live=sse") && refusals-- > 0
        ? { what: "problem", error: new AppError("overloaded", "busy", { headers: { "Retry-After": "1" } }) }
        : undefined;
    const reader = follow(clients.of(ben), { transport: "sse" });
    await reader.live("sse");
    const waiting = reader.statuses.find(({ state }) => state === "waiting")!;
    expect(waiting.lastProblem).to.be.instanceOf(Problem).and.include({ code: "overloaded", retryAfterMs: 1_000 });
    expect(waiting.retryAt!.getTime() - waiting.since.getTime()).to.be.within(995, 1_100);
    const live = reader.statuses.find(({ state }) => state === "live")!;
    expect(live.since.getTime()).to.be.at.least(waiting.retryAt!.getTime() - 2);
  });

  it("of nobody in particular are refused, and the reader is told", async () => {
    const reader = follow(clients.of({ id: 999_999 }));
    const problem = await reader.ended.catch((error: unknown) => error);
    expect(problem).to.be.instanceOf(Problem).and.include({ code: "not_signed_in", status: 401 });
  });

  it("find a server that was away", async () => {
    const api = await world.startApi();
    const { port } = new URL(api.url);
    const reader = follow(clients.of(ben, {}, { url: api.url }));
    await reader.live("websocket");
    await api.close();
    await reader.until(() => reader.statuses.at(-1)!.attempt > 2);
    await say(world, ann, toRoom(room), "meanwhile");
    await world.startApi({ PORT: port });
    await reader.until(() => reader.texts().length > 0);
    expect(reader.texts()).to.deep.equal(["meanwhile"]);
  });

  describe("of which there are thousands by now", () => {
    it("are not asked for before somebody wants them", async () => {
      const client = clients.of(ben);
      let pages = 0;
      const second = new Promise<void>((resolve) => {
        proxy.decide = ({ path }) => {
          if (path.startsWith("/v1/events") && ++pages === 2) resolve();
          return undefined;
        };
      });
      const iterator = client.events({ from: "-1", transport: "long-poll" })[Symbol.asyncIterator]();
      await iterator.next();
      await second;
      // As many more as it could have asked for meanwhile.
      for (let i = 0; i < 50; i++) await client.rooms.list();
      expect(pages).to.equal(2);
      for (let i = 0; i < 2_000; i++) await iterator.next();
      expect(pages).to.be.above(3);
      await iterator.return!();
    });
  });
});
