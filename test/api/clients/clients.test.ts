import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { pino } from "pino";
import { openApiDeps } from "../../../src/api/deps.ts";
import { listen } from "../../../src/api/listen.ts";
import { Closers } from "../../../src/shared/closers.ts";
import { rows } from "../../../src/shared/db/database.ts";
import { type Answer, buildUser, call, expectProblem, type Person, post } from "../../calls.ts";
import { until } from "../../until.ts";
import { buildWorld, type World } from "../../world.ts";

const PASSWORD = "Passw0rd!"; // of everybody that buildUser makes

interface Client {
  readonly id: string;
  readonly api_key: string;
}

describe("an API client", () => {
  let dataDir: string;
  let world: World;
  let there: Pick<World, "url" | "deps">;
  let admin: Person;
  let ann: Person;
  let ben: Person;
  let adminToken: string;
  let annToken: string;

  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "parley-clients-"));
    world = await buildWorld({ env: { AUTH_MODE: "token", RATE_LIMITS: "off", DATA_DIR: dataDir } });
    there = await world.startApi();
    [admin, ann, ben] = [await buildUser(world), await buildUser(world), await buildUser(world)];
    await rows(world.deps.em, "update users set is_admin = true where id = $1", [admin.id]);
    [adminToken, annToken] = [await signIn(admin), await signIn(ann)];
  });
  after(async () => {
    await world?.close();
    await rm(dataDir, { recursive: true, force: true });
  });

  const signIn = async ({ username }: Person): Promise<string> =>
    (await post(world, "/v1/auth/login", { username, password: PASSWORD })).body.access_token;
  const asAdmin = (method: string, path: string, body?: object): Promise<Answer> =>
    call(world, method, path, { ...bearer(adminToken), ...(body && { body }) });
  const build = async (scopes?: readonly string[], name = "server"): Promise<Client> => {
    const answer = await asAdmin("POST", "/v1/clients", { name, ...(scopes && { scopes }) });
    expect(answer.status, JSON.stringify(answer.body)).to.equal(201);
    return answer.body;
  };
  const actAs = (
    { api_key }: Pick<Client, "api_key">,
    { id }: { id: number },
    [method, path, body]: readonly [method: string, path: string, body?: object],
    api: { url: string } = world,
  ) => call(api, method, path, { headers: keyed(api_key, id), ...(body && { body }) });
  const me = ["GET", "/v1/me"] as const;

  it("has a key that is shown once, when an admin makes it, and is listed without it", async () => {
    const made = await asAdmin("POST", "/v1/clients", { name: "billing", scopes: ["read"] });
    expect(made.status).to.equal(201);
    expect(made.headers.get("cache-control")).to.equal("no-store");
    expect(made.headers.get("location")).to.equal(`/v1/clients/${made.body.id}`);
    const { api_key, ...shown } = made.body;
    expect(api_key).to.match(new RegExp(`^${shown.id}:plc_[\\w-]{43}$`));
    expect(shown).to.deep.include({ name: "billing", scopes: ["read"], created_by: admin.id, last_used_at: null });
    expect((await asAdmin("GET", `/v1/clients/${shown.id}`)).body).to.deep.equal(shown);
    expect((await asAdmin("GET", "/v1/clients")).body.clients).to.deep.include(shown);
  });

  it("is made, seen and revoked by admins only", async () => {
    const { id } = await build();
    for (const [method, path, body] of [
      ["POST", "/v1/clients", { name: "mine" }],
      ["GET", "/v1/clients"],
      ["GET", `/v1/clients/${id}`],
      ["DELETE", `/v1/clients/${id}`],
    ] as const) {
      const answer = await call(world, method, path, { ...bearer(annToken), ...(body && { body }) });
      expectProblem(answer, 403, "not_allowed");
    }
    expect((await asAdmin("GET", `/v1/clients/${id}`)).status).to.equal(200);
    expectProblem(await asAdmin("GET", `/v1/clients/${crypto.randomUUID()}`), 404, "client_not_found");
  });

  it("acts in the name of whoever it says, on every API, and each time of that user alone", async () => {
    const client = await build();
    for (const api of [world, there]) {
      for (const person of [ann, ben]) expect((await actAs(client, person, me, api)).body.id).to.equal(person.id);
    }
    const sent = await actAs(client, ann, ["POST", `/v1/users/${ben.id}/messages`, { text: "from a server" }]);
    const task = await actAs(client, ann, ["GET", `/v1/tasks/${sent.body.task_id}?wait=20`]);
    expect(task.body.result.sender).to.deep.equal({ id: ann.id, username: ann.username });
    expectProblem(await actAs(client, admin, ["GET", `/v1/tasks/${sent.body.task_id}`]), 404, "task_not_found");
  });

  const read = ["GET", "/v1/rooms"] as const;
  const write = () => ["PATCH", `/v1/users/${admin.id}`, { status: "Busy" }] as const;
  const administer = ["GET", "/v1/clients"] as const;
  for (const [scopes, ...expected] of [
    // scopes, read, write, administer
    [["read"], 200, 403, 403],
    [["write"], 403, 200, 403],
    [["admin"], 403, 403, 200],
    [["read", "write"], 200, 200, 403],
    [["read", "admin"], 200, 403, 200],
    [["read", "write", "admin"], 200, 200, 200],
    [undefined, 200, 200, 403],
  ] as const) {
    it(`with the scopes ${scopes ?? "that one has if none are said"} may do that and no more`, async () => {
      const client = await build(scopes);
      const answers = [];
      for (const what of [read, write(), administer]) answers.push(await actAs(client, admin, what));
      expect(answers.map(({ status }) => status)).to.deep.equal(expected);
      const codes = answers.filter(({ status }) => status === 403).map(({ body }) => body.code);
      expect([...new Set(codes)]).to.have.members(codes.length > 0 ? ["insufficient_scope"] : []);
    });
  }

  it("with the scope admin is an admin in the name of admins only", async () => {
    const client = await build(["read", "write", "admin"]);
    expectProblem(await actAs(client, ann, administer), 403, "not_allowed");
    const change = ["PATCH", `/v1/users/${ben.id}`, { first_name: "Benjamin" }] as const;
    expectProblem(await actAs(client, ann, change), 403, "not_allowed");
    expect((await actAs(client, admin, change)).body.first_name).to.equal("Benjamin");
  });

  it("without the scope admin is no admin in the name of one: not by itself, and not by what it makes", async () => {
    const client = await build(["read", "write"]);
    const change = ["PATCH", `/v1/users/${ann.id}`, { first_name: "Anna" }] as const;
    expectProblem(await actAs(client, admin, change), 403, "not_allowed");
    const grant = ["PATCH", `/v1/users/${admin.id}`, { is_admin: true }] as const;
    expectProblem(await actAs(client, admin, grant), 403, "not_allowed");
    const made = await actAs(client, admin, ["POST", "/v1/auth/tokens", { name: "by a server" }]);
    const byToken = await call(world, "GET", "/v1/clients", bearer(made.body.token ?? "none"));
    expect(byToken.status, "a token that the key has made for the admin").to.be.oneOf([401, 403]);
  });

  for (const [what, body, path] of [
    ["no name", { scopes: ["read"] }, "name"],
    ["no scope at all", { name: "idle", scopes: [] }, "scopes"],
    ["a scope that there is not", { name: "more", scopes: ["read", "everything"] }, "scopes.1"],
    ["a secret of its own", { name: "own", secret: "1234" }, "secret"],
  ] as const) {
    it(`is not made with ${what}`, async () => {
      expectProblem(await asAdmin("POST", "/v1/clients", body), 400, "validation_failed", path);
    });
  }

  it("shows when it was used last, once it was", async () => {
    const client = await build();
    const lastUse = async () => (await asAdmin("GET", `/v1/clients/${client.id}`)).body.last_used_at;
    expect(await lastUse()).to.equal(null);
    const before = Date.now();
    await actAs(client, ann, me);
    while ((await lastUse()) === null);
    expect(Date.parse(await lastUse())).to.be.within(before - 2_000, Date.now() + 2_000);
  });

  for (const [what, write] of [
    ["as it was given", (key: string) => key],
    ["with its id in capitals", (key: string) => key.replace(/^[^:]+/, (id) => id.toUpperCase())],
  ] as const) {
    it(`whose key is revoked can do nothing at once, on every API, with all that is parked; the key ${what}`, async () => {
      const { id, api_key } = await build();
      const client = { api_key: write(api_key) };
      const poll = ["GET", "/v1/messages/unseen?wait=50"] as const;
      const usable = (await actAs(client, ann, me)).status === 200;
      const polls = usable ? [world, there].map((api) => actAs(client, ann, poll, api)) : [];
      if (usable) for (const { deps } of [world, there]) await until(() => deps.hub.parked > 0);
      const revokedAt = performance.now();
      expect((await asAdmin("DELETE", `/v1/clients/${id}`)).status).to.equal(204);
      for (const { status } of await Promise.all(polls)) expect(status).to.equal(401);
      expect(performance.now() - revokedAt).to.be.below(1_000);
      for (const api of [world, there]) expectProblem(await actAs(client, ann, me, api), 401, "token_invalid");
      expectProblem(await asAdmin("DELETE", `/v1/clients/${id}`), 404, "client_not_found");
      const { clients } = (await asAdmin("GET", "/v1/clients")).body;
      expect(clients.map((listed: Client) => listed.id)).to.not.include(id);
    });
  }

  it("is named in the log line of what it does, with the user in whose name it did it, and without its key", async () => {
    const closers = new Closers();
    const lines: string[] = [];
    try {
      const log = pino({ level: "info" }, { write: (line) => void lines.push(line) });
      const api = { url: await listen(await openApiDeps({ env: world.env, log, closers }), closers) };
      const client = await build();
      const { headers } = await actAs(client, ann, me, api);
      await call(api, "GET", "/v1/me", bearer(annToken));
      await call(api, "GET", "/healthz");
      const found = lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === "request");
      expect(found.map(({ route, userId, credential, status }) => [route, userId, status, credential])).to.deep.equal([
        ["getMe", ann.id, 200, `client:${client.id}`],
        ["getMe", ann.id, 200, `session:${sidOf(annToken)}`],
        ["healthz", undefined, 200, undefined],
      ]);
      expect(found[0].requestId).to.equal(headers.get("x-request-id"));
      expect(lines.join("")).to.not.include(client.api_key.split(":")[1]);
    } finally {
      await closers.closeAll((name, cause) => expect.fail(`could not close ${name}: ${String(cause)}`));
    }
  });
});

const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
const keyed = (apiKey: string, userId: number) => ({ "x-api-key": apiKey, "x-act-as": String(userId) });
const sidOf = (token: string): string =>
  JSON.parse(Buffer.from(token.split(".")[1]!, "base64url").toString()).sid as string;
