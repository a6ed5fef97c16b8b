import { expect } from "chai";
import { Delivery } from "../../../src/api/realtime/delivery.ts";
import { rows } from "../../../src/shared/db/database.ts";
import type { MessageRow } from "../../../src/shared/db/message-row.ts";
import { toEntry } from "../../../src/shared/log/entry.ts";
import { kept } from "../../../src/shared/metrics/kept.ts";
import { Timings } from "../../../src/shared/metrics/timings.ts";
import { buildUser, buildUsers, get, type Person, post, toUser } from "../../calls.ts";
import { scrape, scrapeUntil } from "../../metrics.ts";
import { backends, buildWorld, type World } from "../../world.ts";

describe("the figures of an API", () => {
  let world: World;
  let people: Person[];
  before(async () => {
    world = await buildWorld({ env: { RATE_LIMITS: "on", RATE_READS: "1000" } });
    people = await buildUsers(world, 3);
  });
  after(() => world?.close());

  it("count what is beyond a budget, by budget", async () => {
    const api = await world.startApi({ RATE_SENDS: "1", RATE_READS: "1" });
    const [ann, ben] = people as [Person, Person];
    for (const _ of [1, 2, 3]) await post(api, `${toUser(ben)}/messages`, { text: "again" }, ann.id);
    for (const _ of [1, 2]) await get(api, "/v1/me", ann.id);
    const after = await scrape(api);
    const told = ["sends", "reads", "logins", "passwords"].map((budget) =>
      after.value("parley_rate_limited_total", { budget }),
    );
    expect(told).to.deep.equal([2, 1, 0, 0]);
  });

  it("are no reads: they use up no budget", async () => {
    const api = await world.startApi({ RATE_READS: "1" });
    for (const _ of Array.from({ length: 30 })) await scrape(api);
  });

  it("count what each cache was asked for, and whether it had it", async () => {
    const { id } = await buildUser(world);
    const of = (cache: string, result: string) => ({ cache, result });
    const grownBy = async (cache: string, work: () => Promise<unknown>) => {
      const before = await scrape(world);
      await work();
      const after = await scrape(world);
      return ["hit", "miss"].map(
        (result) =>
          after.value("parley_cache_requests_total", of(cache, result))! -
          before.value("parley_cache_requests_total", of(cache, result))!,
      );
    };
    expect(await grownBy("directory_users", () => get(world, "/v1/me", id))).to.deep.equal([0, 1]);
    expect(await grownBy("directory_users", () => get(world, "/v1/me", id))).to.deep.equal([1, 0]);
    expect(await grownBy("users_list", () => get(world, "/v1/users?limit=7", id))).to.deep.equal([0, 1]);
    expect(await grownBy("users_list", () => get(world, "/v1/users?limit=7", id))).to.deep.equal([1, 0]);
  });

  it("count how often the tail came back, and what it has read", async () => {
    const before = await scrape(world);
    expect(before.value("parley_tail_connected")).to.equal(1);
    await rows(
      world.deps.em,
      `select pg_terminate_backend(pid) from pg_stat_activity
       where application_name = 'parley tail' and datname = current_database()`,
    );
    const entries = before.value("parley_tail_entries_total")!;
    await post(world, `${toUser(people[0]!)}/messages`, { text: "through it" }, people[1]!.id);
    const after = await scrapeUntil(world, (now) => now.value("parley_tail_entries_total")! > entries);
    expect(after.value("parley_tail_reconnects_total")).to.equal(before.value("parley_tail_reconnects_total")! + 1);
    expect(after.value("parley_tail_lag_entries")).to.equal(0);
  });

  it("tell of the connections to Postgres", async () => {
    const scraped = await scrape(world);
    const [used, idle, waiting] = ["used", "idle", "waiting"].map(
      (state) => scraped.value("parley_database_pool", { state })!,
    );
    expect(used! + idle!).to.be.within(1, world.env.DATABASE_POOL);
    expect(waiting).to.equal(0);
  });

  it("tell how busy the event loop is, and that grows", async () => {
    const name = "parley_event_loop_busy_seconds_total";
    const before = (await scrape(world)).value(name)!;
    await scrapeUntil(world, (now) => now.value(name)! > before);
  });
});

