import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { findRedis, startRedis } from "../../../src/local/redis.ts";
import { type Answer, buildUser, call, expectProblem, type Person } from "../../calls.ts";
import { hasRedis } from "../../services.ts";
import { backends, buildWorld, type World, type WorldOptions } from "../../world.ts";

const PASSWORD = "Passw0rd!"; // of everybody that buildUser makes

let world: World;

const build = ({ env, ...options }: WorldOptions) =>
  buildWorld({
    worker: false,
    ...options,
    env: { AUTH_MODE: "token", AUTH_SECRET: "k".repeat(32), RATE_LIMITS: "on", TRUST_PROXY: "true", ...env },
  });

/** Somebody at an address, which a proxy would tell. */
interface Caller {
  readonly token?: string;
  readonly address?: string;
}

type Api = Pick<World, "url">;

const ask = (method: string, path: string, { token, address = "192.0.2.1" }: Caller, body?: object, api?: Api) =>
  call(api ?? world, method, path, {
    headers: { "x-forwarded-for": address, ...(token && { authorization: `Bearer ${token}` }) },
    ...(body && { body }),
  });
const login = (who: object, address: string, password = PASSWORD): Promise<Answer> =>
  ask("POST", "/v1/auth/login", { address }, { ...who, password });
const read = (caller: Caller, api?: Api) => ask("GET", "/v1/me", caller, undefined, api);
const send = (caller: Caller) => ask("POST", "/v1/messages/seen", caller, { message_ids: [crypto.randomUUID()] });
const statuses = (answers: readonly Answer[]): number[] => answers.map(({ status }) => status);

/** One after the other. */
async function times(count: number, work: (i: number) => Promise<Answer>): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (let i = 0; i < count; i++) answers.push(await work(i));
  return answers;
}

/** Each signs up and in from an address that nobody else has, so that it takes nothing from others. */
let addresses = 0;
const freshAddress = (): string => `198.51.100.${++addresses}`;
async function buildCaller(): Promise<Required<Caller> & { person: Person }> {
  const address = freshAddress();
  const person = await buildUser(world);
  const { body } = await login({ username: person.username }, address);
  return { person, address, token: body.access_token };
}

