import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { decodeJwt } from "jose";
import { pino } from "pino";
import { AccessTokens } from "../../../src/api/auth/access-tokens.ts";
import { readSigningKeys, type SigningKey } from "../../../src/api/auth/signing-keys.ts";
import { openApiDeps } from "../../../src/api/deps.ts";
import type { Route } from "../../../src/api/http/route.ts";
import { listen } from "../../../src/api/listen.ts";
import { routes } from "../../../src/api/routes.ts";
import { Closers } from "../../../src/shared/closers.ts";
import { rows } from "../../../src/shared/db/database.ts";
import { type Answer, buildUser, call, get, type Person, post } from "../../calls.ts";
import { buildWorld, type World } from "../../world.ts";

/**
 * Who may ask what: a line for each route, its first word the route's id, each number the status that is answered to
 *
 *   anon    nobody            expired  an access token that was good an hour ago
 *   outs    an outsider       ended    an access token of a session that was ended
 *   memb    a member          closed   a bot's token of an account that was closed
 *   owner   the owner         scope    an API key that has every scope but the one that is needed
 *   admin   an admin, who     garbage  something that is no token
 *           is no member      forged   a token signed by another key
 *                             none     a token of alg none
 *
 * where all on the right would otherwise be the owner's, or an admin's where it takes an admin. The room is private
 * unless the line says otherwise, and has a message of its owner in it; accounts, sessions and tokens are the owner's.
 */
