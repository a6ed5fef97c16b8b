import { expect } from "chai";
import { decodeJwt, decodeProtectedHeader, SignJWT } from "jose";
import { type ParleyClient, Problem, type Session, webStore } from "../../src/client/index.ts";
import { AppError } from "../../src/shared/errors.ts";
import { buildUser, call, type Person, say, toUser } from "../calls.ts";
import { type Api, buildWorld, type World } from "../world.ts";
import { clientsOf } from "./clients.ts";
import { FaultyProxy } from "./faulty-proxy.ts";

const PASSWORD = "Passw0rd!";
const SECRET = "0123456789abcdef0123456789abcdef";

/** What a browser's localStorage is to its tabs. */
function storage() {
  const kept = new Map<string, string>();
  return {
    kept,
    getItem: (name: string) => kept.get(name) ?? null,
    setItem: (name: string, text: string) => void kept.set(name, text),
    removeItem: (name: string) => void kept.delete(name),
  };
}

describe("a session of the client", () => {
  let world: World;
  let strict: Api;
  let proxy: FaultyProxy;
  let ann: Person;
  const clients = clientsOf(() => proxy.url);
  const refreshes = (): string[] => asked.filter((path) => path === "/v1/auth/refresh");
  let asked: string[] = [];

  before(async () => {
    world = await buildWorld();
    strict = await world.startApi({ AUTH_MODE: "token", AUTH_SECRET: SECRET });
    proxy = await FaultyProxy.before(strict.url);
    ann = await buildUser(world);
  });
  beforeEach(() => {
    asked = [];
    proxy.decide = ({ path }) => void asked.push(path);
  });
  afterEach(() => clients.closeAll());
  after(async () => {
    await proxy?.close();
    await world?.close();
  });

  async function signedIn(store = webStore(storage())): Promise<ParleyClient> {
    const client = clients.blank({ store });
    await client.logIn({ username: ann.username, password: PASSWORD });
    return client;
  }

  /** Its token is not taken any more, as after a quarter of an hour. */
  function spoil(client: ParleyClient, place: ReturnType<typeof storage>, change: Partial<Session>): ParleyClient {
    const session = { ...client.session!, ...change };
    place.setItem("parley.session", JSON.stringify(session));
    return clients.blank({ store: webStore(place) });
  }

  it("begins with a sign-up or a name and a password, and is refused with a Problem", async () => {
    const client = clients.blank();
    const username = `u-${Date.now()}`;
    const me = await client.signUp({ username, password: "Passw0rd!x", first_name: "Ada" });
    expect(client.session?.user).to.deep.equal(me);
    const taken = await client.signUp({ username, password: "Passw0rd!x" }).catch((error: unknown) => error);
    expect(taken).to.be.instanceOf(Problem).and.include({ code: "username_taken", status: 409 });
    const wrong = await client.logIn({ username, password: "no" }).catch((error: unknown) => error);
    expect(wrong).to.include({ code: "wrong_credentials" });
    expect(client.session?.user.id, "who was signed in stays so").to.equal(me.id);
  });

  it("is kept, and is there at once at the next start", async () => {
    const place = storage();
    await signedIn(webStore(place));
    const next = clients.blank({ store: webStore(place) });
    expect(next.session?.user.username).to.equal(ann.username);
    expect((await next.me()).id).to.equal(ann.id);
    place.setItem("parley.session", "{broken");
    expect(clients.blank({ store: webStore(place) }).session).to.equal(null);
  });

  it("also in a store that takes its time", async () => {
    let kept = (await signedIn()).session;
    const store = {
      load: async () => kept,
      save: async (session: Session) => {
        kept = session;
      },
      clear: async () => {
        kept = null;
      },
    };
    const client = clients.blank({ store });
    expect((await client.me()).id).to.equal(ann.id);
    await client.logOut();
    expect(kept).to.equal(null);
  });

  for (const [what, change] of [
    ["before its token is over", { expiresAt: 0 }],
    ["when its token is refused", { accessToken: "stale" }],
  ] as const) {
    it(`is renewed without a word ${what}, once for all who ask`, async () => {
      const place = storage();
      const client = spoil(await signedIn(), place, change);
      const heard: string[] = [];
      client.onSession((_, why) => heard.push(why));
      const answers = await Promise.all([client.me(), client.rooms.list(), client.users.list(), client.unseen()]);
      expect(answers[0].id).to.equal(ann.id);
      expect(refreshes()).to.have.length(1);
      expect(heard).to.deep.equal(["refreshed"]);
    });
  }

  it("is renewed once for all tabs, and holds in each of them", async () => {
    const place = storage();
    const first = spoil(await signedIn(), place, { expiresAt: 0 });
    const tabs = [first, ...Array.from({ length: 4 }, () => clients.blank({ store: webStore(place) }))];
    await Promise.all(tabs.map((tab) => tab.me()));
    expect(refreshes()).to.have.length(1);
    expect(new Set(tabs.map((tab) => tab.session!.refreshToken)).size).to.equal(1);
  });

  it("holds in all tabs where a browser has no locks and each of them renews it", async () => {
    const place = storage();
    const first = spoil(await signedIn(), place, { expiresAt: 0 });
    const tabs = [first, ...Array.from({ length: 4 }, () => clients.blank({ store: webStore(place) }))];
    Object.defineProperty(navigator, "locks", { value: undefined, configurable: true });
    try {
      await Promise.all(tabs.map((tab) => tab.me()));
    } finally {
      Reflect.deleteProperty(navigator, "locks");
    }
    expect(refreshes()).to.have.length(5);
    for (const tab of tabs) await tab.request("POST", "/v1/auth/ticket");
    expect(tabs.map((tab) => tab.session?.user.id)).to.deep.equal(tabs.map(() => ann.id));
  });

  it("is not lost with the answer to a refresh", async () => {
    const place = storage();
    const client = spoil(await signedIn(), place, { expiresAt: 0 });
    let lost = 2;
    proxy.decide = ({ path }) => (path === "/v1/auth/refresh" && lost-- > 0 ? { what: "lost" } : undefined);
    expect((await client.me()).id).to.equal(ann.id);
  });

  it("outlives a server that can't be asked", async () => {
    const place = storage();
    const client = spoil(await signedIn(), place, { expiresAt: 0 });
    proxy.decide = () => ({ what: "problem", error: new AppError("database_unavailable", "away") });
    const problem = await client.me().catch((error: unknown) => error);
    expect(problem).to.include({ code: "database_unavailable" });
    expect(client.session).to.not.equal(null);
    proxy.decide = () => undefined;
    expect((await client.me()).id).to.equal(ann.id);
  });

  it("that has ended elsewhere is told of as expired; events and sends end with it", async () => {
    const place = storage();
    const client = await signedIn(webStore(place));
    const heard: string[] = [];
    client.onSession((session, why) => heard.push(`${session} ${why}`));
    const live = Promise.withResolvers<void>();
    const reading = (async () => {
      for await (const _ of client.events({ onStatus: ({ state }) => state === "live" && live.resolve() }));
    })().catch((error: unknown) => error);
    await live.promise;
    const { accessToken } = client.session!;
    await call(strict, "POST", "/v1/auth/logout", { headers: { authorization: `Bearer ${accessToken}` } });
    const problem = await reading;
    expect(problem).to.be.instanceOf(Problem).and.include({ code: "session_ended", status: 401 });
    expect(heard).to.deep.equal(["null expired"]);
    expect(place.kept.size).to.equal(0);
    const send = await client.send({ to: 1 }, "x").stored.catch((error: unknown) => error);
    expect(send).to.include({ status: 401 });
  });

  it("outlives its token on a socket: events go on with the next one", async () => {
    const place = storage();
    const first = await signedIn();
    const claims = decodeJwt(first.session!.accessToken);
    const accessToken = await new SignJWT({ ...claims, exp: Math.floor(world.deps.now() / 1_000) + 2 })
      .setProtectedHeader({ ...decodeProtectedHeader(first.session!.accessToken), alg: "HS256" })
      .sign(new TextEncoder().encode(SECRET));
    const client = spoil(first, place, { accessToken });
    const renewed = Promise.withResolvers<void>();
    client.onSession((_, why) => why === "refreshed" && renewed.resolve());
    const { nextOffset: from } = await client.rooms.list();
    const events = client.events({ from, transport: "websocket" })[Symbol.asyncIterator]();
    const event = events.next();
    await renewed.promise;
    const ben = await buildUser(world);
    await say(world, ben, toUser(ann), "still there?");
    expect((await event).value).to.include({ type: "room.created" });
    expect(refreshes()).to.have.length(1);
    await events.return!();
  });

  it("that is signed out of ends its events quietly and its sends with a Problem, also without a server", async () => {
    const client = await signedIn();
    const live = Promise.withResolvers<void>();
    const reading = (async () => {
      for await (const _ of client.events({ onStatus: ({ state }) => state === "live" && live.resolve() }));
    })();
    await live.promise;
    proxy.decide = () => ({ what: "refused" });
    const send = client.send({ to: 1 }, "x").stored.catch((error: unknown) => error);
    await client.logOut();
    expect(client.session).to.equal(null);
    await reading;
    expect(await send)
      .to.be.instanceOf(Problem)
      .and.include({ code: "not_signed_in" });
  });

  it("does not come back by a refresh that was under way when somebody signed out", async () => {
    const place = storage();
    spoil(await signedIn(), place, { expiresAt: 0 });
    const client = clients.blank({
      store: webStore(place),
      fetch: async (input, init) => {
        const answer = await fetch(input, init);
        if (String(input).endsWith("/v1/auth/refresh")) await client.logOut();
        return answer;
      },
    });
    expect(await client.me().catch((error: unknown) => error)).to.be.instanceOf(Problem);
    expect(refreshes()).to.have.length(1);
    expect([client.session, place.kept.size]).to.deep.equal([null, 0]);
  });

  it("is not needed with a token of a bot, which is never renewed", async () => {
    const client = await signedIn();
    const { body } = await client.request<{ token: string; id: number }>("POST", "/v1/auth/tokens", {
      body: { name: "bot" },
    });
    const bot = clients.blank({ auth: { apiToken: body.token } });
    expect((await bot.me()).id).to.equal(ann.id);
    expect((await bot.send({ to: (await buildUser(world)).id }, "beep").stored).sender.id).to.equal(ann.id);
    await client.request("DELETE", `/v1/auth/tokens/${body.id}`);
    expect(await bot.me().catch((error: unknown) => error)).to.include({ status: 401 });
    expect(refreshes()).to.deep.equal([]);
  });
});
