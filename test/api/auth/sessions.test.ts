import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { decodeJwt, decodeProtectedHeader } from "jose";
import { rows } from "../../../src/shared/db/database.ts";
import { type Answer, buildUser, call, expectProblem, type Person, post } from "../../calls.ts";
import { until } from "../../until.ts";
import { buildWorld, type World } from "../../world.ts";

type Api = Pick<World, "url" | "deps">;

const PASSWORD = "Passw0rd!"; // of everybody that buildUser makes
const POLL = "/v1/messages/unseen?wait=50";

const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
const me = (api: { url: string }, token: string) => call(api, "GET", "/v1/me", bearer(token));
const refresh = (api: { url: string }, refresh_token: string) => post(api, "/v1/auth/refresh", { refresh_token });
const logout = (api: { url: string }, token: string) => call(api, "POST", "/v1/auth/logout", bearer(token));

async function signIn(api: { url: string }, { username }: Person) {
  const { status, body } = await post(api, "/v1/auth/login", { username, password: PASSWORD });
  expect(status, JSON.stringify(body)).to.equal(200);
  return body as { access_token: string; refresh_token: string };
}

describe("a session", () => {
  let dataDir: string;
  let world: World;
  /** A second API process on the same database. */
  let there: Api;
  let ann: Person;
  let ben: Person;

  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "parley-sessions-"));
    world = await buildWorld({ worker: false, env: { AUTH_MODE: "token", RATE_LIMITS: "off", DATA_DIR: dataDir } });
    there = await world.startApi();
    ann = await buildUser(world, { email: "ann@example.org" });
    ben = await buildUser(world);
  });
  after(async () => {
    await world?.close();
    await rm(dataDir, { recursive: true, force: true });
  });

  it("begins with a username or an e-mail address, in whatever case", async () => {
    for (const who of [{ username: ann.username.toUpperCase() }, { email: "Ann@Example.ORG" }]) {
      const answer = await post(world, "/v1/auth/login", { ...who, password: PASSWORD });
      expect(answer.status, JSON.stringify(answer.body)).to.equal(200);
      expect(answer.body).to.include({ token_type: "Bearer", expires_in: 900 });
      expect(answer.body.user).to.include({ id: ann.id, email: "ann@example.org" });
      expect(answer.headers.get("cache-control")).to.equal("no-store");
      expect((await me(world, answer.body.access_token)).body.id).to.equal(ann.id);
    }
  });

  it("has an access token that is signed, for a quarter of an hour, and tells nothing but whose it is", async () => {
    const { access_token } = await signIn(world, ann);
    expect(decodeProtectedHeader(access_token)).to.include({ alg: "HS256", typ: "at+jwt" }).and.to.have.property("kid");
    const claims = decodeJwt(access_token);
    expect(Object.keys(claims).sort()).to.deep.equal(["exp", "iat", "iss", "nbf", "sid", "sub"]);
    expect(claims).to.include({ iss: "parley", sub: String(ann.id), exp: claims.iat! + 15 * 60 });
  });

  it("lives 30 days from its last refresh on, and no day longer", async () => {
    const { access_token, refresh_token } = await signIn(world, ann);
    const daysLeft = async () => {
      const sql = "select extract(epoch from expires_at - now())::float8 / 86400 as days from sessions where id = $1";
      return (await rows<{ days: number }>(world.deps.em, sql, [sidOf(access_token)]))[0]!.days;
    };
    await moveEnd(access_token, "1 day");
    const next = await refresh(world, refresh_token);
    expect(await daysLeft()).to.be.within(29.99, 30);
    await moveEnd(access_token, "-1 second");
    expectProblem(await refresh(world, next.body.refresh_token), 401, "session_ended");
    expectProblem(await me(world, next.body.access_token), 401, "session_ended");
  });

  it("that was refreshed lives on in an API that had known the end it had before", async () => {
    const { access_token, refresh_token } = await signIn(world, ann);
    await moveEnd(access_token, "2 seconds");
    expect((await me(there, access_token)).status).to.equal(200);
    const next = await refresh(world, refresh_token);
    // Until the end that it had before has passed.
    await call(world, "GET", "/v1/messages/unseen?wait=3", bearer((await signIn(world, ben)).access_token));
    const answer = await me(there, next.body.access_token);
    expect(answer.status, JSON.stringify(answer.body)).to.equal(200);
  });

  it("gets another refresh token with every refresh; an old one still works for the few seconds of a race", async () => {
    const { refresh_token } = await signIn(world, ann);
    const tabs = await Promise.all([refresh(world, refresh_token), refresh(there, refresh_token)]);
    expect(tabs.map(({ status }) => status)).to.deep.equal([200, 200]);
    const tokens = [refresh_token, ...tabs.map(({ body }) => body.refresh_token)];
    expect(new Set(tokens).size).to.equal(3);
    for (const { body } of tabs) {
      expect((await me(world, body.access_token)).body.id).to.equal(ann.id);
      expect((await refresh(world, body.refresh_token)).status).to.equal(200);
    }
  });

  it("ends altogether when an old refresh token is used again, parked reads of its newest access token included", async () => {
    const stolen = await signIn(world, ann);
    const { body: victim } = await refresh(world, stolen.refresh_token);
    await graceIsOver(victim.access_token);
    await endAtOnce([world, there], victim.access_token, async () => {
      expectProblem(await refresh(world, stolen.refresh_token), 401, "session_ended");
    });
    expectProblem(await refresh(world, victim.refresh_token), 401, "session_ended");
    expectProblem(await me(world, stolen.access_token), 401, "session_ended");
  });

  it("is not refreshed by a token that nobody gave", async () => {
    expectProblem(await refresh(world, `plr_${"A".repeat(43)}`), 401, "token_invalid");
    const { access_token } = await signIn(world, ann);
    expectProblem(await refresh(world, access_token.slice(0, 200)), 401, "token_invalid");
  });

  it("ends with a logout at once, on every API, with all that is parked; other sessions go on", async () => {
    const [phone, laptop] = [await signIn(world, ann), await signIn(world, ann)];
    await endAtOnce([world, there], phone.access_token, async () => {
      expect((await logout(world, phone.access_token)).status).to.equal(204);
    });
    expectProblem(await logout(world, phone.access_token), 401, "session_ended");
    expectProblem(await refresh(there, phone.refresh_token), 401, "session_ended");
    expect((await me(there, laptop.access_token)).status).to.equal(200);
  });

  it("ends also while a read waits for a task", async () => {
    const { access_token } = await signIn(world, ann);
    const body = { text: "no worker takes this" };
    const sent = await call(world, "POST", `/v1/users/${ben.id}/messages`, { ...bearer(access_token), body });
    world.statements.length = 0;
    const task = call(world, "GET", `/v1/tasks/${sent.body.task_id}?wait=50`, bearer(access_token));
    await until(() => world.statements.some((sql) => /from messages/.test(sql)));
    await logout(world, access_token);
    expectProblem(await task, 401, "session_ended");
  });

  it("ends also for a read that is about to be parked, on an API that had not met it before", async () => {
    const people = await Promise.all(Array.from({ length: 30 }, () => buildUser(world)));
    const tokens = await Promise.all(people.map(async (person) => (await signIn(world, person)).access_token));
    const polls = await Promise.all(
      tokens.map(async (token) => {
        const poll = call(there, "GET", "/v1/messages/unseen?wait=5", bearer(token));
        await logout(world, token);
        return poll;
      }),
    );
    const ends = polls.map(({ status, body }) => `${status} ${body.code}`);
    expect(ends.filter((end) => end !== "401 session_ended")).to.deep.equal([]);
  });

  it("is listed to its owner, the newest first, and can be ended from another one", async () => {
    const cat = await buildUser(world);
    const devices = ["Phone/1", "Laptop/2", "Tablet/3"];
    const tokens: string[] = [];
    for (const device of devices) {
      const body = { username: cat.username, password: PASSWORD };
      const headers = { "user-agent": device };
      tokens.push((await call(world, "POST", "/v1/auth/login", { body, headers })).body.access_token);
    }
    const [phone, laptop, tablet] = tokens as [string, string, string];
    const list = async () => (await call(world, "GET", "/v1/auth/sessions", bearer(laptop))).body.sessions as Listed[];
    const end = (token: string, id: string) => call(world, "DELETE", `/v1/auth/sessions/${id}`, bearer(token));
    expect((await list()).map(({ user_agent, is_current }) => [user_agent, is_current])).to.deep.equal([
      ["Tablet/3", false],
      ["Laptop/2", true],
      ["Phone/1", false],
    ]);
    expect((await list()).map(({ id }) => id)).to.deep.equal([tablet, laptop, phone].map(sidOf));
    await endAtOnce([world, there], phone, async () => {
      expect((await end(laptop, sidOf(phone))).status).to.equal(204);
    });
    expect((await list()).map(({ user_agent }) => user_agent)).to.deep.equal(["Tablet/3", "Laptop/2"]);
    expectProblem(await end(laptop, sidOf(phone)), 404, "session_not_found");
    const stranger = await signIn(world, ben);
    expectProblem(await end(stranger.access_token, sidOf(tablet)), 404, "session_not_found");
    expect((await me(world, tablet)).status).to.equal(200);
  });

  it("is signed with a key that is made at the first start, by one of those who start at once, for its owner's eyes only", async () => {
    const DATA_DIR = join(dataDir, "new");
    const apis = await Promise.all(Array.from({ length: 4 }, () => world.startApi({ DATA_DIR })));
    const { access_token } = await signIn(apis[0]!, ann);
    for (const api of apis) expect((await me(api, access_token)).status).to.equal(200);
    expect((await me(world, access_token)).body.code).to.equal("token_invalid");
    expect((await stat(join(DATA_DIR, "auth-secret"))).mode & 0o777).to.equal(0o600);
    const secret = await readFile(join(DATA_DIR, "auth-secret"), "utf8");
    const restarted = await world.startApi({ DATA_DIR });
    expect((await me(restarted, access_token)).status).to.equal(200);
    expect(await readFile(join(DATA_DIR, "auth-secret"), "utf8")).to.equal(secret);
  });

  it("outlives the change of the key: the new one signs, the old one is still believed until it is taken away", async () => {
    const [older, newer] = ["old".repeat(11), "new".repeat(11)];
    const [before, during, after] = await Promise.all(
      [older, `${newer}, ${older}`, newer].map((AUTH_SECRET) => world.startApi({ AUTH_SECRET })),
    );
    const { access_token: byOld } = await signIn(before!, ann);
    const { access_token: byNew } = await signIn(during!, ann);
    const answers = async (token: string) =>
      Promise.all([before!, during!, after!].map(async (api) => (await me(api, token)).status));
    expect(await answers(byOld)).to.deep.equal([200, 200, 401]);
    expect(await answers(byNew)).to.deep.equal([401, 200, 200]);
  });

  const moveEnd = (token: string, interval: string) =>
    rows(world.deps.em, `update sessions set expires_at = now() + interval '${interval}' where id = $1`, [
      sidOf(token),
    ]);

  const graceIsOver = (token: string) =>
    rows(
      world.deps.em,
      "update refresh_tokens set used_at = used_at - interval '1 minute' where session_id = $1 and used_at is not null",
      [sidOf(token)],
    );
});

interface Listed {
  id: string;
  user_agent: string;
  is_current: boolean;
}

const sidOf = (token: string): string => String(decodeJwt(token)["sid"]);

/** Polls that are parked with this token, one on each API, are answered with 401 at once when it ends. */
async function endAtOnce(apis: readonly Api[], token: string, end: () => Promise<void>): Promise<void> {
  const polls = apis.map((api) => call(api, "GET", POLL, bearer(token)));
  for (const { deps } of apis) await until(() => deps.hub.parked > 0);
  const endedAt = performance.now();
  await end();
  for (const poll of await Promise.all(polls)) expectEnded(poll);
  expect(performance.now() - endedAt).to.be.below(1_000);
  for (const api of apis) expectEnded(await me(api, token));
}

const expectEnded = (answer: Answer): void => {
  expectProblem(answer, 401, "session_ended");
  expect(answer.headers.get("www-authenticate")).to.equal('Bearer realm="parley", error="invalid_token"');
};
