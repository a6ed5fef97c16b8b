import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { rows } from "../../../src/shared/db/database.ts";
import { buildUser, call, expectProblem, type Person, post } from "../../calls.ts";
import { until } from "../../until.ts";
import { buildWorld, type World } from "../../world.ts";

const PASSWORD = "Passw0rd!"; // of everybody that buildUser makes

const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
const me = (api: { url: string }, token: string) => call(api, "GET", "/v1/me", bearer(token));

describe("a token for a bot", () => {
  let dataDir: string;
  let world: World;
  let there: Pick<World, "url" | "deps">;
  let ann: Person;
  let ben: Person;
  let annToken: string;
  let benToken: string;

  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "parley-tokens-"));
    world = await buildWorld({ worker: false, env: { AUTH_MODE: "token", RATE_LIMITS: "off", DATA_DIR: dataDir } });
    there = await world.startApi();
    [ann, ben] = [await buildUser(world), await buildUser(world)];
    [annToken, benToken] = [await signIn(ann), await signIn(ben)];
  });
  after(async () => {
    await world?.close();
    await rm(dataDir, { recursive: true, force: true });
  });

  const signIn = async ({ username }: Person): Promise<string> =>
    (await post(world, "/v1/auth/login", { username, password: PASSWORD })).body.access_token;
  const create = (body: object, token = annToken) => call(world, "POST", "/v1/auth/tokens", { ...bearer(token), body });
  const list = async (token = annToken): Promise<Listed[]> =>
    (await call(world, "GET", "/v1/auth/tokens", bearer(token))).body.tokens;
  const revoke = (id: number, token = annToken) => call(world, "DELETE", `/v1/auth/tokens/${id}`, bearer(token));

  it("is shown once, when it is made, and speaks for its owner from then on", async () => {
    const made = await create({ name: "deploy bot" });
    expect(made.status).to.equal(201);
    expect(made.headers.get("cache-control")).to.equal("no-store");
    expect(made.body).to.include({ name: "deploy bot", expires_at: null, last_used_at: null });
    expect(made.body.token).to.match(/^plt_[\w-]{43}$/);
    for (const api of [world, there]) expect((await me(api, made.body.token)).body.id).to.equal(ann.id);
    expect(JSON.stringify(await list())).to.not.include(made.body.token.slice(4, 20));
  });

  it("is listed to its owner alone, by name, with its last use once there was one", async () => {
    const used = (await create({ name: "used" })).body;
    const idle = (await create({ name: "idle" })).body;
    const found = async (id: number) => (await list()).find((token) => token.id === id);
    expect(await found(used.id)).to.include({ name: "used", last_used_at: null });
    const before = Date.now();
    await me(world, used.token);
    while ((await found(used.id))!.last_used_at === null);
    expect(Date.parse((await found(used.id))!.last_used_at!)).to.be.within(before - 2_000, Date.now() + 2_000);
    expect(await found(idle.id)).to.include({ last_used_at: null });
    expect(await list(benToken)).to.deep.equal([]);
  });

  it("that is revoked is good for nothing at once, on every API, with all that is parked", async () => {
    const { id, token } = (await create({ name: "short-lived" })).body;
    const polls = [world, there].map((api) => call(api, "GET", "/v1/messages/unseen?wait=50", bearer(token)));
    for (const { deps } of [world, there]) await until(() => deps.hub.parked > 0);
    const revokedAt = performance.now();
    expect((await revoke(id)).status).to.equal(204);
    for (const poll of await Promise.all(polls)) expect(poll.status, JSON.stringify(poll.body)).to.equal(401);
    expect(performance.now() - revokedAt).to.be.below(1_000);
    for (const api of [world, there]) expectProblem(await me(api, token), 401, "token_invalid");
    expect((await list()).map((listed) => listed.id)).to.not.include(id);
    expectProblem(await revoke(id), 404, "token_not_found");
  });

  for (const what of ["that is revoked", "of an account that is closed"]) {
    it(`${what} while an API is cut off from the database ends there once that is back`, async () => {
      const cat = await buildUser(world);
      const session = await signIn(cat);
      const { id, token } = (await create({ name: "unheard" }, session)).body;
      const poll = call(there, "GET", "/v1/messages/unseen?wait=8", bearer(token));
      await until(() => there.deps.hub.parked > 0);
      await rows(
        world.deps.em,
        `select pg_terminate_backend(pid) from pg_stat_activity
         where application_name = 'parley tail' and datname = current_database()`,
      );
      await until(() => !there.deps.tail.connected);
      const path = what === "that is revoked" ? `/v1/auth/tokens/${id}` : `/v1/users/${cat.id}`;
      expect((await call(world, "DELETE", path, bearer(session))).status).to.equal(204);
      const { status, body } = await poll;
      expect(status, JSON.stringify(body)).to.equal(401);
    });
  }

  it("is revoked by its owner and by nobody else", async () => {
    const { id, token } = (await create({ name: "mine" })).body;
    expectProblem(await revoke(id, benToken), 404, "token_not_found");
    expect((await me(world, token)).status).to.equal(200);
  });

  it("makes no other tokens: one that was stolen ends with its revocation", async () => {
    const { token } = (await create({ name: "bot" })).body;
    expectProblem(await create({ name: "another" }, token), 403, "insufficient_scope");
    expect((await list()).map(({ name }) => name)).to.not.include("another");
  });

  it("outlives the sessions of its owner, and is no session itself", async () => {
    const session = await signIn(ann);
    const { token } = (await create({ name: "stays" }, session)).body;
    await call(world, "POST", "/v1/auth/logout", bearer(session));
    expect((await me(world, token)).status).to.equal(200);
    expectProblem(await call(world, "POST", "/v1/auth/logout", bearer(token)), 404, "session_not_found");
    const sessions = await call(world, "GET", "/v1/auth/sessions", bearer(token));
    expect(sessions.body.sessions.some((one: { is_current: boolean }) => one.is_current)).to.equal(false);
  });

  it("ends when it was made to end", async () => {
    const inAnHour = new Date(Date.now() + 3_600_000).toISOString();
    const { id, token, expires_at } = (await create({ name: "for an hour", expires_at: inAnHour })).body;
    expect(expires_at).to.equal(inAnHour);
    expect((await me(world, token)).status).to.equal(200);
    await rows(world.deps.em, "update api_tokens set expires_at = now() where id = $1", [id]);
    expectProblem(await me(there, token), 401, "token_expired");
  });

  it("may be made to end at any time that ISO 8601 can tell", async () => {
    const made = await create({ name: "far away", expires_at: "2999-12-31T23:59:59+23:59" });
    expect(made.status, JSON.stringify(made.body)).to.equal(201);
    expect(made.body.expires_at).to.equal("2999-12-31T00:00:59.000Z");
  });

  it("ends when it was made to end also where it is remembered", async () => {
    const inASecond = new Date(Date.now() + 1_000).toISOString();
    const { token } = (await create({ name: "for a second", expires_at: inASecond })).body;
    expect((await me(world, token)).status).to.equal(200);
    await call(world, "GET", "/v1/messages/unseen?wait=2", bearer(annToken));
    expectProblem(await me(world, token), 401, "token_expired");
  });

  for (const [what, body, path] of [
    ["no name", {}, "name"],
    ["an empty name", { name: "  " }, "name"],
    ["a name of 101 letters", { name: "n".repeat(101) }, "name"],
    ["an end in the past", { name: "late", expires_at: "2020-01-01T00:00:00Z" }, "expires_at"],
    ["an end that is no time", { name: "when", expires_at: "tomorrow" }, "expires_at"],
    ["a field that is not known", { name: "more", user_id: 1 }, "user_id"],
  ] as const) {
    it(`is not made with ${what}`, async () => {
      expectProblem(await create(body), 400, "validation_failed", path);
    });
  }

  it("is kept as a hash only, as is every other secret: no table has one of them anywhere", async () => {
    const signedIn = (await post(world, "/v1/auth/login", { username: ann.username, password: PASSWORD })).body;
    await rows(world.deps.em, "update users set is_admin = true where id = $1", [ann.id]);
    const asAdmin = await world.startApi();
    const made = (await create({ name: "needle in the haystack" })).body;
    const body = { name: "server" };
    const client = (await call(asAdmin, "POST", "/v1/clients", { ...bearer(signedIn.access_token), body })).body;
    const secrets = {
      token: made.token,
      withoutItsPrefix: made.token.slice(4),
      accessToken: signedIn.access_token,
      refreshToken: signedIn.refresh_token,
      apiKey: client.api_key.split(":")[1],
      password: PASSWORD,
    };
    expect(await tablesWith("needle in the haystack")).to.deep.equal(["public.api_tokens"]);
    for (const [name, secret] of Object.entries(secrets)) {
      expect(secret, name).to.be.a("string").with.length.above(8);
      expect(await tablesWith(secret), name).to.deep.equal([]);
    }
  });

  /** In which tables a text stands, as text or as the bytes of it. */
  async function tablesWith(text: string): Promise<string[]> {
    const { em } = world.deps;
    const tables = await rows<{ name: string }>(
      em,
      `select format('%I.%I', table_schema, table_name) as name from information_schema.tables
       where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')`,
    );
    expect(tables.map(({ name }) => name)).to.include.members(["public.users", "public.sessions", "public.api_tokens"]);
    const needles = [text, Buffer.from(text).toString("hex")];
    const found: string[] = [];
    for (const { name } of tables) {
      const sql = `select from ${name} as t where exists (
        select from unnest($1::text[]) as x (needle) where position(needle in t::text) > 0) limit 1`;
      if ((await rows(em, sql, [needles])).length > 0) found.push(name);
    }
    return found;
  }
});

interface Listed {
  id: number;
  name: string;
  last_used_at: string | null;
}
