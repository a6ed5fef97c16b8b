import { expect } from "chai";
import { failOver, type System, startSystem, tell } from "./failover.ts";
import { type Server, Servers, sentinelUrl, until } from "./servers.ts";

const NAME = "main";

describe("on a Redis that three Sentinels watch over", function () {
  this.timeout(60_000);
  let servers: Servers | undefined;
  let redis: Server[];
  let system: System;

  before(async function () {
    servers = await Servers.prepare();
    if (!servers) return this.skip();
    const started = await servers.startSentinels(NAME);
    redis = started.servers;
    system = await startSystem(sentinelUrl(started.sentinels, NAME));
  });
  after(async () => {
    await system?.end();
    await servers?.stop();
  });

  it("a dead master is replaced: sends and polls go on, nothing is lost that its replica had", async () => {
    const master = redis[0]!;
    const failover = await failOver(system, { master, key: "reached", takeAway: () => master.kill() });
    tell("Sentinel", failover);
    expect(failover.safe).to.be.greaterThan(40);
    expect(failover.resumedAfterMs).to.be.below(15_000);
    expect(failover.slowestMs).to.be.below(2_000);
  });

  it("so is one that stands still and comes back as a replica", async () => {
    const others = redis.slice(1);
    const isMaster = async (server: Server) => (await server.redis.info("replication")).includes("role:master");
    const master = (await isMaster(others[0]!)) ? others[0]! : others[1]!;
    let letGo = () => {};
    const failover = await failOver(system, {
      master,
      key: "reached",
      takeAway: async () => {
        letGo = master.freeze();
        await until(() => isMaster(others.find((one) => one !== master)!));
        letGo();
      },
    });
    tell("Sentinel, frozen", failover);
    await until(async () => !(await isMaster(master)));
    expect(failover.resumedAfterMs).to.be.below(15_000);
    expect(failover.slowestMs).to.be.below(2_000);
  });
});