for (const backend of backends) {
  describe(`limits that are counted in ${backend}`, () => {
    before(async function () {
      if (backend === "redis" && !hasRedis()) return this.skip();
      world = await build({ backend, env: { RATE_SENDS: "4", RATE_READS: "6", RATE_LOGINS: "5" } });
    });
    after(() => world?.close());

    it("are told with every answer, and what is left goes down", async () => {
      const caller = await buildCaller();
      const answers = await times(6, () => read(caller));
      expect(answers.map(({ headers }) => headers.get("ratelimit-policy"))).to.deep.equal(
        Array(6).fill('"reads";q=6;w=60'),
      );
      const left = answers.map(({ headers }) => /^"reads";r=(\d+);t=(\d+)$/.exec(headers.get("ratelimit")!)!);
      expect(left.map(([, r]) => Number(r))).to.deep.equal([5, 4, 3, 2, 1, 0]);
      for (const [, , t] of left) expect(Number(t)).to.be.within(1, 60);
    });

    it("refuse what is beyond them with 429, and say when to come again", async () => {
      const caller = await buildCaller();
      await times(6, () => read(caller));
      const refused = await read(caller);
      expectProblem(refused, 429, "rate_limited");
      expect(Number(refused.headers.get("retry-after"))).to.be.within(1, 60);
      expect(refused.headers.get("ratelimit")).to.match(/^"reads";r=0;t=\d+$/);
      expect(refused.headers.get("ratelimit-policy")).to.equal('"reads";q=6;w=60');
    });

    it("are a budget each for reads and for sends", async () => {
      const caller = await buildCaller();
      expect(statuses(await times(5, () => send(caller)))).to.deep.equal([404, 404, 404, 404, 429]);
      expect(statuses(await times(7, () => read(caller)))).to.deep.equal([...Array(6).fill(200), 429]);
      expectProblem(await send(caller), 429, "rate_limited");
    });

    it("are each user's own, from whatever address and with whatever credential", async () => {
      const [one, other] = [await buildCaller(), await buildCaller()];
      await times(6, () => read({ token: one.token, address: freshAddress() }));
      const again = (await login({ username: one.person.username }, freshAddress())).body.access_token;
      for (const token of [one.token, again]) {
        expectProblem(await read({ token, address: freshAddress() }), 429, "rate_limited");
      }
      expect((await read({ token: other.token, address: one.address })).status).to.equal(200);
    });

    it("are for an address ten times those of a user, whoever asks from there", async () => {
      const callers = await Promise.all(Array.from({ length: 7 }, buildCaller));
      const address = freshAddress();
      const answers = await times(42, (i) => send({ token: callers[i % 7]!.token, address }));
      // 40 from the address; from 29 on each caller is beyond their own 4 as well.
      expect(statuses(answers).slice(0, 28)).to.deep.equal(Array(28).fill(404));
      const more = await Promise.all(Array.from({ length: 4 }, buildCaller));
      const late = await times(2, (i) => send({ token: more[i]!.token, address }));
      for (const answer of late) expectProblem(answer, 429, "rate_limited");
      expect(late[0]!.headers.get("ratelimit-policy")).to.equal('"address-sends";q=40;w=60');
      expect((await send({ token: more[0]!.token, address: freshAddress() })).status).to.equal(404);
    });

    it("hold over all processes together", async () => {
      const other = await world.startApi();
      const caller = await buildCaller();
      const answers = await times(8, (i) => read(caller, i % 2 ? other : world));
      expect(statuses(answers)).to.deep.equal([...Array(6).fill(200), 429, 429]);
    });

    it("hold also where each process takes a part of the budget in advance", async () => {
      const apis = await Promise.all([1, 2, 3].map(() => world.startApi({ RATE_READS: "100" })));
      const caller = await buildCaller();
      const answers = await times(108, (i) => read(caller, apis[i % 3]));
      expect(statuses(answers).filter((status) => status === 200)).to.have.lengthOf.within(96, 100);
      expect(new Set(statuses(answers.slice(-6)))).to.deep.equal(new Set([429]));
    });

    it("are counted for sign-ins by address, since nobody has said yet who they are", async () => {
      const address = freshAddress();
      const refresh = () => ask("POST", "/v1/auth/refresh", { address }, { refresh_token: "unknown" });
      const answers = await times(51, refresh);
      expect(statuses(answers)).to.deep.equal([...Array(50).fill(401), 429]);
      expect(answers[50]!.headers.get("ratelimit-policy")).to.equal('"address-logins";q=50;w=60');
      expectProblem(await login({ username: "anybody" }, address), 429, "rate_limited");
      expect((await login({ username: "anybody" }, freshAddress())).status).to.equal(401);
    });

    it("are counted also for who can't show who they are, who is then not even looked up", async () => {
      const address = freshAddress();
      const forged = `plt_${"Forged00".repeat(5)}`;
      const answers = await times(61, () => read({ token: forged, address }));
      expect(statuses(answers)).to.deep.equal([...Array(60).fill(401), 429]);
      expect(answers[60]!.headers.get("ratelimit-policy")).to.equal('"address-reads";q=60;w=60');
      const asked = world.statements.length;
      for (const answer of await times(5, () => read({ token: forged, address }))) expect(answer.status).to.equal(429);
      expect(world.statements.slice(asked).filter((sql) => sql.includes("api_tokens"))).to.deep.equal([]);
      expectProblem(await read({ token: forged, address: freshAddress() }), 401, "token_invalid");
    });

    it("are not for the probes", async () => {
      const answers = await times(20, () => ask("GET", "/healthz", { address: "192.0.2.77" }));
      expect(new Set(statuses(answers))).to.deep.equal(new Set([200]));
      expect(answers[0]!.headers.get("ratelimit")).to.equal(null);
    });
  });
}

