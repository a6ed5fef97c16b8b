import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { rows } from "../../../src/shared/db/database.ts";
import { type Answer, buildUser, call, expectProblem, type Person, post } from "../../calls.ts";
import { runToEnd } from "../../processes.ts";
import { until } from "../../until.ts";
import { buildWorld, type World } from "../../world.ts";

const PASSWORD = "Passw0rd!"; // of everybody that buildUser makes
const NEW_PASSWORD = "correct horse battery";
const POLL = "/v1/messages/unseen?wait=50";

const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
const me = (api: { url: string }, token: string) => call(api, "GET", "/v1/me", bearer(token));

describe("an account", () => {
  let dataDir: string;
  let world: World;
  /** A second API process on the same database. */
  let there: Pick<World, "url" | "deps">;

  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "parley-accounts-"));
    world = await buildWorld({ env: { AUTH_MODE: "token", RATE_LIMITS: "off", DATA_DIR: dataDir } });
    there = await world.startApi();
  });
  after(async () => {
    await world?.close();
    await rm(dataDir, { recursive: true, force: true });
  });

  const signUp = (body: object) => post(world, "/v1/users", { password: PASSWORD, ...body });
  const login = (body: object) => post(world, "/v1/auth/login", { password: PASSWORD, ...body });
  const signIn = async ({ username }: Person): Promise<string> => (await login({ username })).body.access_token;
  const change = (token: string, { id }: { id: number }, body: object, api: { url: string } = world) =>
    call(api, "PATCH", `/v1/users/${id}`, { ...bearer(token), body });
  const close = (token: string, { id }: Person) => call(world, "DELETE", `/v1/users/${id}`, bearer(token));
  const buildAdmin = async (): Promise<{ person: Person; token: string }> => {
    const person = await buildUser(world);
    await rows(world.deps.em, "update users set is_admin = true where id = $1", [person.id]);
    return { person, token: await signIn(person) };
  };

  describe("at sign-up", () => {
    for (const username of ["abc", "a".repeat(32), "Zoë", "李小龙大师", "a.b+c-d_e@f", "12345"]) {
      it(`may be called ${username}, and signs in by that name`, async () => {
        expect((await signUp({ username })).body.username).to.equal(username);
        expect((await login({ username })).status).to.equal(200);
      });
    }

    for (const username of [
      "ab",
      "a".repeat(33),
      "ann smith",
      "ann/smith",
      "ann'--",
      "ann\u0000",
      "<b>ann</b>",
      "😀😀😀",
    ]) {
      it(`may not be called ${JSON.stringify(username)}`, async () => {
        expectProblem(await signUp({ username }), 400, "validation_failed", "username");
      });
    }

    for (const [taken, again] of [
      ["Grace", "gRACE"],
      ["Änne", "äNNE"],
      ["ЖУК", "жук"],
      ["ΟΔΟΣ", "οδοσ"],
      ["İpek", "İPEK"],
    ] as const) {
      it(`may not be called ${again} if somebody is called ${taken}, who signs in in either case`, async () => {
        expect((await signUp({ username: taken })).status).to.equal(201);
        expectProblem(await signUp({ username: again }), 409, "username_taken", "username");
        for (const username of [taken, again]) expect((await login({ username })).status, username).to.equal(200);
      });
    }

    it("may have an e-mail address that nobody else has, in whatever case, and does not need one", async () => {
      expect((await signUp({ username: "emma", email: "Emma@Example.org" })).body.email).to.equal("Emma@Example.org");
      const again = await signUp({ username: "emma2", email: "eMMa@exAMPLE.org" });
      expectProblem(again, 409, "email_taken", "email");
      for (const username of ["emma3", "emma4"]) expect((await signUp({ username })).body.email).to.equal(null);
      for (const email of ["", "emma", "emma@", `${"e".repeat(250)}@example.org`]) {
        expectProblem(await signUp({ username: "emma5", email }), 400, "validation_failed", "email");
      }
    });

    it("twenty at once by one name is one account", async () => {
      const answers = await Promise.all(Array.from({ length: 20 }, () => signUp({ username: "highlander" })));
      expect(answers.map(({ status }) => status).sort()).to.deep.equal([201, ...Array(19).fill(409)]);
    });

    for (const [what, password] of [
      ["7 characters", "g7#kQ2x"],
      ["129 characters", `${"kQ2x".repeat(32)}k`],
      ["the username", "Margaret.H"],
      ["digits only", "8301749265018364"],
      ["one of the commonest", "trustno1"],
      ["one of the commonest in another case", "QwertyUIOP"],
      ["nothing", undefined],
      ["a number", 8_301_749_265],
    ] as const) {
      it(`may not have a password of ${what}, then or later`, async () => {
        const username = "margaret.h";
        expectProblem(await signUp({ username, password }), 400, "validation_failed", "password");
        if (password === undefined) return;
        const person = await buildUser(world);
        const changes = { username, password, current_password: PASSWORD };
        const answer = await change(await signIn(person), person, changes);
        expectProblem(answer, 400, "validation_failed", "password");
        expect((await login({ username: person.username })).status).to.equal(200);
      });
    }

    it("may have a password of 8 characters, or of 128, and of any kind", async () => {
      for (const [i, password] of ["g7#kQ2xz", "kQ2x".repeat(32), "пароль с пробелами 🔑"].entries()) {
        const username = `any-kind-${i}`;
        expect((await signUp({ username, password })).status).to.equal(201);
        expect((await login({ username, password })).status).to.equal(200);
        expect((await login({ username, password: `${password.slice(0, -1)}?` })).status).to.equal(401);
      }
    });

    it("is no admin, and cannot make itself one", async () => {
      expectProblem(await signUp({ username: "mallory", is_admin: true }), 400, "validation_failed", "is_admin");
      const { body } = await signUp({ username: "mallory" });
      expect(body.is_admin).to.equal(false);
      const token = await signIn(body);
      for (const is_admin of [true, false]) expectProblem(await change(token, body, { is_admin }), 403, "not_allowed");
      expect((await me(world, token)).body.is_admin).to.equal(false);
    });
  });

  describe("whose password is changed", () => {
    it("needs the current one", async () => {
      const person = await buildUser(world);
      const token = await signIn(person);
      for (const current_password of [undefined, "", "Passw0rd?", NEW_PASSWORD]) {
        const answer = await change(token, person, { password: NEW_PASSWORD, current_password });
        expectProblem(answer, 403, "wrong_password", "current_password");
      }
      expect((await login({ username: person.username, password: NEW_PASSWORD })).status).to.equal(401);
      const changed = await change(token, person, { password: NEW_PASSWORD, current_password: PASSWORD });
      expect(changed.status).to.equal(200);
      expect((await login({ username: person.username })).status).to.equal(401);
      expect((await login({ username: person.username, password: NEW_PASSWORD })).status).to.equal(200);
    });

    it("loses its other sessions at once, on every API, and keeps the one that did it", async () => {
      const person = await buildUser(world);
      const [mine, other] = [await signIn(person), await signIn(person)];
      await endsAtOnce(other, async () => {
        const changed = await change(mine, person, { password: NEW_PASSWORD, current_password: PASSWORD });
        expect(changed.status).to.equal(200);
      });
      expect((await me(there, mine)).status).to.equal(200);
    });

    it("by an admin needs no current one, and loses all of its sessions", async () => {
      const { token: admin } = await buildAdmin();
      const person = await buildUser(world);
      await endsAtOnce(await signIn(person), async () => {
        expect((await change(admin, person, { password: NEW_PASSWORD })).status).to.equal(200);
      });
      expect((await login({ username: person.username, password: NEW_PASSWORD })).status).to.equal(200);
      expect((await me(world, admin)).status).to.equal(200);
    });
  });

  describe("of an admin", () => {
    it("makes admins and takes it back, which holds for requests from then on, on every API", async () => {
      const { token: admin } = await buildAdmin();
      const person = await buildUser(world);
      const token = await signIn(person);
      for (const is_admin of [true, false, true]) {
        expect((await change(admin, person, { is_admin })).body.is_admin).to.equal(is_admin);
        expect(await isAdmin(token, world)).to.equal(is_admin);
        expect((await me(there, token)).body.is_admin).to.equal(is_admin);
      }
    });

    it("comes from the command `npm run admin`, which needs the database and nothing else", async () => {
      const person = await buildUser(world);
      const token = await signIn(person);
      expect(await isAdmin(token, world)).to.equal(false);
      const granted = await admin("grant", person.username.toUpperCase());
      expect(granted).to.deep.include({ code: 0, stderr: "" });
      expect(granted.stdout).to.match(/is now an admin/);
      for (const api of [world, there]) expect(await isAdmin(token, api)).to.equal(true);
      expect(await admin("revoke", person.username)).to.deep.include({ code: 0, stderr: "" });
      for (const api of [world, there]) expect(await isAdmin(token, api)).to.equal(false);
    });

    it("is not given to nobody: the command says what is wrong in one line", async () => {
      expect(await admin("grant", "nobody-at-all")).to.deep.include({
        code: 1,
        stderr: "Nobody is called nobody-at-all\n",
      });
      expect(await runAdmin(["--help"], {})).to.include({ code: 0, stderr: "" });
      for (const args of [[], ["grant"], ["make", "ann"]]) {
        const { code, stderr } = await admin(...args);
        expect({ code, lines: stderr.trim().split("\n").length }).to.deep.equal({ code: 1, lines: 1 });
        expect(stderr).to.match(/^Usage: npm run admin -- grant <username>/);
      }
    });

    const isAdmin = async (token: string, api: { url: string }): Promise<boolean> =>
      (await call(api, "GET", "/v1/clients", bearer(token))).status === 200;
    const admin = (...args: string[]) => runAdmin(args, { DATABASE_URL: world.env.DATABASE_URL! });
  });

  describe("that is changed", () => {
    /** What the API is told by the database reaches it a little later: until then it hears nothing. */
    async function deafen(): Promise<void> {
      const { em, tail } = world.deps;
      const tails = "application_name = 'parley tail' and datname = current_database()";
      await rows(em, `select pg_terminate_backend(pid) from pg_stat_activity where ${tails}`);
      await until(() => !tail.connected);
    }

    afterEach(async () => {
      for (const { deps } of [world, there]) await until(() => deps.tail.connected);
    });

    for (const [what, changeBy, path, status] of [
      ["closed", (token, person) => close(token, person), "/v1/me", 401],
      ["given a new password", (token, person) => change(token, person, { password: NEW_PASSWORD }), "/v1/me", 401],
      ["made an admin", (token, person) => change(token, person, { is_admin: true }), "/v1/clients", 200],
    ] as readonly Change[]) {
      it(`is ${what} for the very next request to the same API, before that hears of it`, async () => {
        const { token: admin } = await buildAdmin();
        for (let i = 0; i < 5; i++) {
          const person = await buildUser(world);
          const token = await signIn(person);
          await me(world, token);
          await deafen();
          expect((await changeBy(admin, person)).status).to.be.below(300);
          expect((await fetch(world.url + path, bearer(token))).status).to.equal(status);
        }
      });
    }
  });

  type Change = readonly [
    what: string,
    changeBy: (adminToken: string, person: Person) => Promise<Answer>,
    path: string,
    status: number,
  ];

  describe("that is closed", () => {
    it("ends with its sessions, tokens and parked reads at once, on every API", async () => {
      const person = await buildUser(world);
      const { body: session } = await login({ username: person.username });
      const body = { name: "bot" };
      const bot = (await call(world, "POST", "/v1/auth/tokens", { ...bearer(session.access_token), body })).body.token;
      const other = await signIn(person);
      const parkedByBot = call(there, "GET", POLL, bearer(bot));
      await until(() => there.deps.hub.parked > 0);
      const closeAccount = async () => {
        expect((await close(session.access_token, person)).status).to.equal(204);
      };
      await endsAtOnce(other, closeAccount, [0, 1]);
      expect((await parkedByBot).status).to.equal(401);
      for (const token of [session.access_token, bot]) {
        for (const api of [world, there]) expect((await me(api, token)).status).to.equal(401);
      }
      const again = await post(world, "/v1/auth/refresh", { refresh_token: session.refresh_token });
      expectProblem(again, 401, "session_ended");
      expectProblem(await login({ username: person.username }), 401, "wrong_credentials");
    });

    it("leaves its name and its address to others, who do not become what it was", async () => {
      const [username, email] = ["phoenix", "phoenix@example.org"];
      const { body: first } = await signUp({ username, email });
      const token = await signIn(first);
      expect((await close(token, first)).status).to.equal(204);
      const { status, body: second } = await signUp({ username, email });
      expect(status).to.equal(201);
      expect(second.id).to.be.above(first.id);
      expect((await login({ username })).body.user.id).to.equal(second.id);
      expect((await me(world, token)).status).to.equal(401);
    });

    it("is closed by its owner or by an admin", async () => {
      const [person, stranger] = [await buildUser(world), await buildUser(world)];
      const token = await signIn(person);
      expectProblem(await close(await signIn(stranger), person), 403, "not_allowed");
      expect((await me(world, token)).status).to.equal(200);
      expect((await close((await buildAdmin()).token, person)).status).to.equal(204);
      expect((await me(world, token)).status).to.equal(401);
    });
  });

  /** Polls that are parked with this token, one on each API, are answered with 401 at once when it ends. */
  async function endsAtOnce(token: string, end: () => Promise<void>, parkedBefore = [0, 0]): Promise<void> {
    // What an earlier test had parked is let go first: else its end would hide a beginning.
    for (const [i, { deps }] of [world, there].entries()) await until(() => deps.hub.parked === parkedBefore[i]);
    const polls = [world, there].map((api) => call(api, "GET", POLL, bearer(token)));
    for (const [i, { deps }] of [world, there].entries()) await until(() => deps.hub.parked !== parkedBefore[i]);
    const endedAt = performance.now();
    await end();
    const answers: Answer[] = await Promise.all(polls);
    for (const { status, body } of answers) expect(status, JSON.stringify(body)).to.equal(401);
    expect(performance.now() - endedAt).to.be.below(1_500);
    for (const api of [world, there]) expect((await me(api, token)).status).to.equal(401);
  }
});

const runAdmin = (args: readonly string[], settings: Record<string, string>) =>
  runToEnd("src/admin.ts", args, settings);
