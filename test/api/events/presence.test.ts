import { once } from "node:events";
import { expect } from "chai";
import { WebSocket } from "ws";
import { buildRoom, buildUser, buildUsers, call, expectProblem, get, type Person, say, toRoom } from "../../calls.ts";
import { hasRedis, services } from "../../services.ts";
import { until } from "../../until.ts";
import { backends, buildWorld, type World } from "../../world.ts";

interface Api {
  readonly url: string;
}

interface Heard {
  readonly event: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever comes
  readonly data: any;
}

/** Somebody who is there and hears: by socket or by event stream. */
interface Listener {
  readonly heard: Heard[];
  until(look: () => unknown): Promise<void>;
  leave(): void;
}

for (const kind of backends) {
  describe(`typing and presence, with ${kind}`, () => {
    let world: World;
    let there: Awaited<ReturnType<World["startApi"]>>;
    let ann: Person;
    let ben: Person;
    let room: { id: number };
    /** Somebody who left at the start and came back: what was heard of them, and when. */
    let comings: Promise<{ told: [ms: number, online: boolean][]; from: Listener }>;
    const leaving: (() => void)[] = [];

    before(async function () {
      if (kind === "redis" && !hasRedis()) return this.skip();
      world = await buildWorld({ backend: kind });
      there = await world.startApi();
      comings = comeAndGo();
      comings.catch(() => {}); // it is awaited by the last test
    });
    beforeEach(async () => {
      [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
      room = await buildRoom(world, [ann, ben]);
    });
    afterEach(() => {
      for (const leave of leaving.splice(0)) leave();
    });
    after(() => world?.close());

    function hearing(leave: () => void) {
      const arrived: (() => void)[] = [];
      const listener: Listener = {
        heard: [],
        leave,
        async until(look) {
          while (!look()) await new Promise<void>((resolve) => arrived.push(resolve));
        },
      };
      leaving.push(leave);
      const hear = (what: Heard): void => {
        listener.heard.push(what);
        for (const look of arrived.splice(0)) look();
      };
      return { listener, hear };
    }

    async function bySocket(who: Person, api: Api = world, query = "") {
      const ws = new WebSocket(`${api.url.replace("http", "ws")}/v1/ws?user_id=${who.id}${query}`);
      const { listener, hear } = hearing(() => ws.terminate());
      ws.on("message", (data) => hear(JSON.parse(String(data))));
      await once(ws, "open");
      const send = (event: string, data: unknown): void => ws.send(JSON.stringify({ event, data }));
      send("subscribe", { offset: "now" });
      await listener.until(() => listener.heard.some(({ event }) => event === "subscribed"));
      return { ...listener, send };
    }

    async function byStream(who: Person, api: Api = world, path = "/v1/events"): Promise<Listener> {
      const controller = new AbortController();
      const { signal } = controller;
      const response = await fetch(`${api.url}${path}?live=sse&offset=now&user_id=${who.id}`, { signal });
      const { listener, hear } = hearing(() => controller.abort());
      void (async () => {
        let rest = "";
        for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
          const blocks = (rest + chunk).split("\n\n");
          rest = blocks.pop()!;
          for (const block of blocks.filter((text) => text.startsWith("event: "))) {
            const [event, data] = [/^event: (.*)$/m, /^data: (.*)$/m].map((line) => line.exec(block)![1]!);
            hear({ event: event!, data: JSON.parse(data!) });
          }
        }
      })().catch(() => {});
      await listener.until(() => listener.heard.some(({ event }) => event === "control"));
      return listener;
    }

    const onlineOf = async (who: Person, api: Api = world): Promise<boolean> =>
      (await get(api, `/v1/presence?user_ids=${who.id}`, ben.id)).body.presence[0].online;
    const becomes = async (who: Person, online: boolean): Promise<void> => {
      while ((await onlineOf(who)) !== online);
    };
    const types = (who: Person, in_: { id: number }, api: Api = world) =>
      call(api, "POST", `${toRoom(in_)}/typing`, { as: who.id });
    const hears = (listener: Listener, event: string): unknown[] =>
      listener.heard.filter((what) => what.event === event).map(({ data }) => data);
    /** Typing in a room is told to those whom the room itself has reached. */
    const knows = (listener: Listener, { id }: { id: number }) =>
      listener.until(() => listener.heard.some(({ data }) => data?.room_id === id && data.type === "room.created"));
    const isTold = (listener: Listener, who: Person) =>
      listener.until(() =>
        hears(listener, "presence").some((data) => (data as { user_id: number }).user_id === who.id),
      );

    /** Alone in time with one who watches from another API: 30 seconds of grace, and 10 between two changes. */
    async function comeAndGo() {
      const [gone, watcher] = (await buildUsers(world, 2)) as [Person, Person];
      await buildRoom(world, [gone, watcher]);
      const from = await bySocket(watcher, there);
      leaving.length = 0;
      const since = performance.now();
      const told: [ms: number, online: boolean][] = [];
      const hearsOf = async (online: boolean) => {
        await from.until(() => hears(from, "presence").length > told.length);
        told.push([performance.now() - since, online]);
        expect(hears(from, "presence").at(-1)).to.deep.equal({ user_id: gone.id, online });
      };
      const first = await bySocket(gone);
      leaving.length = 0;
      await hearsOf(true);
      first.leave();
      await hearsOf(false);
      const second = await bySocket(gone);
      leaving.length = 0;
      await hearsOf(true);
      second.leave();
      return { told, from };
    }

    it("who types is told to those who are there, by socket and by stream, on every API, and to nobody else", async () => {
      const cat = await buildUser(world);
      await buildRoom(world, [ann, cat]);
      const hearers = await Promise.all([
        bySocket(ben),
        bySocket(ben, there),
        byStream(ben),
        byStream(ben, there),
        byStream(ben, there, `${toRoom(room)}/events`),
      ]);
      const [others, own] = [await bySocket(cat), await bySocket(ann, world, "&presence=off")];
      own.send("typing", { room_id: room.id });
      await Promise.all(hearers.map((hearer) => hearer.until(() => hears(hearer, "typing").length > 0)));
      for (const hearer of hearers) {
        expect(hears(hearer, "typing")).to.deep.equal([{ room_id: room.id, user_id: ann.id }]);
      }
      // What comes later, by the same way, shows that nothing else was on its way.
      const all = await buildRoom(world, [ann, cat, ben]);
      await Promise.all([others, own].map((listener) => knows(listener, all)));
      await types(ben, all);
      for (const listener of [others, own]) {
        await listener.until(() => hears(listener, "typing").length > 0);
        expect(hears(listener, "typing").map((data) => (data as { user_id: number }).user_id)).to.deep.equal([ben.id]);
      }
    });

    it("a long poll is not answered for it, and takes it along when it is", async () => {
      const cat = await buildUser(world);
      const other = await buildRoom(world, [ann, cat]);
      await buildRoom(world, [ben, cat]);
      const socket = await bySocket(ben, there, "&presence=off");
      const poll = (who: Person, path = "/v1/events") =>
        get(there, `${path}?offset=now&live=long-poll&timeout=20`, who.id);
      const lately = ({ headers }: { headers: Headers }) => JSON.parse(headers.get("parley-lately") ?? "[]");
      const before = there.deps.hub.parked;
      const polls = [poll(ben), poll(cat), poll(ben, `${toRoom(room)}/events`)];
      await until(() => there.deps.hub.parked >= before + polls.length);
      await types(ann, room);
      await socket.until(() => hears(socket, "typing").length > 0);
      expect(there.deps.hub.parked).to.equal(before + polls.length);
      await Promise.all([say(world, ann, toRoom(room), "done"), say(world, ann, toRoom(other), "done")]);
      const [bens, cats, ofRoom] = await Promise.all(polls);
      const typing = { type: "typing", data: { room_id: room.id, user_id: ann.id } };
      expect(lately(bens!)).to.deep.include(typing);
      expect(lately(ofRoom!)).to.deep.include(typing);
      expect(lately(cats!)).to.not.deep.include(typing);
      // Who waits is online, and those who share a room are told so; of oneself nobody needs to be told.
      expect(lately(cats!).filter(({ data }: { data: { user_id: number } }) => data.user_id === cat.id)).to.be.empty;
    });

    it("a room's stream tells of that room alone", async () => {
      const other = await buildRoom(world, [ann, ben]);
      const stream = await byStream(ben, world, `${toRoom(room)}/events`);
      await types(ann, other);
      await types(ann, room);
      await stream.until(() => hears(stream, "typing").length > 0);
      expect(hears(stream, "typing")).to.deep.equal([{ room_id: room.id, user_id: ann.id }]);
    });

    it("who types goes on being told only now and then, and only in rooms that are theirs", async () => {
      const socket = await bySocket(ben);
      const answers = await Promise.all(Array.from({ length: 20 }, () => types(ann, room)));
      expect(new Set(answers.map(({ status }) => status))).to.deep.equal(new Set([204]));
      const other = await buildRoom(world, [ann, ben]);
      await knows(socket, other);
      await types(ann, other);
      await socket.until(() => hears(socket, "typing").length > 1);
      expect(hears(socket, "typing").map((data) => (data as { room_id: number }).room_id)).to.deep.equal([
        room.id,
        other.id,
      ]);
      const cat = await buildUser(world);
      expectProblem(await types(cat, room), 404, "room_not_found");
    });

    it("nobody hears of a room that they were removed from", async () => {
      const [here, stream] = [await bySocket(ben), await byStream(ben, there)];
      const kept = await buildRoom(world, [ann, ben]);
      await call(world, "DELETE", `${toRoom(room)}/members/${ben.id}`, { as: ann.id });
      for (const listener of [here, stream])
        await listener.until(() => JSON.stringify(listener.heard).includes("left"));
      await types(ann, room);
      await types(ann, kept);
      for (const listener of [here, stream]) {
        await listener.until(() => hears(listener, "typing").length > 0);
        expect(hears(listener, "typing")).to.deep.equal([{ room_id: kept.id, user_id: ann.id }]);
      }
    });

    it("neither typing nor presence wakes a long poll", async () => {
      let answered = false;
      const poll = get(world, "/v1/events?offset=now&live=long-poll", ben.id).finally(() => {
        answered = true;
      });
      const witness = await byStream(ben);
      await until(() => world.deps.hub.parked >= 2);
      await types(ann, room);
      const socket = await bySocket(ann);
      await witness.until(() => hears(witness, "typing").length > 0);
      await isTold(witness, ann);
      expect(answered).to.equal(false);
      await say(world, ann, toRoom(room), "this does");
      expect((await poll).body.map(({ type }: { type: string }) => type)).to.deep.equal(["message.created"]);
      socket.leave();
    });

    const comingBy: Record<string, (who: Person, api: Api) => unknown> = {
      "a socket": bySocket,
      "an event stream": byStream,
      "a parked poll of the feed": (who, api) => {
        void get(api, "/v1/events?offset=now&live=long-poll&timeout=2", who.id);
      },
      "a parked poll of what is unseen": (who, api) => {
        void get(api, "/v1/messages/unseen?wait=2", who.id);
      },
    };
    for (const [what, come] of Object.entries(comingBy)) {
      it(`who has ${what} is online, for all APIs, and others are told`, async () => {
        const [stream, socket] = [await byStream(ben), await bySocket(ben)];
        expect(await onlineOf(ann)).to.equal(false);
        await come(ann, there);
        for (const listener of [stream, socket]) {
          await isTold(listener, ann);
          expect(hears(listener, "presence")).to.deep.equal([{ user_id: ann.id, online: true }]);
        }
        expect([await onlineOf(ann), await onlineOf(ann, there)]).to.deep.equal([true, true]);
      });
    }

    it("a socket that follows no feed is as good a sign as one that does", async () => {
      const socket = await bySocket(ben, there);
      const ws = new WebSocket(`${world.url.replace("http", "ws")}/v1/ws?user_id=${ann.id}`);
      await once(ws, "open");
      await isTold(socket, ann);
      ws.terminate();
    });

    it("what says presence=off counts for nothing", async () => {
      const witness = await bySocket(ben);
      await bySocket(ann, there, "&presence=off");
      const poll = get(world, "/v1/events?offset=now&live=long-poll&timeout=1&presence=off", ann.id);
      const other = get(world, "/v1/messages/unseen?wait=1&presence=off", ann.id);
      await until(() => world.deps.hub.parked >= 3);
      expect(await onlineOf(ann)).to.equal(false);
      expect([(await poll).status, (await other).status]).to.deep.equal([204, 200]);
      expect(await onlineOf(ann)).to.equal(false);
      await bySocket(ann);
      await isTold(witness, ann);
      expect(hears(witness, "presence")).to.have.length(1);
    });

    it("tells for each user that is asked for whether they are online, and refuses what is no list of ids", async () => {
      const [here, away] = (await buildUsers(world, 2)) as [Person, Person];
      await bySocket(here);
      await becomes(here, true);
      const { status, body } = await get(
        world,
        `/v1/presence?user_ids=${away.id},${here.id},${away.id},999999`,
        ben.id,
      );
      expect(status).to.equal(200);
      expect(body.presence).to.deep.equal([
        { user_id: away.id, online: false },
        { user_id: here.id, online: true },
        { user_id: 999_999, online: false },
      ]);
      for (const query of ["", "?user_ids=", "?user_ids=x", "?user_ids=1,", "?user_ids=0", "?user_ids=1.5"]) {
        expectProblem(await get(world, `/v1/presence${query}`, ben.id), 400, "validation_failed", "user_ids");
      }
    });

    it("who leaves is online for 30 seconds more, and is told of once in 10 seconds at most", async function () {
      if (!services().slow) return this.skip();
      this.timeout(60_000);
      const { told, from } = await comings;
      const [came, left, back] = told.map(([ms]) => ms) as [number, number, number];
      expect(told.map(([, online]) => online)).to.deep.equal([true, false, true]);
      expect(left - came).to.be.within(29_900, 33_000);
      expect(back - left).to.be.within(9_900, 13_000);
      from.leave();
    });
  });
}