describe("wrong passwords", () => {
  before(async () => {
    world = await build({ env: {} });
  });
  after(() => world?.close());

  /** `{username}` or `{email}`: how the account is named. */
  const fail = (who: object, address = freshAddress()) => login(who, address, "wrong password");
  const expectToWait = (answer: Answer): void => {
    expectProblem(answer, 429, "rate_limited");
    expect(Number(answer.headers.get("retry-after"))).to.be.within(1, 60);
  };

  it("are ten in a minute for one account, from wherever; then even the right one has to wait", async () => {
    const [{ username }, other] = [await buildUser(world), await buildUser(world)];
    expect(statuses(await times(10, () => fail({ username })))).to.deep.equal(Array(10).fill(401));
    expectToWait(await login({ username }, freshAddress()));
    expectToWait(await fail({ username: username.toUpperCase() }));
    expect((await login({ username: other.username }, freshAddress())).status).to.equal(200);
  });

  it("are ten in a minute from one address, for whatever accounts; others go on", async () => {
    const people = await Promise.all(Array.from({ length: 11 }, () => buildUser(world)));
    const address = freshAddress();
    const failed = await times(10, (i) => fail({ username: people[i]!.username }, address));
    expect(statuses(failed)).to.deep.equal(Array(10).fill(401));
    expectToWait(await login({ username: people[10]!.username }, address));
    for (const { username } of people.slice(9))
      expect((await login({ username }, freshAddress())).status).to.equal(200);
  });

  it("are counted for a name that nobody has as well: the answers do not tell whether there is an account", async () => {
    expect(statuses(await times(10, () => fail({ username: "nobody" })))).to.deep.equal(Array(10).fill(401));
    expectToWait(await fail({ username: "nobody" }));
  });

  it("are counted too where a new password asks for the current one", async () => {
    const { token, person } = await buildCaller();
    const change = (current_password?: string) =>
      ask(
        "PATCH",
        `/v1/users/${person.id}`,
        { token, address: freshAddress() },
        { password: "new Passw0rd", current_password },
      );
    // Nothing was tried yet.
    expectProblem(await change(), 403, "wrong_password");
    for (const answer of await times(10, (i) => change(`guess ${i}`))) expectProblem(answer, 403, "wrong_password");
    expectToWait(await change(PASSWORD));
    expectToWait(await login({ username: person.username }, freshAddress()));
  });

  it("are forgiven to an account that signs in, not to the address that it signs in from", async () => {
    const [{ username }, other] = [await buildUser(world), await buildUser(world)];
    const address = freshAddress();
    await times(9, () => fail({ username }, address));
    expect((await login({ username }, address)).status).to.equal(200);
    expect(statuses(await times(9, () => fail({ username })))).to.deep.equal(Array(9).fill(401));
    expect((await login({ username }, address)).status).to.equal(200);
    expect((await fail({ username: other.username }, address)).status).to.equal(401);
    expectToWait(await login({ username: other.username }, address));
  });

  it("are ten for an account whether it is named by its username or its e-mail address", async () => {
    const email = "one-of-two-names@example.org";
    const { username } = await buildUser(world, { email });
    const failed = await times(20, (i) => fail(i % 2 ? { email } : { username }));
    expect(statuses(failed)).to.deep.equal([...Array(10).fill(401), ...Array(10).fill(429)]);
  });

  it("are ten for an account, and ten for an address, also when they come all at once", async () => {
    const people = await Promise.all(Array.from({ length: 40 }, () => buildUser(world)));
    const address = freshAddress();
    for (const [whose, guess] of [
      ["an account's", () => fail({ username: people[0]!.username })],
      ["an address's", ({ username }: Person) => fail({ username }, address)],
    ] as const) {
      const answers = await Promise.all(people.map(guess));
      const looked = answers.filter(({ status }) => status === 401);
      expect(looked.length, `${whose} passwords that were looked at`).to.be.within(1, 10);
    }
  });

  it("are counted for the address that the proxy saw, not for one that was made up before it", async () => {
    const people = await Promise.all(Array.from({ length: 11 }, () => buildUser(world)));
    const seen = freshAddress();
    const answers = await times(11, (i) => fail({ username: people[i]!.username }, `203.0.113.${i}, ${seen}`));
    expect(statuses(answers)).to.deep.equal([...Array(10).fill(401), 429]);
  });
});

/** A Redis of its own: it is taken away, which no other file should feel. */
describe("limits while Redis is away", () => {
  let folder: string;
  let redis: Awaited<ReturnType<typeof startRedis>>;

  before(async function () {
    const { program } = await findRedis();
    if (program === undefined) return this.skip();
    folder = await mkdtemp(join(tmpdir(), "parley-limits-"));
    redis = await startRedis({ program, dataDir: folder });
    world = await build({ backend: "redis", env: { REDIS_URL: redis.url, RATE_READS: "6" } });
  });
  after(async () => {
    await world?.close();
    await redis?.stop();
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  it("are counted by each process for itself, sign-ins too", async () => {
    const [caller, person] = [await buildCaller(), await buildUser(world)];
    expect((await read(caller)).headers.get("ratelimit")).to.match(/r=5;/);
    await redis.stop();
    const answers = await times(8, () => read(caller));
    expect(statuses(answers)).to.deep.equal([...Array(6).fill(200), 429, 429]);
    expect(Number(answers[7]!.headers.get("retry-after"))).to.be.within(1, 60);
    const { username } = person;
    const failed = await times(11, () => login({ username }, freshAddress(), "wrong password"));
    expect(statuses(failed)).to.deep.equal([...Array(10).fill(401), 429]);
  });
});

describe("limits of which each process takes a part at a time", () => {
  before(async () => {
    world = await build({ env: { RATE_READS: "100" } });
  });
  after(() => world?.close());

  it("are as large for who asks for much at once as for who asks one by one", async () => {
    const caller = await buildCaller();
    const atOnce = (count: number) => Promise.all(Array.from({ length: count }, () => read(caller)));
    expect(statuses([...(await atOnce(60)), ...(await atOnce(40))])).to.deep.equal(Array(100).fill(200));
    expectProblem(await read(caller), 429, "rate_limited");
  });
});
