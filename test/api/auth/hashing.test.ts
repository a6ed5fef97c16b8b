import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { hashPassword } from "../../../src/api/users/passwords.ts";
import { buildUser, call, type Person, post } from "../../calls.ts";
import { until } from "../../until.ts";
import { buildWorld, type World } from "../../world.ts";

const PASSWORD = "Passw0rd!"; // of everybody that buildUser makes
/** Enough that the 99th of a hundred is not simply the slowest. */
const WAKE_UPS = 200;
const AT_ONCE = 20;

/** What hashing may add to the slowest of a hundred wake-ups. */
const MOST_MS = 20;
/** At rest and while hashing, by turns, so that what else the machine does falls on both. */
const TURNS = 4;
/** The middle one of so many differences counts. */
const PAIRS = 5;

describe("hashing passwords", () => {
  let dataDir: string;
  let world: World;
  let ann: Person & { token: string };
  let ben: Person & { token: string };
  /** Of ben's last answer: the next poll has nothing to show and is parked. */
  let ack = "";

  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "parley-hashing-"));
    world = await buildWorld({ env: { AUTH_MODE: "token", RATE_LIMITS: "off", DATA_DIR: dataDir } });
    [ann, ben] = [await buildCaller(), await buildCaller()];
  });
  after(async () => {
    await world?.close();
    await rm(dataDir, { recursive: true, force: true });
  });

  async function buildCaller() {
    const person = await buildUser(world);
    const { body } = await post(world, "/v1/auth/login", { username: person.username, password: PASSWORD });
    return { ...person, token: body.access_token as string };
  }

  it(`of ${AT_ONCE} at once delays the wake-up of a parked poll by less than ${MOST_MS} ms`, async function () {
    this.timeout(120_000);
    await wakeUps(); // the first ones compile the code that they run
    const added: number[] = [];
    while (!isSettled(added)) {
      const atRest: number[] = [];
      const whileHashing: number[] = [];
      let batches = 0;
      for (let turn = 0; turn < TURNS; turn++) {
        atRest.push(...(await wakeUps()));
        const stop = keepHashing();
        whileHashing.push(...(await wakeUps()));
        batches += await stop();
      }
      expect(batches, "batches that ran meanwhile").to.be.above(1);
      console.log(`      wake-ups at rest: ${tell(atRest)}; while passwords are hashed: ${tell(whileHashing)}`);
      added.push(p99(whileHashing) - p99(atRest));
    }
    expect(quantile(added, 0.5)).to.be.below(MOST_MS);
  });

  /** How long it takes from the answer to a send until its recipient's parked poll is answered, one after the other. */
  async function wakeUps(): Promise<number[]> {
    const times: number[] = [];
    for (let i = 0; i < WAKE_UPS / TURNS; i++) {
      const poll = call(world, "GET", `/v1/messages/unseen?wait=20&ack=${ack}`, bearer(ben.token));
      const woken = poll.then(() => performance.now());
      await until(() => world.deps.hub.parked > 0);
      const sent = await call(world, "POST", `/v1/users/${ben.id}/messages`, {
        ...bearer(ann.token),
        body: { text: `wake up ${i}` },
      });
      const acceptedAt = performance.now();
      expect(sent.status).to.equal(202);
      times.push((await woken) - acceptedAt);
      const { body } = await poll;
      expect(body.messages.map(({ id }: { id: string }) => id)).to.deep.equal([sent.body.message_id]);
      ack = body.ack;
    }
    return times;
  }

  /** Batches in the process that serves, each begun when the one before is through. To stop them answers how many. */
  function keepHashing(): () => Promise<number> {
    let going = true;
    const batches = (async () => {
      let count = 0;
      for (; going; count++) await Promise.all(Array.from({ length: AT_ONCE }, () => hashPassword(PASSWORD)));
      return count;
    })();
    return () => {
      going = false;
      return batches;
    };
  }
});

const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });

/** Once most agree on which side of the limit they are, the rest changes nothing. */
function isSettled(added: readonly number[]): boolean {
  const fast = added.filter((ms) => ms < MOST_MS).length;
  return Math.max(fast, added.length - fast) > PAIRS / 2;
}

const quantile = (times: readonly number[], part: number): number =>
  times.toSorted((a, b) => a - b)[Math.ceil(times.length * part) - 1]!;
const p99 = (times: readonly number[]): number => quantile(times, 0.99);
const tell = (times: readonly number[]): string =>
  `median ${quantile(times, 0.5).toFixed(1)} ms, p99 ${p99(times).toFixed(1)} ms`;
