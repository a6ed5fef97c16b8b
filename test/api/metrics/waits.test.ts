import { expect } from "chai";
import { Gone } from "../../../src/api/http/gone.ts";
import { Hub } from "../../../src/api/realtime/hub.ts";
import { Parking } from "../../../src/api/realtime/parking.ts";
import { type PollOutcome, type WaitKind, Waits } from "../../../src/api/realtime/waits.ts";
import { toEntry } from "../../../src/shared/log/entry.ts";
import { buildUsers, call, get, type Person, say, toUser } from "../../calls.ts";
import { Scraped, scrape, scrapeUntil } from "../../metrics.ts";
import { openSocket } from "../../sockets.ts";
import { type Api, buildWorld, type World } from "../../world.ts";

describe("the figures of those who wait", () => {
  let world: World;
  let ann: Person;
  let ben: Person;
  before(async () => {
    world = await buildWorld();
    [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
  });
  after(() => world?.close());

  const parkedAt = (api: Api, kind: WaitKind, count: number) =>
    scrapeUntil(api, (now) => now.value("parley_parked_reads", { kind }) === count);
  const outcomesOf = (scraped: Scraped): Record<string, number> => {
    const told = scraped.series.filter(({ name }) => name === "parley_poll_outcomes_total");
    return Object.fromEntries(told.map(({ name, labels }) => [labels["outcome"]!, scraped.value(name, labels)!]));
  };
  /** Which outcomes were counted meanwhile, and how often. */
  const counted = async (api: Api, work: () => Promise<unknown>, read = () => scrape(api)) => {
    const before = outcomesOf(await read());
    await work();
    const after = outcomesOf(await read());
    const grown = Object.entries(after).map(([outcome, count]) => [outcome, count - before[outcome]!] as const);
    return Object.fromEntries(grown.filter(([, count]) => count > 0));
  };
  const unseen = "/v1/messages/unseen?wait=20&mark_seen=true";
  const events = "/v1/events?live=long-poll&timeout=20&offset=";
  const offset = async (): Promise<string> =>
    (await get(world, "/v1/events?offset=now", ben.id)).headers.get("stream-next-offset")!;

  const ends: readonly (readonly [string, PollOutcome, () => Promise<unknown>])[] = [
    [
      "a poll that finds something at once",
      "data",
      async () => {
        await say(world, ann, toUser(ben), "there already");
        await get(world, unseen, ben.id);
      },
    ],
    [
      "a poll that is woken",
      "data",
      async () => {
        const poll = get(world, unseen, ben.id);
        await parkedAt(world, "unseen", 1);
        await say(world, ann, toUser(ben), "just now");
        await poll;
      },
    ],
    ["a poll that nothing came to", "timeout", () => get(world, "/v1/messages/unseen?wait=1", ben.id)],
    [
      "a poll that a newer one of its device replaces",
      "superseded",
      async () => {
        const older = get(world, `${unseen}&device=phone`, ann.id);
        await parkedAt(world, "unseen", 1);
        const newer = new AbortController();
        const replacing = call(world, "GET", `${unseen}&device=phone`, { as: ann.id, signal: newer.signal });
        await older;
        newer.abort();
        await replacing.catch(() => undefined);
      },
    ],
    [
      "a long poll of the feed that nothing came to",
      "timeout",
      async () => get(world, `/v1/events?live=long-poll&timeout=1&offset=${await offset()}`, ben.id),
    ],
    [
      "a long poll of the feed that is woken",
      "data",
      async () => {
        const poll = get(world, `${events}${await offset()}`, ben.id);
        await parkedAt(world, "events", 1);
        await say(world, ann, toUser(ben), "an entry");
        await poll;
      },
    ],
  ];
  for (const [what, outcome, work] of ends) {
    it(`count ${what} as ${outcome}, once`, async () => {
      await parkedAt(world, "unseen", 0);
      // Whoever replaced another is gone a moment later.
      const grown = await counted(world, async () => {
        await work();
        await parkedAt(world, "unseen", 0);
      });
      expect(grown).to.deep.equal(outcome === "superseded" ? { superseded: 1, gone: 1 } : { [outcome]: 1 });
    });
  }

  it("count a poll whose client has left as gone", async () => {
    const grown = await counted(world, async () => {
      const leaving = new AbortController();
      const poll = call(world, "GET", unseen, { as: ann.id, signal: leaving.signal }).catch(() => undefined);
      await parkedAt(world, "unseen", 1);
      leaving.abort();
      await poll;
      await parkedAt(world, "unseen", 0);
    });
    expect(grown).to.deep.equal({ gone: 1 });
  });

  it("count the polls that a process answers because it stops as drain", async () => {
    const stopping = await world.startApi();
    const read = async () => new Scraped(await stopping.deps.metrics.text());
    const grown = await counted(
      stopping,
      async () => {
        const poll = get(stopping, unseen, ann.id);
        await parkedAt(stopping, "unseen", 1);
        await stopping.close();
        await poll;
      },
      read,
    );
    expect(grown).to.deep.equal({ drain: 1 });
  });

  it("count a wait for a task as one, while it lasts", async () => {
    const idle = await buildWorld({ worker: false });
    try {
      const [eve, dan] = (await buildUsers(idle, 2)) as [Person, Person];
      const body = { text: "nobody stores it yet" };
      const sent = await call(idle, "POST", `${toUser(dan)}/messages`, { as: eve.id, body });
      const task = get(idle, `/v1/tasks/${sent.body.task_id}?wait=20`, eve.id);
      await parkedAt(idle, "task", 1);
      await idle.startWorker();
      expect((await task).body.state).to.equal("done");
      await parkedAt(idle, "task", 0);
    } finally {
      await idle.close();
    }
  });

  it("count open streams and sockets, and how quickly they are told", async () => {
    const before = await scrape(world);
    const stream = new AbortController();
    const headers = { "x-user-id": String(ben.id) };
    const sse = await fetch(`${world.url}/v1/events?live=sse&offset=now`, { headers, signal: stream.signal });
    const socket = await openSocket(world, headers);
    await socket.ask("subscribe", { offset: "now" });
    await parkedAt(world, "sse", 1);
    await parkedAt(world, "ws", 1);
    await say(world, ann, toUser(ben), "to both");
    await socket.saysMore(1);
    const woken = before.value("parley_wakeup_seconds_count")! + 2;
    await scrapeUntil(world, (now) => now.value("parley_wakeup_seconds_count")! >= woken);
    const after = await scrape(world);
    // Two readers, one message: how long that was on its way counts once.
    const grown = (name: string): number => after.value(name)! - before.value(name)!;
    expect(grown("parley_entries_handed_total")).to.be.at.least(2);
    expect(grown("parley_send_to_delivered_seconds_count")).to.equal(1);
    stream.abort();
    await sse.text().catch(() => undefined);
    socket.ws.terminate();
    await parkedAt(world, "sse", 0);
    await parkedAt(world, "ws", 0);
  });
});

describe("how long a wake-up took", () => {
  it("is nothing of a poll that found nothing when it was woken, waited on and got nothing", async () => {
    const hub = new Hub(Date.now);
    const parking = new Parking({ hub, ephemeral: { enter: () => () => {} }, waits: new Waits() });
    const gone = new Gone();
    const park = (pos: number, waitMs: number) => {
      const of = { kind: "unseen", wants: () => true, waitMs, gone, present: false } as const;
      return parking.park({ userId: 1, pos, roomIds: [1] }, of);
    };
    const woken = park(0, 10_000);
    const row = { pos: 1, room_id: 1, user_id: null, actor_id: 2, message_id: null, task_id: null };
    hub.handOut([toEntry({ ...row, type: "room.updated", data: {}, at: new Date(), message: null })], 1);
    expect((await woken).why).to.equal("entries");
    expect(gone.wokenBy).to.equal(1);
    expect((await park(1, 0)).why).to.equal("timeout");
    expect(gone.wokenBy).to.equal(undefined);
    hub.close();
  });

  it("is without the wait for the mark of what was found", async () => {
    const waits = new Waits();
    const gone = new Gone();
    gone.wokenBy = performance.now();
    await waits.during("task", gone, new Promise((resolve) => setTimeout(resolve, 60)));
    waits.woke(gone.wokenBy);
    const sum = waits.wakeups.samples("t").find(({ metricName }) => metricName === "t_sum")!;
    expect(sum.value).to.be.below(0.05);
  });
});