const table = `
                                  anon outs memb owner admin | expired ended closed scope garbage forged none
createUser                         201  201  201   201   201 |     201   201    201   201     201    201  201
listUsers                          401  200  200   200   200 |     401   401    401   403     401    401  401
getMe                              401  200  200   200   200 |     401   401    401   403     401    401  401
getUser                            401  200  200   200   200 |     401   401    401   403     401    401  401
updateUser                         401  403  403   200   200 |     401   401    401   403     401    401  401
updateUser to an admin             401  403  403   403   200 |     401   401    401   403     401    401  401
deactivateUser                     401  403  403   204   204 |     401   401    401   403     401    401  401

login                              200  200  200   200   200 |     200   200    200   200     200    200  200
refresh                            200  200  200   200   200 |     200   200    200   200     200    200  200
logout                             401  204  204   204   204 |     401   401    401   403     401    401  401
listSessions                       401  200  200   200   200 |     401   401    401   403     401    401  401
endSession                         401  404  404   204   404 |     401   401    401   403     401    401  401
createToken                        401  201  201   201   201 |     401   401    401   403     401    401  401
listTokens                         401  200  200   200   200 |     401   401    401   403     401    401  401
revokeToken                        401  404  404   204   404 |     401   401    401   403     401    401  401
createTicket                       401  201  201   201   201 |     401   401    401   403     401    401  401

createClient                       401  403  403   403   201 |     401   401    401   403     401    401  401
listClients                        401  403  403   403   200 |     401   401    401   403     401    401  401
getClient                          401  403  403   403   200 |     401   401    401   403     401    401  401
revokeClient                       401  403  403   403   204 |     401   401    401   403     401    401  401

createRoom                         401  201  201   201   201 |     401   401    401   403     401    401  401
listRooms                          401  200  200   200   200 |     401   401    401   403     401    401  401
getRoom                            401  404  200   200   404 |     401   401    401   403     401    401  401
getRoom that is public             401  403  200   200   403 |     401   401    401   403     401    401  401
updateRoom                         401  404  403   200   404 |     401   401    401   403     401    401  401
updateRoom that is public          401  403  403   200   403 |     401   401    401   403     401    401  401
updateRoom that is direct          401  404  409   409   404 |     401   401    401   403     401    401  401
deleteRoom                         401  404  403   204   204 |     401   401    401   403     401    401  401
deleteRoom that is public          401  403  403   204   204 |     401   401    401   403     401    401  401
deleteRoom that is direct          401  404  409   409   409 |     401   401    401   403     401    401  401
putMember: a guest                 401  404  200   200   404 |     401   401    401   403     401    401  401
putMember: a guest, public         401  403  200   200   403 |     401   401    401   403     401    401  401
putMember: a guest, direct         401  404  409   409   404 |     401   401    401   403     401    401  401
putMember: oneself                 401  404  200   200   404 |     401   401    401   403     401    401  401
putMember: oneself, public         401  200  200   200   200 |     401   401    401   403     401    401  401
deleteMember: a third              401  404  403   204   404 |     401   401    401   403     401    401  401
deleteMember: a third, public      401  403  403   204   403 |     401   401    401   403     401    401  401
deleteMember: oneself              401  404  204   204   404 |     401   401    401   403     401    401  401

sendToRoom                         401  404  202   202   404 |     401   401    401   403     401    401  401
sendToRoom that is public          401  403  202   202   403 |     401   401    401   403     401    401  401
sendToUser                         401  202  202   202   202 |     401   401    401   403     401    401  401
listRoomMessages                   401  404  200   200   404 |     401   401    401   403     401    401  401
listRoomMessages that is public    401  403  200   200   403 |     401   401    401   403     401    401  401
listUserMessages                   401  200  200   200   200 |     401   401    401   403     401    401  401
readUnseen                         401  200  200   200   200 |     401   401    401   403     401    401  401
markSeen: a message                401  404  202   202   404 |     401   401    401   403     401    401  401
markSeen: a room                   401  404  202   202   404 |     401   401    401   403     401    401  401
markSeen: a room, public           401  403  202   202   403 |     401   401    401   403     401    401  401
getMessage                         401  404  200   200   404 |     401   401    401   403     401    401  401
getMessage that is public          401  404  200   200   404 |     401   401    401   403     401    401  401
deleteMessage                      401  404  403   204   204 |     401   401    401   403     401    401  401
deleteMessage that is public       401  404  403   204   204 |     401   401    401   403     401    401  401
getReceipts                        401  404  200   200   404 |     401   401    401   403     401    401  401
getTrace                           401  404  404   200   200 |     401   401    401   403     401    401  401
findSent                           401  200  200   200   200 |     401   401    401   403     401    401  401
getTask                            401  404  404   200   404 |     401   401    401   403     401    401  401
cancelTask                         401  404  404   409   404 |     401   401    401   403     401    401  401

readEvents                         401  200  200   200   200 |     401   401    401   403     401    401  401
readRoomEvents                     401  404  200   200   404 |     401   401    401   403     401    401  401
readRoomEvents that are public     401  403  200   200   403 |     401   401    401   403     401    401  401
typing                             401  404  204   204   404 |     401   401    401   403     401    401  401
typing in public                   401  403  204   204   403 |     401   401    401   403     401    401  401
getPresence                        401  200  200   200   200 |     401   401    401   403     401    401  401

listAdminUsers                     401  403  403   403   200 |     401   401    401   403     401    401  401
getAdminUser                       401  403  403   403   200 |     401   401    401   403     401    401  401
banUser                            401  403  403   403   200 |     401   401    401   403     401    401  401
unbanUser                          401  403  403   403   204 |     401   401    401   403     401    401  401
signOutEverywhere                  401  403  403   403   204 |     401   401    401   403     401    401  401
listAdminRooms                     401  403  403   403   200 |     401   401    401   403     401    401  401
getAdminRoom                       401  403  403   403   200 |     401   401    401   403     401    401  401
listGroupMessages                  401  403  403   403   200 |     401   401    401   403     401    401  401
listGroupMessages of two people    401  403  403   403   409 |     401   401    401   403     401    401  401
getReported                        401  403  403   403   200 |     401   401    401   403     401    401  401
listFailedJobs                     401  403  403   403   200 |     401   401    401   403     401    401  401
retryAllJobs                       401  403  403   403   200 |     401   401    401   403     401    401  401
showJob that is not there          401  403  403   403   404 |     401   401    401   403     401    401  401
retryJob that is not there         401  403  403   403   404 |     401   401    401   403     401    401  401
listActions                        401  403  403   403   200 |     401   401    401   403     401    401  401
lookAtHealth                       401  403  403   403   200 |     401   401    401   403     401    401  401

healthz                            200  200  200   200   200 |     200   200    200   200     200    200  200
readyz                             200  200  200   200   200 |     200   200    200   200     200    200  200
`;

const [heading, ...lines] = table.split("\n").filter((line) => line.trim() !== "");
const columns = heading!.match(/\w+/g)!;
const expected = lines.map((line) => {
  const [, what, statuses] = /^(.*?)\s+((?:\d{3}[\s|]*)+)$/.exec(line)!;
  return { what: what!, statuses: statuses!.match(/\d{3}/g)! };
});

