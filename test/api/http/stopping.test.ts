import { once } from "node:events";
import { connect } from "node:net";
import { expect } from "chai";
import { buildUser, get } from "../../calls.ts";
import { until } from "../../until.ts";
import { buildWorld, type World } from "../../world.ts";

/** What still runs is cut off after five seconds; who never asked is not waited for so long. */
const SOON_MS = 4_000;

describe("an API that stops", () => {
  let world: World;

  before(async () => {
    world = await buildWorld({ worker: false });
  });
  after(() => world?.close());

  it("answers who has connected and asks a moment later, and does not wait for who connects and never asks", async () => {
    const api = await world.startApi();
    const { hostname, port } = new URL(api.url);
    const open = async () => {
      const socket = connect(Number(port), hostname);
      await once(socket, "connect");
      return socket;
    };
    const [silent, late] = [await open(), await open()];
    const poll = get(api, "/v1/messages/unseen?wait=20", (await buildUser(world)).id);
    await until(() => api.deps.hub.parked > 0);
    const askedAt = performance.now();
    const closed = api.close();
    // It listens no more by the time it sends away who waits.
    await poll;
    late.write(`GET /healthz HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`);
    expect(String((await once(late, "data"))[0])).to.match(/^HTTP\/1\.1 200 /);
    await Promise.all([once(silent, "close"), once(late, "close"), closed]);
    expect(performance.now() - askedAt).to.be.below(SOON_MS);
  });

  const upgrade = "Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13";
  for (const [what, request] of [
    ["said what is not HTTP", "garbage"],
    ["was refused a socket", `GET /v1/ws HTTP/1.1\r\n${upgrade}\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==`],
  ] as const) {
    it(`does not wait for who ${what} and never hangs up`, async () => {
      const api = await world.startApi();
      const { hostname, port } = new URL(api.url);
      const socket = connect({ port: Number(port), host: hostname, allowHalfOpen: true });
      socket.write(`${request}\r\n\r\n`);
      expect(String((await once(socket, "data"))[0])).to.match(/^HTTP\/1\.1 40[01] /);
      const askedAt = performance.now();
      await api.close();
      expect(performance.now() - askedAt).to.be.below(SOON_MS);
      socket.destroy();
    });
  }
});