for (const backend of backends) {
  describe(`the figures of a queue on ${backend} that nobody works on`, () => {
    let world: World;
    before(async () => {
      world = await buildWorld({ backend, worker: false, env: { MAX_BACKLOG: "2" } });
    });
    after(() => world?.close());

    it("tell what waits and for how long, and what was refused for it", async () => {
      const [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
      const send = () => post(world, `${toUser(ben)}/messages`, { text: "soon" }, ann.id);
      let refused = 0;
      while (refused === 0) if ((await send()).status === 503) refused++;
      // Nobody has looked before: the queue is counted now.
      const scraped = await scrape(world);
      expect(scraped.value("parley_queue_jobs", { state: "waiting" })).to.equal(
        scraped.value("parley_sends_accepted_total"),
      );
      expect(scraped.value("parley_queue_jobs", { state: "failed" })).to.equal(0);
      expect(scraped.value("parley_queue_oldest_seconds")).to.be.within(0, 10);
      expect(scraped.value("parley_sends_overloaded_total")).to.equal(1);
    });
  });
}

describe("what is kept for a while", () => {
  it("is asked for once by all who look meanwhile, and again if it failed", async () => {
    let asked = 0;
    const look = kept(60_000, async () => {
      if (++asked === 1) throw new Error("away");
      return asked;
    });
    expect(await look().catch((error: Error) => error.message)).to.equal("away");
    expect(await Promise.all([look(), look()])).to.deep.equal([2, 2]);
    expect(await look()).to.equal(2);
  });

  it("is asked for anew when its time is over", async () => {
    let asked = 0;
    const look = kept(0, async () => ++asked);
    expect([await look(), await look()]).to.deep.equal([1, 2]);
  });
});

describe("timings", () => {
  const told = (timings: Timings) =>
    timings.samples("t").map(({ metricName, labels, value }) => [metricName, labels, value]);

  it("count each value in its bucket and in all above, as Prometheus sums them", () => {
    const timings = new Timings([0.1, 1]);
    for (const value of [0.1, 0.5, 7]) timings.observe(value);
    expect(told(timings)).to.deep.equal([
      ["t_bucket", { le: 0.1 }, 1],
      ["t_bucket", { le: 1 }, 2],
      ["t_bucket", { le: "+Inf" }, 3],
      ["t_sum", {}, 7.6],
      ["t_count", {}, 3],
    ]);
  });

  it("take what seems to be over before it began for nothing", () => {
    const timings = new Timings([1]);
    timings.observeMs(-5);
    expect(told(timings).at(-2)).to.deep.equal(["t_sum", {}, 0]);
  });
});

describe("how long messages are on their way", () => {
  it("is counted once for each, however many readers with whatever else are handed it", () => {
    const sentAt = Date.UTC(2026, 0, 1);
    const delivery = new Delivery(() => sentAt + 250);
    const [first, second] = [1, 2].map((pos) => {
      const accepted_at = new Date(sentAt).toISOString();
      const message = { accepted_at, created_at: new Date(sentAt + 100).toISOString() } as MessageRow;
      const of = { room_id: 1, user_id: null, actor_id: 1, message_id: null, task_id: null, data: null };
      return toEntry({ ...of, pos, type: "message.created", at: accepted_at, message });
    });
    for (const entries of [[first!], [first!, second!], [second!]]) delivery.handedOut(entries);
    expect(delivery.handed).to.equal(4);
    const told = (timings: Timings) =>
      timings
        .samples("t")
        .slice(-2)
        .map(({ value }) => value);
    expect(told(delivery.fromSend)).to.deep.equal([0.5, 2]);
    expect(told(delivery.fromStore)).to.deep.equal([0.3, 2]);
  });
});