/** What a cell asks, of fixtures that are its own. */
interface Ask {
  readonly params?: Readonly<Record<string, number | string>>;
  readonly query?: string;
  readonly body?: object;
  /** Who stands in the owner's place. */
  readonly owner?: Person;
}

describe("who may ask what", () => {
  let dataDir: string;
  let world: World;
  let key: SigningKey;
  let owner: Person;
  let member: Person;
  let outsider: Person;
  let admin: Person;
  let guest: Person;
  /** Each has every scope but one, by which it is called. */
  let keysWithout: Record<string, string>;
  let tokenOfClosed: string;

  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "parley-matrix-"));
    world = await buildWorld({ env: { AUTH_MODE: "token", RATE_LIMITS: "off", DATA_DIR: dataDir } });
    key = (await readSigningKeys(world.env))[0]!;
    [owner, member, outsider, admin, guest] = await build5();
    const closed = await buildUser(world);
    await rows(world.deps.em, "update users set is_admin = true where id = any($1)", [[admin.id, closed.id]]);
    tokenOfClosed = (await by(closed, "POST", "/v1/auth/tokens", { name: "bot" })).body.token;
    await by(closed, "DELETE", `/v1/users/${closed.id}`);
    const scopes = ["read", "write", "admin"];
    const withoutEach = scopes.map(async (scope) => {
      const body = { name: `without ${scope}`, scopes: scopes.filter((other) => other !== scope) };
      return [scope, (await by(admin, "POST", "/v1/clients", body)).body.api_key] as const;
    });
    keysWithout = Object.fromEntries(await Promise.all(withoutEach));
  });
  after(async () => {
    await world?.close();
    await rm(dataDir, { recursive: true, force: true });
  });

  it("every route has its line, and every line a route", () => {
    const listed = new Set(expected.map(({ what }) => idOf(what)));
    expect(routes.map(({ id }) => id).filter((id) => !listed.has(id))).to.deep.equal([]);
    expect([...listed].filter((id) => !routes.some((route) => route.id === id))).to.deep.equal([]);
    expect(expected.filter(({ statuses }) => statuses.length !== columns.length)).to.deep.equal([]);
  });

  for (const { what, statuses } of expected) {
    it(what, async () => {
      const answers = await Promise.all(columns.map((column) => answerTo(what, column)));
      expect(answers.map(({ status }) => status).join(" ")).to.equal(statuses.join(" "));
    });
  }

  describe("with ?user_id=, X-User-Id and a body's from, which are for demo mode", () => {
    const lines: { requestId: string; userId?: number }[] = [];
    const closers = new Closers();
    let logged: { url: string };

    before(async () => {
      const log = pino({ level: "info" }, { write: (line) => void lines.push(JSON.parse(line)) });
      logged = { url: await listen(await openApiDeps({ env: world.env, log, closers }), closers) };
    });
    after(() => closers.closeAll((name, cause) => expect.fail(`could not close ${name}: ${String(cause)}`)));

    for (const { what, statuses } of expected) {
      it(`${what}: nobody stays nobody, and an outsider an outsider`, async () => {
        for (const [i, column] of ["anon", "outs"].entries()) {
          const { status, headers } = await answerTo(what, column, logged);
          expect(String(status), column).to.equal(statuses[i]);
          const { userId } = lines.find(({ requestId }) => requestId === headers.get("x-request-id"))!;
          const isAsked = column === "outs" && routeOf(what).access !== "public";
          expect(userId, column).to.equal(isAsked ? outsider.id : undefined);
        }
      });
    }

    it("the paths of demo mode are not there", async () => {
      for (const path of ["/users/", "/chat/chatroom/", `/chat/chatroom/1/?user_id=${owner.id}`]) {
        expect((await get(world, path)).body.code).to.equal("route_not_found");
      }
      const body = { from: owner.id, text: "as somebody else" };
      expect((await post(world, `/chat/user/${member.id}/`, body)).body.code).to.equal("route_not_found");
    });
  });

  const asks: Record<string, (self: Person) => Ask | Promise<Ask>> = {
    createUser: () => ({ body: { username: unique(), password: PASSWORD } }),
    getUser: () => to(owner),
    updateUser: () => ({ ...to(owner), body: { status: "Busy" } }),
    "updateUser to an admin": async () => ({ ...(await byThemselves()), body: { is_admin: true } }),
    deactivateUser: () => byThemselves(),

    login: () => ({ body: { username: owner.username, password: PASSWORD } }),
    refresh: async () => ({ body: { refresh_token: (await signIn(owner)).refresh_token } }),
    endSession: async () => to({ id: String(decodeJwt((await signIn(owner)).access_token)["sid"]) }),
    createToken: () => ({ body: { name: "bot" } }),
    revokeToken: async () => to((await by(owner, "POST", "/v1/auth/tokens", { name: "bot" })).body),
    createClient: () => ({ body: { name: "server" } }),
    getClient: async () => to((await by(admin, "POST", "/v1/clients", { name: "server" })).body),
    revokeClient: async () => to((await by(admin, "POST", "/v1/clients", { name: "server" })).body),

    getAdminUser: () => to(owner),
    banUser: async () => ({ ...to(await buildUser(world)), body: {} }),
    unbanUser: async () => to(await buildUser(world)),
    signOutEverywhere: async () => to(await buildUser(world)),
    getAdminRoom: async () => to(await room()),
    listGroupMessages: async () => to(await room()),
    "listGroupMessages of two people": async () => to(await room("direct")),
    getReported: async () => to(await message()),
    "showJob that is not there": () => to({ id: "none" }),
    "retryJob that is not there": () => to({ id: "none" }),

    createRoom: () => ({ body: { name: unique() } }),
    getRoom: async () => to(await room()),
    "getRoom that is public": async () => to(await room("public")),
    updateRoom: async () => ({ ...to(await room()), body: { name: unique() } }),
    "updateRoom that is public": async () => ({ ...to(await room("public")), body: { name: unique() } }),
    "updateRoom that is direct": async () => ({ ...to(await room("direct")), body: { name: unique() } }),
    deleteRoom: async () => to(await room()),
    "deleteRoom that is public": async () => to(await room("public")),
    "deleteRoom that is direct": async () => to(await room("direct")),
    "putMember: a guest": async () => to(await room(), guest),
    "putMember: a guest, public": async () => to(await room("public"), guest),
    "putMember: a guest, direct": async () => to(await room("direct"), guest),
    "putMember: oneself": async (self) => to(await room(), self),
    "putMember: oneself, public": async (self) => to(await room("public"), self),
    "deleteMember: a third": async () => to(await room("private", guest), guest),
    "deleteMember: a third, public": async () => to(await room("public", guest), guest),
    "deleteMember: oneself": async (self) => to(await room(), self),

    sendToRoom: async () => ({ ...to(await room()), body: { text: "hello" } }),
    "sendToRoom that is public": async () => ({ ...to(await room("public")), body: { text: "hello" } }),
    sendToUser: () => ({ ...to(guest), body: { text: "hello" } }),
    listRoomMessages: async () => to(await room()),
    "listRoomMessages that is public": async () => to(await room("public")),
    listUserMessages: () => to(guest),
    "markSeen: a message": async () => ({ body: { message_ids: [(await message()).id] } }),
    "markSeen: a room": async () => ({ body: { room_id: (await room()).id, up_to: 1 } }),
    "markSeen: a room, public": async () => ({ body: { room_id: (await room("public")).id, up_to: 1 } }),
    getMessage: async () => to(await message()),
    "getMessage that is public": async () => to(await message("public")),
    deleteMessage: async () => to(await message()),
    "deleteMessage that is public": async () => to(await message("public")),
    getReceipts: async () => to(await message()),
    getTrace: async () => to(await message()),
    findSent: () => ({ query: "client_key=once" }),
    getTask: async () => to(await message()),
    // Stored already: whoever may cancel it is told that it is too late.
    cancelTask: async () => to(await message()),

    readRoomEvents: async () => to(await room()),
    "readRoomEvents that are public": async () => to(await room("public")),
    typing: async () => to(await room()),
    "typing in public": async () => to(await room("public")),
    getPresence: () => ({ query: `user_ids=${owner.id}` }),
  };

  type Kind = "private" | "public" | "direct";

  /** The owner's, with the member in it. */
  async function room(kind: Kind = "private", ...others: Person[]): Promise<{ id: number }> {
    if (kind === "direct") return { id: (await say(`/v1/users/${member.id}`)).room_id };
    const member_ids = [member, ...others].map(({ id }) => id);
    return (await by(owner, "POST", "/v1/rooms", { name: unique(), is_public: kind === "public", member_ids })).body;
  }

  const message = async (kind?: Kind): Promise<{ id: string }> => say(`/v1/rooms/${(await room(kind)).id}`);
  const say = async (path: string): Promise<{ id: string; room_id: number }> => {
    const sent = await by(owner, "POST", `${path}/messages`, { text: "hello" });
    return (await by(owner, "GET", `/v1/tasks/${sent.body.task_id}?wait=20`)).body.result;
  };

  async function byThemselves(): Promise<Ask> {
    const person = await buildUser(world);
    return { ...to(person), owner: person };
  }

  const build5 = () => Promise.all(Array.from({ length: 5 }, () => buildUser(world))) as Promise<Five>;

  /** One cell of the table; on an API that is named, with the claim to be the one on the left who may. */
  async function answerTo(what: string, column: string, claimingAt?: { url: string }): Promise<Answer> {
    const route = routeOf(what);
    const may = route.access === "admin" ? admin : owner;
    const self = { outs: outsider, memb: member, owner, admin }[column] ?? may;
    const ask = (await asks[what]?.(self)) ?? {};
    const headers = await shown(column, route, self === owner && ask.owner ? ask.owner : self);
    const path = route.path.replace(/:(\w+)/g, (_, name: string) => String(ask.params![name]));
    const { body, query = "" } = ask;
    if (!claimingAt)
      return call(world, route.method.toUpperCase(), `${path}?${query}`, { headers, ...(body && { body }) });
    return call(claimingAt, route.method.toUpperCase(), `${path}?${query}&user_id=${may.id}`, {
      headers: { ...headers, "x-user-id": String(may.id), "x-request-id": unique() },
      ...(route.method !== "get" && { body: { ...body, from: may.id } }),
    });
  }

  async function shown(column: string, route: Route, self: Person): Promise<Record<string, string>> {
    if (column === "anon") return {};
    if (column === "garbage") return bearer("garbage.of.somebody");
    if (column === "closed") return bearer(tokenOfClosed);
    if (column === "scope") {
      const needed = route.access === "admin" ? "admin" : route.method === "get" ? "read" : "write";
      return { "x-api-key": keysWithout[needed]!, "x-act-as": String(self.id) };
    }
    // A session that a cell ends is that cell's own.
    const token = await (column === "ended" || route.id === "logout" ? accessToken(self) : rememberedToken(self));
    if (column === "ended") await call(world, "POST", "/v1/auth/logout", { headers: bearer(token) });
    const claims = { userId: self.id, sessionId: String(decodeJwt(token)["sid"]) };
    const anHourAgo = () => Date.now() - 3_600_000;
    if (column === "expired") return bearer(await new AccessTokens([key], anHourAgo).sign(claims));
    const anotherKey = { id: key.id, secret: new Uint8Array(32) };
    if (column === "forged") return bearer(await new AccessTokens([anotherKey], Date.now).sign(claims));
    if (column === "none")
      return bearer(`${base64({ alg: "none", typ: "at+jwt", kid: key.id })}.${token.split(".")[1]}.`);
    return bearer(token);
  }

  const signIn = async ({ username }: Person) =>
    (await post(world, "/v1/auth/login", { username, password: PASSWORD })).body;
  const accessToken = async (person: Person): Promise<string> => (await signIn(person)).access_token;
  const remembered = new Map<number, Promise<string>>();
  const rememberedToken = (person: Person): Promise<string> => {
    const token = remembered.get(person.id) ?? accessToken(person);
    remembered.set(person.id, token);
    return token;
  };

  async function by(person: Person, method: string, path: string, body?: object): Promise<Answer> {
    const headers = bearer(await rememberedToken(person));
    const answer = await call(world, method, path, { headers, ...(body && { body }) });
    expect(answer.status, JSON.stringify(answer.body)).to.be.below(300);
    return answer;
  }
});

const PASSWORD = "Passw0rd!"; // of everybody that buildUser makes
type Five = [Person, Person, Person, Person, Person];

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const base64 = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
let made = 0;
const unique = (): string => `matrix-${++made}`;

const idOf = (what: string): string => /^\w+/.exec(what)![0];
const routeOf = (what: string): Route => routes.find(({ id }) => id === idOf(what))!;

/** What stands for `:id` in a path, and for `:user_id`. */
const to = ({ id }: { id: number | string }, user?: Person): Ask => ({
  params: { id, ...(user && { user_id: user.id }) },
});
