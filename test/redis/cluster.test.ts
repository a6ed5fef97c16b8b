import { expect } from "chai";
import { connectRedis, forWorkers } from "../../src/shared/backend/redis-connections.ts";
import { parseRedisUrl } from "../../src/shared/backend/redis-url.ts";
import { createRedisStore } from "../../src/shared/store/redis-store.ts";
import { failOver, type System, startSystem, tell } from "./failover.ts";
import { clusterUrl, masterOf, type Server, Servers } from "./servers.ts";

const SHARDS = 3;

describe("on a Redis Cluster of three masters", function () {
  this.timeout(60_000);
  let servers: Servers | undefined;
  let nodes: Server[];
  let system: System | undefined;

  before(async function () {
    servers = await Servers.prepare();
    if (!servers) return this.skip();
    nodes = await servers.startCluster();
  });
  afterEach(async () => {
    await system?.end();
    system = undefined;
  });
  after(() => servers?.stop());

  const start = (name: string, shards: number): Promise<System> =>
    startSystem(clusterUrl(nodes.slice(1, 3)), { QUEUE_NAME: name, QUEUE_SHARDS: String(shards) });
  const tagsOf = (name: string): string[] => [`{${name}}`, `{${name}~1}`, `{${name}~2}`];
  const mastersOf = (name: string): Promise<Server[]> => Promise.all(tagsOf(name).map((tag) => masterOf(nodes, tag)));

  it("three queues are on three masters, and all that was said is stored", async () => {
    let name = "";
    for (let i = 0; new Set(name === "" ? [] : await mastersOf(name)).size < SHARDS; i++) name = `spread-${i}`;
    system = await start(name, SHARDS);
    const talk = await system.talk();
    await talk.accepts(20);
    const masters = await mastersOf(name);
    for (const [i, tag] of tagsOf(name).entries()) {
      const counts = await Promise.all(masters.map(async ({ redis }) => (await redis.keys(`${tag}:*:0*`)).length));
      expect(counts.map((count) => count > 0)).to.deep.equal(masters.map((_, j) => i === j));
    }
    expect(await talk.stop()).to.deep.equal([]);
    await talk.expectStoredInOrder([]);
  });

  it("what is kept for a while is kept wherever its key belongs, and several are asked for at once", async () => {
    const redis = connectRedis(parseRedisUrl(clusterUrl(nodes)), forWorkers);
    try {
      const store = createRedisStore(redis, "kept");
      const names = Array.from({ length: 30 }, (_, i) => `name-${i}`);
      await Promise.all(names.map((name) => store.set(name, `of ${name}`, 60_000)));
      expect(await store.getMany([...names, "nobody"])).to.deep.equal([...names.map((name) => `of ${name}`), null]);
      expect(await store.getMany([])).to.deep.equal([]);
      expect(await store.setIfAbsent("name-1", "another", 60_000)).to.equal("of name-1");
      expect(await store.take("name-2")).to.equal("of name-2");
      await store.clear();
      expect(await store.getMany(names)).to.deep.equal(names.map(() => null));
    } finally {
      redis.disconnect();
    }
  });

  it("a dead master is replaced: sends and polls go on, nothing is lost that its replica had", async () => {
    system = await start("one", 1);
    const master = await masterOf(nodes, "{one}");
    const failover = await failOver(system, { master, key: "{one}:reached", takeAway: () => master.kill() });
    tell("cluster", failover);
    expect(failover.safe).to.be.greaterThan(40);
    expect(failover.resumedAfterMs).to.be.below(15_000);
    expect(failover.slowestMs).to.be.below(2_000);
  });
});
