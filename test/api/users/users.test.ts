import { randomBytes } from "node:crypto";
import { expect } from "chai";
import {
  type Answer,
  buildRoom,
  buildUser,
  buildUsers,
  call,
  expectProblem,
  get,
  type Person,
  post,
  say,
  toRoom,
  toUser,
} from "../../calls.ts";
import { buildWorld, type World } from "../../world.ts";

const word = (): string => randomBytes(5).toString("hex");
const namesIn = ({ body }: Answer): string[] => body.users.map(({ username }: Person) => username);
const xCache = ({ headers }: Answer): string | null => headers.get("x-cache");

describe("users", () => {
  let world: World;
  let me: Person;

  before(async () => {
    world = await buildWorld();
    me = await buildUser(world);
  });
  after(() => world.close());

  const list = (query = "") => get(world, `/v1/users${query}`, me.id);
  const patch = (user: Person, body: object, as = user.id) => call(world, "PATCH", toUser(user), { as, body });
  const remove = (user: Person, as = user.id) => call(world, "DELETE", toUser(user), { as });

  describe("signing up", () => {
    it("answers the new user, and where it is", async () => {
      const username = `ann-${word()}`;
      const profile = { first_name: "Ann", last_name: "Lee", status: "Busy", status_message: "in a meeting" };
      const email = `${username}@example.com`;
      const { status, headers, body } = await post(world, "/v1/users", {
        username: ` ${username} `,
        password: "Passw0rd!",
        email,
        ...profile,
      });
      expect(status).to.equal(201);
      expect(body).to.deep.equal({
        id: body.id,
        username,
        ...profile,
        email,
        is_admin: false,
        created_at: body.created_at,
      });
      expect(headers.get("location")).to.equal(`/v1/users/${body.id}`);
      const seen = await get(world, `/v1/users/${body.id}`, me.id);
      expect(seen.body, "others don't see the address").to.deep.equal({
        id: body.id,
        username,
        ...profile,
        created_at: body.created_at,
      });
      expect((await get(world, "/v1/me", body.id)).body).to.deep.equal(body);
    });

    it("needs no more than a name and a password", async () => {
      const { body } = await post(world, "/v1/users", { username: `ann-${word()}`, password: "Passw0rd!" });
      const empty = { email: null, first_name: "", last_name: "", status: "Offline", status_message: null };
      expect(body).to.deep.include(empty);
    });

    it("names every field that is wrong", async () => {
      const bad = { username: "a b", password: "short", email: "nowhere", status: "Away", is_admin: true };
      const answer = await post(world, "/v1/users", bad);
      expectProblem(answer, 400, "validation_failed", ...Object.keys(bad));
      expectProblem(await post(world, "/v1/users", {}), 400, "validation_failed", "username", "password");
      for (const username of ["ab", "a".repeat(33), "a\u0000b", "a/b", ""]) {
        const refused = await post(world, "/v1/users", { username, password: "Passw0rd!" });
        expectProblem(refused, 400, "validation_failed", "username");
      }
    });

    it("refuses a name or an address that somebody has, in whatever case", async () => {
      const name = word();
      const taken = { username: `ann-${name}`, email: `ann-${name}@example.com` };
      await buildUser(world, taken);
      const byName = await post(world, "/v1/users", { username: `ANN-${name}`, password: "Passw0rd!" });
      expectProblem(byName, 409, "username_taken", "username");
      const email = taken.email.toUpperCase();
      const byEmail = await post(world, "/v1/users", { username: `ben-${name}`, password: "Passw0rd!", email });
      expectProblem(byEmail, 409, "email_taken", "email");
    });

    it("gives a name that twelve ask for at once to one of them", async () => {
      const body = { username: `ann-${word()}`, password: "Passw0rd!" };
      const answers = await Promise.all(Array.from({ length: 12 }, () => post(world, "/v1/users", body)));
      const statuses = answers.map(({ status }) => status).toSorted();
      expect(statuses).to.deep.equal([201, ...Array(11).fill(409)]);
    });
  });

  describe("the list", () => {
    const family = `Fam${word()}`;
    let ann: Person;
    let ben: Person;
    let cat: Person;

    before(async () => {
      const build = (name: string, rest: object) => buildUser(world, { username: `${name}-${family}`, ...rest });
      ann = await build("ann", { first_name: `Ann${family}`, last_name: "One", status: "Online" });
      ben = await build("ben", { first_name: "Ben", last_name: `Two${family}`, status: "Busy" });
      await buildUser(world, { username: `stranger-${word()}` });
      cat = await build("cat", { first_name: "Cat_100%", last_name: `Two${family}`, status: "Online" });
    });

    const found = async (query: string): Promise<string[]> => namesIn(await list(`?${query}`));

    it("finds part of a username or of a name, in whatever case", async () => {
      expect(await found(`q=${family.toUpperCase()}`)).to.deep.equal([ann.username, ben.username, cat.username]);
      expect(await found(`q=en-${family}`)).to.deep.equal([ben.username]);
      expect(await found(`q=nn${family}%20on`), "across first and last name").to.deep.equal([ann.username]);
      expect(await found(`q=${word()}`)).to.deep.equal([]);
    });

    it("takes the signs of a pattern as they are", async () => {
      expect(await found("q=_100%25")).to.deep.equal([cat.username]);
      expect(await found(`q=%25${family}`)).to.deep.equal([]);
      expect(await found(`q=___-${family}`)).to.deep.equal([]);
      expect(await found("q=%5C")).to.deep.equal([]);
    });

    it("finds exactly this username, first name or last name", async () => {
      expect(await found(`username=${ann.username.toUpperCase()}`)).to.deep.equal([ann.username]);
      expect(await found(`username=ann-`)).to.deep.equal([]);
      expect(await found(`first_name=Ann${family}`)).to.deep.equal([ann.username]);
      expect(await found(`last_name=Two${family}`)).to.deep.equal([ben.username, cat.username]);
      expect(await found(`last_name=Two${family}&first_name=Ben`)).to.deep.equal([ben.username]);
    });

    it("finds by status, and leaves out whom it is told to", async () => {
      expect(await found(`q=${family}&status=Online`)).to.deep.equal([ann.username, cat.username]);
      expect(await found(`q=${family}&status=Offline`)).to.deep.equal([]);
      expect(await found(`q=${family}&exclude=${ann.id},${cat.id}`)).to.deep.equal([ben.username]);
      expect(await found(`q=${family}&exclude=${ben.id}`)).to.deep.equal([ann.username, cat.username]);
    });

    it("comes in pages by id, which next leads through", async () => {
      const first = await list(`?q=${family}&limit=2`);
      expect(namesIn(first)).to.deep.equal([ann.username, ben.username]);
      expect(first.body.next).to.equal(String(ben.id));
      const second = await list(`?q=${family}&limit=2&after=${first.body.next}`);
      expect(namesIn(second)).to.deep.equal([cat.username]);
      for (const last of [second, await list(`?q=${family}&limit=3`)]) {
        expect(last.body.next).to.equal(null);
        expect(last.headers.get("link")).to.equal(null);
      }
    });

    it("comes in pages that the Link header leads through, with the filters of the first", async () => {
      const first = await list(`?q=${family}&limit=2`);
      const [, query] = /^<\?(.+)>; rel="next"$/.exec(first.headers.get("link") ?? "") ?? [];
      expect(query, first.headers.get("link") ?? "no Link header").to.be.a("string");
      expect(namesIn(await list(`?${query}`))).to.deep.equal([cat.username]);
    });

    it("says what is wrong with a query", async () => {
      for (const [name, value] of Object.entries({
        status: "Away",
        exclude: "1,two",
        limit: "0",
        after: "x",
        q: "%00",
      })) {
        expectProblem(await list(`?${name}=${value}`), 400, "validation_failed", name);
      }
      expectProblem(await list("?limit=1001"), 400, "validation_failed", "limit");
    });

    it("is the same for everybody, and for nobody in demo mode", async () => {
      const asMe = await list(`?q=${family}`);
      expect((await get(world, `/v1/users?q=${family}`)).body).to.deep.equal(asMe.body);
      expectProblem(await get(world, "/v1/users/1"), 401, "not_signed_in");
    });
  });

  describe("the cache of the list", () => {
    it("is filled by the first who asks, for all who ask the same", async () => {
      await buildUser(world);
      expect(xCache(await list())).to.equal("MISS");
      expect(xCache(await list())).to.equal("HIT");
      expect(xCache(await get(world, "/v1/users"))).to.equal("HIT");
      expect(xCache(await list("?limit=5"))).to.equal("MISS");
      expect((await list("?limit=5")).body).to.have.keys("users", "next");
    });

    it("is dropped by every change to any user, before that change is answered", async () => {
      const marker = word();
      const query = `?q=${marker}`;
      const fresh = async (what: string): Promise<string[]> => {
        const [first, second] = [await list(query), await list(query)];
        expect([xCache(first), xCache(second)], what).to.deep.equal(["MISS", "HIT"]);
        expect(second.body).to.deep.equal(first.body);
        return first.body.users.map((user: { username: string; status: string }) => `${user.username} ${user.status}`);
      };
      expect(await fresh("at first")).to.deep.equal([]);
      const ann = await buildUser(world, { username: `ann-${marker}` });
      expect(await fresh("sign-up")).to.deep.equal([`ann-${marker} Offline`]);
      await patch(ann, { status: "Online" });
      expect(await fresh("status")).to.deep.equal([`ann-${marker} Online`]);
      await patch(ann, { username: `anna-${marker}` });
      expect(await fresh("rename")).to.deep.equal([`anna-${marker} Online`]);
      await post(world, "/users/", { username: `ben-${marker}`, password: "x", profile: {} });
      expect(await fresh("classic sign-up")).to.deep.equal([`anna-${marker} Online`, `ben-${marker} Offline`]);
      await remove(ann);
      expect(await fresh("delete")).to.deep.equal([`ben-${marker} Offline`]);
    });

    it("is shared by all processes, and dropped for all of them", async () => {
      const other = await world.startApi();
      const query = `/v1/users?q=${word()}`;
      expect(xCache(await get(world, query))).to.equal("MISS");
      expect(xCache(await get(other, query))).to.equal("HIT");
      const ann = await buildUser(other, { username: `ann-${word()}` });
      expect(xCache(await get(world, query))).to.equal("MISS");
      expect(namesIn(await get(world, `/v1/users?username=${ann.username}`))).to.deep.equal([ann.username]);
      await other.close();
    });

    it("ends fresh, however lists and sign-ups race", async () => {
      for (let round = 1; round <= 25; round++) {
        let answered = false;
        const readOn = async (query: string): Promise<void> => {
          while (!answered) await list(query);
        };
        const signUp = buildUser(world).finally(() => {
          answered = true;
        });
        const [ann] = await Promise.all([signUp, readOn(""), readOn("?limit=1000"), readOn("?limit=1000")]);
        expect(namesIn(await list("?limit=1000")), `round ${round}`).to.include(ann.username);
      }
    });

    it("gives an ETag, and 304 to who has that answer already", async () => {
      const query = `?q=${word()}`;
      const first = await list(query);
      const etag = first.headers.get("etag")!;
      expect(etag).to.match(/^"[\w-]+"$/);
      const ask = (known: string) => call(world, "GET", `/v1/users${query}`, { headers: { "if-none-match": known } });
      for (const known of [etag, `W/${etag}`, `"other", ${etag}`]) {
        const again = await ask(known);
        expect([again.status, again.body, again.headers.get("etag")], known).to.deep.equal([304, "", etag]);
      }
      expect((await ask('"other"')).status).to.equal(200);
      await buildUser(world);
      expect((await ask(etag)).status, "the same users as before").to.equal(304);
      const marked = await buildUser(world, { first_name: query.slice(3) });
      const changed = await ask(etag);
      expect(changed.status).to.equal(200);
      expect(changed.headers.get("etag")).to.not.equal(etag);
      expect(namesIn(changed)).to.deep.equal([marked.username]);
    });

    it("costs one statement to fill and none to use", async function () {
      if (world.deps.backend.kind !== "redis") return this.skip();
      await list();
      await buildUser(world);
      const count = async (): Promise<[string | null, number]> => {
        const before = world.statements.length;
        const answer = await list();
        return [xCache(answer), world.statements.length - before];
      };
      // Whoever changed forgets the caller too, who is then looked up once.
      await get(world, "/v1/me", me.id);
      expect(await count()).to.deep.equal(["MISS", 1]);
      expect(await count()).to.deep.equal(["HIT", 0]);
    });
  });

  describe("changing an account", () => {
    it("changes the fields that are named, and no others", async () => {
      const ann = await buildUser(world, { first_name: "Ann", last_name: "Lee", email: `${word()}@example.com` });
      const before = (await get(world, "/v1/me", ann.id)).body;
      const changes = { status: "Busy", status_message: "back soon", first_name: "Anna" };
      const { status, body } = await patch(ann, changes);
      expect(status).to.equal(200);
      expect(body).to.deep.equal({ ...before, ...changes });
      expect((await get(world, "/v1/me", ann.id)).body).to.deep.equal(body);
      const cleared = await patch(ann, { email: null, status_message: null, last_name: "" });
      expect(cleared.body).to.deep.equal({ ...body, email: null, status_message: null, last_name: "" });
      expect((await patch(ann, {})).body).to.deep.equal(cleared.body);
    });

    it("shows a new name everywhere at once", async () => {
      const [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
      const room = await buildRoom(world, [ann, ben]);
      const message = await say(world, ann, toRoom(room), "who am I?");
      const username = `anna-${word()}`;
      expect((await patch(ann, { username })).status).to.equal(200);
      const history = await get(world, `${toRoom(room)}/messages`, ben.id);
      expect(history.body.messages[0].sender).to.deep.equal({ id: ann.id, username });
      const { members } = (await get(world, toRoom(room), ben.id)).body;
      expect(members.map((member: Person) => member.username)).to.have.members([username, ben.username]);
      expect((await get(world, `/v1/messages/${message.id}`, ben.id)).body.sender.username).to.equal(username);
      const again = await buildUser(world, { username: ann.username });
      expect(again.id).to.not.equal(ann.id);
    });

    it("refuses what is not one's own to change, and what somebody else has", async () => {
      const [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
      expectProblem(await patch(ann, { status: "Busy" }, ben.id), 403, "not_allowed");
      expectProblem(await patch({ id: 999_999, username: "" }, { status: "Busy" }, ben.id), 403, "not_allowed");
      expectProblem(await remove(ann, ben.id), 403, "not_allowed");
      expect((await get(world, toUser(ann), ben.id)).body.status).to.equal("Offline");
      const inCapitals = ben.username.toUpperCase();
      expectProblem(await patch(ann, { username: inCapitals }), 409, "username_taken", "username");
      expect((await patch(ben, { username: inCapitals })).body.username, "one's own name").to.equal(inCapitals);
    });

    it("names every field that is wrong, or that is not there to be changed", async () => {
      const ann = await buildUser(world);
      const bad = { username: "a b", status: "Away", email: "nowhere", id: 1, is_superuser: true };
      expectProblem(await patch(ann, bad), 400, "validation_failed", ...Object.keys(bad));
      expect((await patch(ann, { is_admin: true })).status).to.be.oneOf([400, 403]);
      expect((await get(world, "/v1/me", ann.id)).body).to.include({ username: ann.username, is_admin: false });
    });
  });

  describe("closing an account", () => {
    it("leaves what was said readable, under the name of who said it", async () => {
      const [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
      const room = await buildRoom(world, [ann, ben]);
      const inGroup = await say(world, ben, toRoom(room), "to the group");
      const direct = await say(world, ben, toUser(ann), "to you");
      expect((await remove(ben)).status).to.equal(204);
      for (const { id, text } of [inGroup, direct]) {
        const { body } = await get(world, `/v1/messages/${id}`, ann.id);
        expect(body).to.deep.include({ text, sender: { id: ben.id, username: ben.username } });
      }
      const histories = [`${toRoom(room)}/messages`, `${toUser(ben)}/messages`];
      for (const history of histories) {
        const { status, body } = await get(world, history, ann.id);
        expect(status, history).to.equal(200);
        expect(body.messages[0].sender, history).to.deep.equal({ id: ben.id, username: ben.username });
      }
      const { body } = await get(world, "/v1/messages/unseen", ann.id);
      expect(body.messages.map(({ text }: { text: string }) => text)).to.deep.equal(["to the group", "to you"]);
      const { members } = (await get(world, `/v1/rooms/${direct.room_id}`, ann.id)).body;
      expect(members.map(({ id }: Person) => id)).to.have.members([ann.id, ben.id]);
    });

    it("frees the name and the address for somebody else, who is not taken for who had them", async () => {
      const email = `${word()}@example.com`;
      const [ann, ben] = [await buildUser(world, { email }), await buildUser(world)];
      const message = await say(world, ann, toUser(ben), "by the first");
      await remove(ann);
      const second = await buildUser(world, { username: ann.username, email });
      expect(second.id).to.not.equal(ann.id);
      expect((await get(world, `/v1/messages/${message.id}`, ben.id)).body.sender.id).to.equal(ann.id);
      expect((await get(world, "/v1/rooms", second.id)).body.rooms).to.deep.equal([]);
      expect(namesIn(await list(`?username=${ann.username}`))).to.deep.equal([second.username]);
    });

    it("hands groups over to who has been there longest, and deletes those that are left empty", async () => {
      const [ann, ben, cat] = [await buildUser(world), await buildUser(world), await buildUser(world)];
      const shared = await buildRoom(world, [ann]);
      for (const { id } of [cat, ben]) await call(world, "PUT", `${toRoom(shared)}/members/${id}`, { as: ann.id });
      const joined = await buildRoom(world, [ben, ann]);
      const alone = await buildRoom(world, [ann]);
      expect((await remove(ann)).status).to.equal(204);
      const rolesIn = async (room: { id: number }): Promise<[number, string][]> =>
        (await get(world, toRoom(room), ben.id)).body.members.map((m: { id: number; role: string }) => [m.id, m.role]);
      expect(await rolesIn(shared)).to.deep.equal([
        [ben.id, "member"],
        [cat.id, "owner"],
      ]);
      expect(await rolesIn(joined)).to.deep.equal([[ben.id, "owner"]]);
      const { body } = await get(world, "/v1/rooms?scope=public&limit=1000", ben.id);
      expect(body.rooms.map(({ id }: { id: number }) => id)).to.not.include(alone.id);
      const renamed = await call(world, "PATCH", toRoom(shared), { as: cat.id, body: { is_public: true } });
      expect(renamed.status, "the heir is the owner").to.equal(200);
      const again = await buildRoom(world, [ben], { name: alone.name });
      expect(again.id, "the name of the deleted group is free").to.not.equal(alone.id);
    });

    it("takes effect before it is answered: who is gone can't act, and is not there for others", async () => {
      const [ann, ...people] = (await buildUsers(world, 41)) as [Person, ...Person[]];
      const room = await buildRoom(world, [ann, ...people]);
      const wrong: string[] = [];
      const expectStatus = (expected: number, { status }: Answer, what: string): void => {
        if (status !== expected) wrong.push(`${what}: ${status}`);
      };
      for (const ben of people) {
        // Known to the API from here on.
        await say(world, ben, toRoom(room), "still here");
        expect((await remove(ben)).status).to.equal(204);
        const [list, toGroup, toMe, profile] = await Promise.all([
          get(world, "/v1/rooms", ben.id),
          post(world, `${toRoom(room)}/messages`, { text: "still here?" }, ben.id),
          post(world, `${toUser(ben)}/messages`, { text: "are you there?" }, ann.id),
          get(world, toUser(ben), ann.id),
        ]);
        expectStatus(401, list, "a list for who is gone");
        expectStatus(401, toGroup, "a message from who is gone");
        expectStatus(404, toMe, "a message to who is gone");
        expectStatus(404, profile, "the profile of who is gone");
      }
      expect(wrong).to.deep.equal([]);
    });

    it("is the end of it: there is nothing to change or to close again", async () => {
      const ann = await buildUser(world);
      await remove(ann);
      for (const answer of [await remove(ann), await patch(ann, { status: "Online" })]) {
        expect(answer.status, JSON.stringify(answer.body)).to.equal(401);
      }
    });

    it("leaves nobody behind in a room that they are added to, or that is made with them, at the same moment", async () => {
      const ways = {
        added: async (ann: Person, ben: Person) => {
          const room = await buildRoom(world, [ann]);
          return () => call(world, "PUT", `${toRoom(room)}/members/${ben.id}`, { as: ann.id });
        },
        "made with": async (ann: Person, ben: Person) => () =>
          post(world, "/v1/rooms", { name: `race-${word()}`, member_ids: [ben.id] }, ann.id),
      };
      const left: string[] = [];
      for (const [how, prepare] of Object.entries(ways)) {
        for (let round = 1; round <= 10; round++) {
          const [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
          const letIn = await prepare(ann, ben);
          const [gone] = await Promise.all([remove(ben), letIn()]);
          expect(gone.status).to.equal(204);
          const { body } = await get(world, "/v1/rooms", ann.id);
          const members = body.rooms.flatMap((room: { members: Person[] }) => room.members.map(({ id }) => id));
          if (members.includes(ben.id)) left.push(`${how}, round ${round}`);
        }
      }
      expect(left).to.deep.equal([]);
    });
  });
});
