import { once } from "node:events";
import { expect } from "chai";
import { repeated } from "../faults/trial/books.ts";
import { hasRedis, services } from "../services.ts";
import { type Cluster, startCluster } from "./behind/cluster.ts";
import { Crowd, type Listener } from "./behind/crowd.ts";

interface StoredMessage {
  readonly id: string;
  readonly room_id: number;
  readonly text: string;
}

/** 499 is no answer: the client asks no longer what became of a send once its feed has told. */
const GOOD = /^(101|2\d\d|499)$/;
/** Nothing that works takes this long. */
const PATIENCE_MS = 20_000;

describe("200 readers and their senders behind nginx, while every process is restarted in turn", function () {
  this.timeout(90_000);
  let cluster: Cluster;
  let crowd: Crowd;

  before(async function () {
    if (!hasRedis() || services().nginx === undefined) return this.skip();
    cluster = await startCluster();
    crowd = await cluster.withDatabase((database) => Crowd.gather(cluster.nginx.url, database));
    crowd.send();
  });

  after(async () => {
    await crowd?.leave();
    await cluster?.close();
  });

  it("no poll and no send is answered anything but 2xx, and no stream or socket is cut", async () => {
    for (const place of [...cluster.apis, ...cluster.workers]) {
      const before = crowd.accepted.length;
      expect(await place.restart(), place.name).to.equal(0);
      while (crowd.accepted.length === before) await once(crowd.news, "accepted");
    }
    expect(Object.fromEntries(crowd.statuses)).to.have.all.keys("200");
    expect(Object.fromEntries(crowd.refusals)).to.deep.equal({});
    expect(crowd.interruptions).to.deep.equal([]);
    expect(crowd.errors).to.deep.equal([]);
    for (const status of Object.keys(await answered())) expect(status).to.match(GOOD);
  });

  it("an API that is killed costs no poll and no send anything", async () => {
    await cluster.apis[0]!.restart("SIGKILL");
    expect(Object.fromEntries(crowd.statuses)).to.have.all.keys("200");
    expect(Object.fromEntries(crowd.refusals)).to.deep.equal({});
    expect(crowd.errors).to.deep.equal([]);
  });

  it("everybody has heard everything, once and in order, and each accepted message is stored once", async () => {
    await crowd.fallSilent();
    const stored = await cluster.withDatabase(
      async (database) =>
        (await database.query<StoredMessage>("select id, room_id, text from messages order by room_id, seq")).rows,
    );
    const said = Map.groupBy(stored, ({ room_id }) => room_id);
    const saidTo = ({ roomId }: Listener): string[] => said.get(roomId)!.map(({ id }) => id);
    const misses = (one: Listener): boolean => one.heard.length < saidTo(one).length;
    const signal = AbortSignal.timeout(PATIENCE_MS);
    while (crowd.listeners.some(misses) && !signal.aborted) {
      await once(crowd.news, "heard", { signal }).catch(() => undefined);
    }
    await tell(stored.length);

    for (const one of crowd.listeners) expect(one.heard, one.what).to.deep.equal(saidTo(one));
    const ids = new Set(stored.map(({ id }) => id));
    expect(crowd.accepted.filter(({ id }) => !ids.has(id))).to.deep.equal([]);
    expect(repeated(stored.map(({ room_id, text }) => `${room_id} ${text}`))).to.deep.equal([]);
    expect(crowd.errors).to.deep.equal([]);
    for (const status of Object.keys(await answered())) expect(status).to.match(GOOD);
  });

  /** By nginx, to whomever, for whatever: each status and how often. */
  async function answered(): Promise<Record<string, number>> {
    const lines = await cluster.nginx.logged();
    return Object.fromEntries([...Map.groupBy(lines, ({ status }) => status)].map(([is, some]) => [is, some.length]));
  }

  async function tell(stored: number): Promise<void> {
    const again = (await cluster.nginx.logged()).filter(({ apiStatus }) => apiStatus.includes(","));
    console.log(
      `      ${crowd.listeners.length} listeners; ${stored} messages stored, of them ${crowd.clientSends} by the client`,
      `\n      polls answered ${tellCounts(crowd.statuses)}; sends refused: ${tellCounts(crowd.refusals) || "none"}`,
      `\n      nginx answered ${JSON.stringify(await answered())}, ${again.length} of them by the second API that it asked`,
      `\n      ${crowd.interruptions.length} streams and sockets were cut when an API was killed`,
    );
  }
});

const tellCounts = (counts: ReadonlyMap<string, number>): string =>
  [...counts].map(([what, count]) => `${what}: ${count}`).join(", ");
