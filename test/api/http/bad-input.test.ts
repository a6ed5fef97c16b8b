import http from "node:http";
import net from "node:net";
import { text as readText } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import { expect } from "chai";
import { z } from "zod";
import type { Route } from "../../../src/api/http/route.ts";
import { routes } from "../../../src/api/routes.ts";
import { oneRow, rows } from "../../../src/shared/db/database.ts";
import { type Answer, buildRoom, buildUser, call, expectProblem, get, say, toRoom, toUser } from "../../calls.ts";
import { checkContract } from "../../contract.ts";
import { buildWorld, type World } from "../../world.ts";

let world: World;
let clientKey: string;

/** `{ann}` in a path, a header or a body stands for one of these; they are known once the world is built. */
const ids: Record<string, number | string> = {};
const fill = (text: string): string => text.replace(/\{(\w+)\}/g, (_, name: string) => String(ids[name]));
const fillBody = (json: string): string => json.replace(/"\{(\w+)\}"/g, (_, name: string) => JSON.stringify(ids[name]));

interface Ask {
  /** Whose id goes along: ann's unless told; nobody's for "". */
  readonly as?: string;
  /** Sent as JSON; a text or bytes as they are. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string | string[] | undefined>>;
}

/**
 * The request, what is wrong with it, and its answer: `status code field…`, or the fields alone where it is
 * `400 validation_failed`.
 */
type Row = readonly [request: string, what: string, expected: string, ask?: Ask];

/** All that this file wants to be refused, to be asked once more at its end. */
const refused: Row[] = [];

const subject = ([request, what]: Row): string => (what ? `${request} ${what}` : request);
const outcome = ([, , expected]: Row): string =>
  /^\d/.test(expected) ? expected : `400 validation_failed ${expected}`;

/** One test for each row. */
function refuses(rows: readonly Row[]): void {
  refused.push(...rows);
  for (const row of rows) it(`${subject(row)} is refused: ${outcome(row)}`, () => expectRefused(row));
}

/** The same request with one body after the other. */
const refusesBodies = (
  request: string,
  rows: readonly (readonly [what: string, expected: string, body: unknown])[],
  as = "ann",
): void => refuses(rows.map(([what, expected, body]) => [request, `with ${what}`, expected, { as, body }]));

/** One test for rows that a rule makes. */
function refusesAll(sentence: string, rows: readonly Row[]): void {
  refused.push(...rows);
  it(sentence, () => forEachRow(rows, expectRefused));
}

/** Tells every row that fails, not the first alone. */
async function forEachRow(rows: readonly Row[], check: (row: Row) => Promise<unknown>): Promise<void> {
  const failures: string[] = [];
  for (const row of rows) {
    await check(row).catch((error: Error) => failures.push(`${subject(row)}: ${error.message}`));
  }
  expect(failures, `\n${failures.join("\n")}\n`).to.have.length(0);
}

async function expectRefused(row: Row): Promise<void> {
  const [status, code, ...paths] = outcome(row).split(" ") as [string, string, ...string[]];
  expectProblem(await send(row), Number(status), code, ...paths);
}

function send([request, , , { as = "ann", body, headers = {} } = {}]: Row): Promise<Answer> {
  const [method, path] = fill(request).split(" ") as [string, string];
  const bytes = Buffer.isBuffer(body) || typeof body === "string" ? body : fillBody(JSON.stringify(body) ?? "");
  const given = {
    ...(as !== "" && { "x-user-id": String(ids[as]) }),
    ...(body !== undefined && { "content-type": "application/json", "content-length": `${Buffer.byteLength(bytes)}` }),
    ...headers,
  };
  const sent = Object.entries(given)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => [name, typeof value === "string" ? fill(value) : value]);
  return exchange(method, path, Object.fromEntries(sent), bytes);
}

/** Below `fetch`, which gives every body a type and GET none, and knows no unusual methods. */
async function exchange(method: string, path: string, headers: object, body: string | Buffer): Promise<Answer> {
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    const request = http.request(world.url + path, { method, headers: { ...headers } });
    request.once("response", resolve).once("error", reject).end(body);
  });
  const text = await readText(response);
  const given = new Headers(Object.entries(response.headers).map(([name, value]) => [name, String(value)]));
  const isJson = given.get("content-type")?.includes("json") === true;
  const answer = { status: response.statusCode!, headers: given, body: isJson ? JSON.parse(text) : text };
  checkContract(method, path, answer.status, answer.body);
  return answer;
}

// ── What each route takes, so that a rule can be tried on all of them ────────────────────────────────────────────────

const goodBodies: Readonly<Record<string, object>> = {
  login: { username: "Annabel", password: "Passw0rd!" },
  refresh: { refresh_token: "plr_abc" },
  createToken: { name: "a bot" },
  createClient: { name: "a server" },
  banUser: { reason: "spam" },
  createUser: { username: "somebody", password: "Passw0rd!" },
  updateUser: { first_name: "Ann" },
  createRoom: { name: "another room" },
  updateRoom: { name: "a room" },
  sendToRoom: { text: "hello" },
  sendToUser: { text: "hello" },
  markSeen: { message_ids: ["{message}"] },
};
const goodIds: Readonly<Record<string, string>> = {
  "/v1/auth/sessions": "{session}",
  "/v1/auth/tokens": "{token}",
  "/v1/clients": "{client}",
  "/v1/users": "{ben}",
  "/v1/rooms": "{private}",
  "/v1/messages": "{message}",
  "/v1/tasks": "{message}",
  "/v1/admin/users": "{ben}",
  "/v1/admin/rooms": "{private}",
  "/v1/admin/messages": "{message}",
  "/v1/admin/jobs": "{message}",
};

/** Like `POST /v1/rooms/{private}/messages`: answered well, unless something in it is exchanged. */
function requestOf({ method, path }: Route, exchanged: Readonly<Record<string, string | undefined>> = {}): string {
  const preset: Record<string, string | undefined> = { id: goodIds[collectionOf(path)], user_id: "{ben}" };
  return `${method.toUpperCase()} ${path.replace(/:(\w+)/g, (_, name: string) => exchanged[name] ?? preset[name]!)}`;
}

const collectionOf = (path: string): string => path.split("/:")[0]!;
const askOf = ({ id, access }: Route): Ask => ({
  ...(goodBodies[id] && { body: goodBodies[id] }),
  as: access === "admin" ? "root" : "ann",
});

interface Fields {
  readonly properties?: Record<string, object>;
  readonly required?: readonly string[];
}
const fieldsOf = (type: z.ZodType | undefined): Fields =>
  type ? (z.toJSONSchema(type, { io: "input" }) as Fields) : {};
const queryOf = ({ query }: Route): string[] => Object.keys(fieldsOf(query).properties ?? {});

/** Those whose good requests are known above; one of the tests tells which are not. */
const isKnown = ({ id, path, body }: Route): boolean =>
  (!body || id in goodBodies) && (!path.includes(":") || collectionOf(path) in goodIds);
const known = routes.filter(isKnown);

/** Of each parameter that a query can have. */
const badValues: Readonly<Record<string, readonly string[]>> = {
  limit: ["0", "1001", "x", "-1", "1.5", "1e2", ""],
  wait: ["-1", "56", "x", "1.5", ""],
  after: ["garbage", "-1", "%00", "1'or'1", "x".repeat(50)],
  before: ["garbage", "-1", "7", "%00"],
  ack: ["garbage", "1.1-1", "2.", "2.a.", "2.a.1", "2.a.1-1-1", "2.a.1--1", "2.A.1-1", "%00", "x".repeat(24_001)],
  client_key: ["", "x".repeat(256), "a%0Ab", "%00", "%C3%A4"],
  room_id: ["0", "-1", "9223372036854775808", "abc", "1.5", ""],
  offset: ["garbage", "-2", "1", "_0000000000000001", "%00", "x".repeat(101)],
  live: ["yes", ""],
  timeout: ["0", "56", "x", "-1", "1.5", ""],
  cursor: ["x".repeat(101)],
  device: ["", "a%20b", "%00", "x".repeat(65)],
  user_ids: ["", "0", "x", "1,", ",1", "-1", "9999999999999999", "1".repeat(17)],
  mark_seen: ["maybe", ""],
  explain: ["maybe", ""],
  scope: ["all"],
  status: ["Away"],
  exclude: ["x", "1,", ",1", "-1", "%00"],
  state: ["away", ""],
  kind: ["public", ""],
  member_id: ["0", "-1", "x", "1.5", ""],
  q: ["x".repeat(101), "%00"],
  username: ["x".repeat(151), "%00"],
  first_name: ["x".repeat(151), "%00"],
  last_name: ["x".repeat(151), "%00"],
};

const badIds = ["0", "-1", "9223372036854775808", "abc", "1.5"];
const x = (length: number): string => "x".repeat(length);
/** Half a character: JSON can write it, UTF-8 and so the database can't. */
const HALF = "\ud800";
/** Here it is still 9999, in UTC it is a year of five digits. */
const LAST_MINUTE = "9999-12-31T23:59:59-12:00";

describe("a request that can't be right", () => {
  before(async () => {
    world = await buildWorld();
    const [ann, ben, cat, eve, ida] = await Promise.all([
      buildUser(world, { username: "Annabel", email: "annabel@example.org" }),
      buildUser(world, { username: "Benjamin", email: "benjamin@example.org" }),
      buildUser(world, { username: "Catherine" }),
      buildUser(world, { username: "Evelyn" }),
      buildUser(world, { username: "Idabelle" }),
    ]);
    const open = await buildRoom(world, [ann, ben, eve], { name: "the open room", is_public: true });
    const closed = await buildRoom(world, [ann, ben, eve], { name: "the private room" });
    const foreign = await buildRoom(world, [cat], { name: "the room of somebody else" });
    const scratch = await buildRoom(world, [ann, ben], { name: "the room to try things in" });
    const message = await say(world, ann, toRoom(closed), "hello");
    const secret = await say(world, cat, toRoom(foreign), "not for you");
    const direct = await say(world, ann, toUser(ben), "between us");
    for (const room of [open, closed]) await call(world, "DELETE", `${toRoom(room)}/members/${eve.id}`, { as: eve.id });
    const headers = { "idempotency-key": "taken", prefer: "wait=10" };
    await call(world, "POST", `${toRoom(closed)}/messages`, { as: ann.id, body: { text: "keyed" }, headers });
    Object.assign(ids, {
      ann: ann.id,
      ben: ben.id,
      cat: cat.id,
      eve: eve.id,
      ida: ida.id,
      nobody: 424_242,
      nowhere: 424_242,
    });
    Object.assign(ids, { public: open.id, private: closed.id, foreign: foreign.id, scratch: scratch.id });
    Object.assign(ids, { direct: direct.room_id, message: message.id, secret: secret.id });
    Object.assign(ids, { unknown: "0190c0de-0000-7000-8000-000000000000", ...(await credentialsOf(ann.id)) });
  });
  after(() => world?.close());

  it("is tried here on every route, with every parameter", () => {
    expect(routes.filter((route) => !isKnown(route)).map(({ id }) => id)).to.deep.equal([]);
    expect(routes.flatMap(queryOf).filter((name) => !(name in badValues))).to.deep.equal([]);
  });

  describe("because of who is asking", () => {
    for (const route of known.filter(({ access }) => access !== "public")) {
      const request = requestOf(route);
      const ask = { ...askOf(route), as: "" };
      refusesAll(`${route.id} takes nobody who does not exist`, [
        ...badIds.map((id): Row => [request, `by ${id}`, "X-User-Id", { ...ask, headers: { "x-user-id": id } }]),
        ...["", ...badIds].map((id): Row => [`${request}?user_id=${id}`, "", "user_id", ask]),
        [request, "by somebody unknown", "401 not_signed_in", { ...ask, as: "nobody" }],
        ...(route.access === "caller" ? [[request, "by nobody", "401 not_signed_in", ask] as const] : []),
      ]);
    }

    const shown = (headers: NonNullable<Ask["headers"]>): Ask => ({ as: "", headers });
    const garbage = [
      "Bearer",
      "Bearer ",
      "Bearer x",
      "Bearer a.b.c",
      "Bearer plt_x",
      "Basic YTpi",
      "x",
      "Bearer x y",
      "",
    ];
    const keys = ["", ":", "x", "{unknown}", "{unknown}:x", "{client}:", "{client}:x", "{client}:x:y", "\u00e4:\u00e4"];
    refusesAll("a credential that is none is not one of ours", [
      ...garbage.map((authorization): Row => {
        return ["GET /v1/me", `by "${authorization}"`, "401 token_invalid", shown({ authorization })];
      }),
      ...keys.map((key): Row => {
        return ["GET /v1/me", `by the key "${key}"`, "401 token_invalid", shown({ "x-api-key": key, "x-act-as": "1" })];
      }),
    ]);
    refuses([
      ["GET /v1/me", "by two tokens", "authorization", shown({ authorization: ["Bearer a", "Bearer b"] })],
      ["GET /v1/me", "by two keys", "x-api-key", shown({ "x-api-key": ["a:b", "c:d"] })],
    ]);
    it("a key that acts for somebody who is none is refused", async () => {
      const asking = (actAs: string | undefined, expected: string): Row => {
        return ["GET /v1/me", `for ${actAs}`, expected, shown({ "x-api-key": clientKey, "x-act-as": actAs })];
      };
      const rows = [undefined, "", ...badIds].map((id) => asking(id, "X-Act-As"));
      await forEachRow([...rows, asking("424242", "401 not_signed_in")], expectRefused);
    });

    const from = (value: unknown) => ({ text: "hello", from: value });
    // Whoever turns lists within lists into a text, one by one, runs out of stack.
    const nested = `{"text":"hello","from":${"[".repeat(20_000)}${"]".repeat(20_000)}}`;
    refusesBodies(
      "POST /v1/users/{ben}/messages",
      [
        ["from 0", "from", from(0)],
        ["from -1", "from", from(-1)],
        ["from 1.5", "from", from(1.5)],
        ["from abc", "from", from("abc")],
        ["from null", "from", from(null)],
        ["from true", "from", from(true)],
        ["from a list of one id", "from", from(["{ann}"])],
        ["from an object", "from", from({})],
        ["from an object that is no text", "from", from({ toString: null })],
        ["from 20,000 lists in each other", "from", nested],
      ],
      "",
    );
  });

  describe("because of an id in its path", () => {
    for (const route of known.filter(({ path }) => path.includes(":"))) {
      const names = [...route.path.matchAll(/:(\w+)/g)].map(([, name]) => name!);
      const rows = names.flatMap((name) =>
        [...badIds, "%00", "%zz"].map((id): Row => [requestOf(route, { [name]: id }), "", name, askOf(route)]),
      );
      // What is no task id is the id of no task, and likewise of jobs.
      const [, kind] = /(Task|Job)$/.exec(route.id) ?? [];
      const expected = (name: string): string => (kind ? `404 ${kind.toLowerCase()}_not_found` : name);
      refusesAll(
        `${route.id} names the id that is none`,
        rows.map(([request, what, name, ask]): Row => [request, what, expected(name), ask!]),
      );
    }
  });

  describe("because of its body", () => {
    for (const route of known.filter(({ body }) => body)) {
      const good = goodBodies[route.id]!;
      const json = JSON.stringify(good);
      const tooLong = json + " ".repeat(65_536);
      const row = (what: string, expected: string, body: unknown, headers: Ask["headers"] = {}): Row => {
        return [requestOf(route), what, expected, { ...askOf(route), body, headers }];
      };

      const types = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", undefined];
      const chunked = { "content-length": undefined, "transfer-encoding": "chunked" };
      refusesAll(`${route.id} reads a JSON object of at most 64 KiB and nothing else`, [
        row("with half an object", "400 malformed_json", json.slice(0, -1)),
        row("with a text", "400 malformed_json", '"text"'),
        row("with a number", "400 malformed_json", "7"),
        row("with null", "400 malformed_json", "null"),
        row("with a prototype", "400 malformed_json", `{"__proto__":{"is_admin":true},${json.slice(1)}`),
        row("with an empty list", "400 validation_failed", "[]"),
        row("with a list of one", "400 validation_failed", [good]),
        row("of more than 64 KiB", "413 body_too_large", tooLong),
        row("of more than 64 KiB in chunks", "413 body_too_large", tooLong, chunked),
        row("of 1 MiB, packed", "413 body_too_large", gzipSync(json + " ".repeat(2 ** 20)), {
          "content-encoding": "gzip",
        }),
        row("not packed as it says", "400 malformed_json", json, { "content-encoding": "gzip" }),
        row("packed in no known way", "415 unsupported_media_type", json, { "content-encoding": "nonsense" }),
        ...types.map((type) => row(`as ${type}`, "415 unsupported_media_type", json, { "content-type": type })),
      ]);

      const { properties = {}, required = [] } = fieldsOf(route.body);
      const missing = required.join(" ");
      refusesAll(`${route.id} names each field that is missing, unknown or of another type`, [
        ...(missing ? [row("with {}", missing, {}), row("with no body", missing, undefined)] : []),
        row("with unknown fields", "surprise and", { ...good, surprise: 1, and: null }),
        ...Object.keys(properties).map((name) => row(`with an object as ${name}`, name, { ...good, [name]: {} })),
      ]);
    }

    it("a route that takes no body refuses a bad one or passes over it, as it declares", async () => {
      const rows = known
        .filter(({ body }) => !body)
        .flatMap((route): Row[] => {
          // Of something that is not there, so that nothing happens where the body is passed over.
          const request = requestOf(route, { id: "{nowhere}" });
          const { as = "ann" } = askOf(route);
          return [
            [request, "with half an object", "", { as, body: "{" }],
            [request, "with a list", "", { as, body: "[]" }],
            [request, "as plain text", "", { as, body: "{}", headers: { "content-type": "text/plain" } }],
            [request, "of more than 64 KiB", "", { as, body: `["${x(65_536)}"]` }],
          ];
        });
      await forEachRow(rows, async (row) => expect((await send(row)).status).to.be.below(500));
    });
  });

  describe("because of a field", () => {
    const userFields: [string, string, object][] = [
      ["a username of 2 characters", "username", { username: "ab" }],
      ["a username of 33 characters", "username", { username: x(33) }],
      ["a blank username", "username", { username: "     " }],
      ["a space in the username", "username", { username: "ann smith" }],
      ["a slash in the username", "username", { username: "ann/smith" }],
      ["a NUL in the username", "username", { username: "ann\u0000smith" }],
      ["a null username", "username", { username: null }],
      ["two mistakes", "username email", { username: 7, email: "nobody" }],
      ["an e-mail address that is none", "email", { email: "nobody" }],
      ["an e-mail address of 255 characters", "email", { email: `${x(243)}@example.org` }],
      ["a first name of 151 characters", "first_name", { first_name: x(151) }],
      ["a NUL in the last name", "last_name", { last_name: "\u0000" }],
      ["half a character in the last name", "last_name", { last_name: HALF }],
      ["an unknown status", "status", { status: "Away" }],
      ["a status message of 256 characters", "status_message", { status_message: x(256) }],
      ["an id", "id", { id: 7 }],
      ["a name that is taken in another case", "409 username_taken username", { username: "benJAMIN" }],
      ["an address that is taken", "409 email_taken email", { username: "another", email: "benjamin@example.org" }],
      [
        "an address taken in another case",
        "409 email_taken email",
        { username: "another", email: "BENJAMIN@example.org" },
      ],
    ];
    const badPasswords: [string, string, string][] = [
      ["a password of 7 characters", "password", "Passw0r"],
      ["a password of 129 characters", "password", x(129)],
      ["a password of digits alone", "password", "8361947205"],
      ["a password that everybody uses", "password", "Password1"],
    ];
    refusesBodies("POST /v1/users", [
      ...userFields.map(
        ([what, expected, body]) => [what, expected, { ...goodBodies["createUser"], ...body }] as const,
      ),
      ...badPasswords.map(([what, path, password]) => [what, path, { username: "somebody", password }] as const),
      ["its username as password", "password", { username: "somebody", password: "SomeBody" }],
      ["a wish to be an admin", "is_admin", { ...goodBodies["createUser"], is_admin: true }],
    ]);
    const current_password = "Passw0rd!";
    refusesBodies("PATCH /v1/users/{ann}", [
      ...userFields,
      ...badPasswords.map(([what, path, password]) => [what, path, { password, current_password }] as const),
      ["a wish to be an admin", "403 not_allowed", { is_admin: true }],
      ["a new password alone", "403 wrong_password current_password", { password: "N3w-passw0rd" }],
      ["a wrong password", "403 wrong_password current_password", { password: "N3w-passw0rd", current_password: "x" }],
      ["one right and one wrong", "409 email_taken", { first_name: "Changed", email: "benjamin@example.org" }],
    ]);

    refusesBodies(
      "POST /v1/auth/login",
      [
        [
          "a username and an e-mail address",
          "username",
          { username: "Annabel", email: "a@b.c", password: "Passw0rd!" },
        ],
        ["neither username nor e-mail address", "username", { password: "Passw0rd!" }],
        ["an empty password", "password", { username: "Annabel", password: "" }],
        ["a wrong password", "401 wrong_credentials", { username: "Annabel", password: "passw0rd!" }],
        ["an unknown name", "401 wrong_credentials", { username: "no-such-name", password: "Passw0rd!" }],
        ["an address as username", "401 wrong_credentials", { username: "annabel@example.org", password: "Passw0rd!" }],
        ["a NUL in the username", "username", { username: "Anna\u0000bel", password: "Passw0rd!" }],
        ["a NUL in the e-mail address", "email", { email: "a\u0000@b.c", password: "Passw0rd!" }],
      ],
      "",
    );
    refusesBodies("POST /v1/auth/refresh", [
      ["an empty token", "refresh_token", { refresh_token: "" }],
      ["an unknown token", "401 token_invalid", { refresh_token: "plr_abc" }],
      ["a token of 201 characters", "refresh_token", { refresh_token: x(201) }],
    ]);
    const until = (expires_at: unknown) => ({ name: "a bot", expires_at });
    refusesBodies("POST /v1/auth/tokens", [
      ["a blank name", "name", { name: " " }],
      ["a NUL in the name", "name", { name: "\u0000" }],
      ["an end that is over", "expires_at", until("2020-01-01T00:00:00Z")],
      ["an end that is no time", "expires_at", until("tomorrow")],
      ["an end on a day that is none", "expires_at", until("2999-02-30T00:00:00Z")],
      ["an end after the year 9999", "expires_at", until(LAST_MINUTE)],
      ["an end as a number", "expires_at", until(4_102_444_800)],
    ]);
    refusesBodies(
      "POST /v1/clients",
      [
        ["a name of 101 characters", "name", { name: x(101) }],
        ["no scopes", "scopes", { name: "a server", scopes: [] }],
        ["an unknown scope", "scopes.1", { name: "a server", scopes: ["read", "everything"] }],
      ],
      "root",
    );

    for (const request of ["POST /v1/rooms", "PATCH /v1/rooms/{private}"]) {
      refusesBodies(request, [
        ["an empty name", "name", { name: "" }],
        ["a blank name", "name", { name: " \t\n " }],
        ["a name of 101 characters", "name", { name: x(101) }],
        ["a NUL in the name", "name", { name: "a\u0000b" }],
        ["half a character in the name", "name", { name: `a room ${HALF}` }],
        ["a null name", "name", { name: null }],
        ["a name that is taken", "409 room_name_taken name", { name: "the open room" }],
        ["a half-right visibility", "is_public", { name: "another room", is_public: "yes" }],
      ]);
    }
    refusesBodies("PATCH /v1/rooms/{private}", [["nothing to change", "name", {}]]);
    const members = (...member_ids: unknown[]) => ({ name: "another room", member_ids });
    const usernames = (...member_usernames: unknown[]) => ({ name: "another room", member_usernames });
    refusesBodies("POST /v1/rooms", [
      ...[0, -1, 1.5, 2 ** 63].map((id) => [`the member ${id}`, "member_ids.1", members("{ben}", id)] as const),
      ["a text as a member", "member_ids.0", members("1")],
      ["1,001 members", "member_ids", members(...Array(1_001).fill("{ben}"))],
      ["an unknown member", "404 user_not_found member_ids.1", members("{ben}", "{nobody}")],
      ["an unknown name", "404 user_not_found member_usernames.1", usernames("Benjamin", "no-such-name")],
      ["an empty username", "member_usernames.0", usernames("")],
      ["a NUL in a username", "member_usernames.0", usernames("a\u0000b")],
    ]);

    for (const request of ["POST /v1/rooms/{private}/messages", "POST /v1/users/{ben}/messages"]) {
      const key = (client_key: unknown) => ({ text: "hello", client_key });
      refusesBodies(request, [
        ["an empty text", "text", { text: "" }],
        ["a blank text", "text", { text: " \n\t " }],
        ["a text of 4,001 characters", "text", { text: x(4_001) }],
        ["a text with NUL", "text", { text: "a\u0000b" }],
        ["a number as text", "text", { text: 7 }],
        ["a null text", "text", { text: null }],
        ["half a character in the text", "text", { text: `hello ${HALF}` }],
        ["an empty key", "client_key", key("")],
        ["a key of 256 characters", "client_key", key(x(256))],
        ["a key with a line break", "client_key", key("a\nb")],
        ["a key with NUL", "client_key", key("a\u0000b")],
        ["a key beyond ASCII", "client_key", key("\u00e4")],
        ["a key used for another text", "422 idempotency_mismatch", key("taken")],
      ]);
      const keyed = (given: string, client_key?: string): Ask => {
        return { body: { text: "hello", client_key }, headers: { "idempotency-key": given } };
      };
      refuses([
        [request, "with an Idempotency-Key of no characters", "idempotency-key", keyed("")],
        [request, "with an Idempotency-Key of 256 characters", "idempotency-key", keyed(x(256))],
        [request, "with a tab in the Idempotency-Key", "idempotency-key", keyed("a\tb")],
        [request, "with an Idempotency-Key beyond ASCII", "idempotency-key", keyed("\u00e4")],
        [request, "with an Idempotency-Key unlike its client_key", "client_key", keyed("one", "two")],
        [request, "with an Idempotency-Key used before", "422 idempotency_mismatch", keyed("taken")],
      ]);
    }

    for (const [what, letter] of [
      ["letters", "x"],
      ["emoji", "\u{1f600}"],
    ] as const) {
      it(`a text of 4,000 ${what} is accepted, the blanks around it not counted`, async () => {
        const ask = { body: { text: ` ${letter.repeat(4_000)}\n` }, headers: { prefer: "wait=10" } };
        const answer = await send(["POST /v1/rooms/{private}/messages", "", "", ask]);
        expect(answer.status, JSON.stringify(answer.body)).to.equal(201);
        expect(answer.body.text).to.equal(letter.repeat(4_000));
      });
    }

    const upTo = (up_to: unknown, room_id: unknown = "{private}") => ({ room_id, up_to });
    refusesBodies("POST /v1/messages/seen", [
      ["nothing to mark", "message_ids", {}],
      ["no message ids", "message_ids", { message_ids: [] }],
      ["1,001 message ids", "message_ids", { message_ids: Array(1_001).fill("{message}") }],
      ["an id that is no UUID", "message_ids.1", { message_ids: ["{message}", "abc"] }],
      ["a number as message id", "message_ids.0", { message_ids: [1] }],
      ["an unknown message", "404 message_not_found", { message_ids: ["{message}", "{unknown}"] }],
      ["a message of somebody else's room", "404 message_not_found", { message_ids: ["{message}", "{secret}"] }],
      ["room_id without up_to", "up_to", { room_id: "{private}" }],
      ["up_to without room_id", "room_id", { up_to: 1 }],
      ["both ways at once", "room_id up_to", { message_ids: ["{message}"], ...upTo(1) }],
      ...[0, -1, 1.5, 2 ** 63, "abc"].map((id) => [`the room ${id}`, "room_id", upTo(1, id)] as const),
      ...[-1, 1.5, 2 ** 63, "abc", null].map((seq) => [`up to ${seq}`, "up_to", upTo(seq)] as const),
      ["a message of another room", "404 message_not_found", upTo("{secret}")],
      ["a room that is not there", "404 room_not_found", upTo(1, "{nowhere}")],
      ["the private room of somebody else", "404 room_not_found", upTo(1, "{foreign}")],
    ]);
    refusesBodies("POST /v1/messages/seen", [["a public room", "403 not_a_member", upTo(1, "{public}")]], "cat");
  });

  describe("because of its query", () => {
    for (const route of known.filter(({ query }) => query)) {
      refusesAll(
        `${route.id} names the parameter that is wrong`,
        queryOf(route).flatMap((name) =>
          (badValues[name] ?? []).map((value): Row => [`${requestOf(route)}?${name}=${value}`, "", name, askOf(route)]),
        ),
      );
    }

    it("an ack from beyond the end of a room hides nothing that is said there later", async () => {
      const [fay, gil] = await Promise.all([buildUser(world), buildUser(world)]);
      const { room_id } = await say(world, fay, toUser(gil), "one");
      const beyond = `2.${world.deps.tail.epoch}.${room_id.toString(36)}-zz`;
      const { body } = await get(world, `/v1/messages/unseen?ack=${beyond}`, gil.id);
      await say(world, fay, toUser(gil), "two");
      const next = await get(world, `/v1/messages/unseen?ack=${body.ack}`, gil.id);
      expect(next.body.messages.map(({ text }: { text: string }) => text)).to.deep.equal(["two"]);
    });
  });

  describe("because of what it is about", () => {
    for (const route of known.filter(({ path }) => path.startsWith("/v1/rooms/:id"))) {
      const row = (room: string, as: string, expected: string): Row => {
        return [requestOf(route, { id: `{${room}}` }), `by ${as}`, expected, { ...askOf(route), as }];
      };
      refusesAll(`${route.id} is for the members of a room that is there`, [
        row("nowhere", "ann", "404 room_not_found"),
        row("public", "cat", "403 not_a_member"),
        row("private", "cat", "404 room_not_found"),
        row("direct", "cat", "404 room_not_found"),
        row("public", "eve", "403 not_a_member"),
        row("private", "eve", "404 room_not_found"),
      ]);
    }
    refuses([
      ["GET /v1/users/{nobody}", "", "404 user_not_found"],
      ["GET /v1/users/{nobody}/messages", "", "404 user_not_found"],
      ["POST /v1/users/{nobody}/messages", "", "404 user_not_found", { body: { text: "hello" } }],
      ["POST /v1/users/{ann}/messages", "by ann", "422 message_to_self", { body: { text: "hello" } }],
      ["PATCH /v1/users/{ben}", "by ann", "403 not_allowed", { body: { first_name: "Ben" } }],
      ["DELETE /v1/users/{ben}", "by ann", "403 not_allowed"],
      ["DELETE /v1/users/{nobody}", "by ann", "403 not_allowed"],

      ["PATCH /v1/rooms/{public}", "by a member", "403 not_allowed", { as: "ben", body: { name: "Ben's" } }],
      ["DELETE /v1/rooms/{public}", "by a member", "403 not_allowed", { as: "ben" }],
      ["DELETE /v1/rooms/{public}/members/{ann}", "by a member", "403 not_allowed", { as: "ben" }],
      ["DELETE /v1/rooms/{public}/members/{cat}", "by a member", "403 not_allowed", { as: "ben" }],
      ["DELETE /v1/rooms/{public}/members/{cat}", "who is not in", "404 member_not_found"],
      ["DELETE /v1/rooms/{public}/members/{nobody}", "who does not exist", "404 member_not_found"],
      ["DELETE /v1/rooms/{public}/members/{eve}", "for the second time", "403 not_a_member", { as: "eve" }],
      ["DELETE /v1/rooms/{private}/members/{eve}", "for the second time", "404 room_not_found", { as: "eve" }],

      ["PUT /v1/rooms/{public}/members/{nobody}", "who does not exist", "404 user_not_found"],
      ["PUT /v1/rooms/{private}/members/{nobody}", "who does not exist", "404 user_not_found"],
      ["PUT /v1/rooms/{public}/members/{cat}", "by somebody who left", "403 not_a_member", { as: "eve" }],
      ["PUT /v1/rooms/{private}/members/{cat}", "by a stranger", "404 room_not_found", { as: "cat" }],
      ["PUT /v1/rooms/{private}/members/{eve}", "by who left", "404 room_not_found", { as: "eve" }],
      ["PUT /v1/rooms/{nowhere}/members/{ann}", "by ann", "404 room_not_found"],

      ["PUT /v1/rooms/{direct}/members/{ann}", "by one of the two", "409 room_is_direct"],
      ["PUT /v1/rooms/{direct}/members/{cat}", "by one of the two", "409 room_is_direct"],
      ["PUT /v1/rooms/{direct}/members/{cat}", "by a stranger", "404 room_not_found", { as: "cat" }],
      ["DELETE /v1/rooms/{direct}/members/{ann}", "by one of the two", "409 room_is_direct"],
      ["DELETE /v1/rooms/{direct}/members/{ben}", "by the other", "409 room_is_direct"],
      ["PATCH /v1/rooms/{direct}", "by one of the two", "409 room_is_direct", { body: { name: "ours" } }],
      ["DELETE /v1/rooms/{direct}", "by one of the two", "409 room_is_direct"],

      ["POST /v1/auth/logout", "without a session", "404 session_not_found"],
      ["DELETE /v1/auth/sessions/{unknown}", "", "404 session_not_found"],
      ["DELETE /v1/auth/sessions/{session}", "by somebody else", "404 session_not_found", { as: "ben" }],
      ["DELETE /v1/auth/tokens/{nobody}", "", "404 token_not_found"],
      ["DELETE /v1/auth/tokens/{token}", "by somebody else", "404 token_not_found", { as: "ben" }],
      ["POST /v1/clients", "by no admin", "403 not_allowed", { body: { name: "mine" } }],
      ["GET /v1/clients", "by no admin", "403 not_allowed"],
      ["GET /v1/clients/{client}", "by no admin", "403 not_allowed"],
      ["DELETE /v1/clients/{client}", "by no admin", "403 not_allowed"],
      ["GET /v1/clients/{unknown}", "", "404 client_not_found", { as: "root" }],
      ["DELETE /v1/clients/{unknown}", "", "404 client_not_found", { as: "root" }],

      ["GET /v1/messages/{unknown}", "", "404 message_not_found"],
      ["GET /v1/messages/{secret}", "of somebody else's room", "404 message_not_found"],
      ["GET /v1/messages/{message}", "by who left the room", "404 message_not_found", { as: "eve" }],
      ["GET /v1/messages/{unknown}/receipts", "", "404 message_not_found"],
      ["GET /v1/messages/{secret}/receipts", "of somebody else's room", "404 message_not_found"],
      ["GET /v1/events?offset=00000000_0000000000000000", "from another log", "410 offset_gone"],
      ["GET /v1/rooms/{public}/events?offset=00000000_0000000000000000", "from another log", "410 offset_gone"],
      ["GET /v1/presence", "of nobody", "user_ids"],
      ["GET /v1/tasks/{unknown}", "", "404 task_not_found"],
      ["GET /v1/tasks/{unknown}?wait=1", "waiting for it", "404 task_not_found"],
      ["GET /v1/tasks/{message}", "by who did not send it", "404 task_not_found", { as: "ben" }],
    ]);
  });

  describe("because of what HTTP says", () => {
    const paths = [...new Set(known.map((route) => requestOf(route).split(" ")[1]!))];
    for (const path of paths) {
      it(`${path} says which methods it has when it is asked with another`, async () => {
        const has = new Set(routes.filter((route) => matches(route, path)).map(({ method }) => method.toUpperCase()));
        if (has.has("GET")) has.add("HEAD");
        for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE", "PROPFIND", "TRACE"]) {
          if (has.has(method)) continue;
          const answer = await send([`${method} ${path}`, "", ""]);
          expectProblem(answer, 405, "method_not_allowed");
          expect(answer.headers.get("allow")!.split(", ")).to.have.members([...has]);
        }
      });
    }

    const unknown = [
      "/v1",
      "/v1/nothing",
      "/v1/users/1/nothing",
      "/v1/rooms//messages",
      "/v2/users",
      "/v1/%00",
      "/%zz",
    ];
    refuses(unknown.map((path): Row => [`GET ${path}`, "", "404 route_not_found"]));

    it("headers of 40 KB are refused with a problem, too", async () => {
      // Nobody knows the route before the headers are read.
      const { status, headers, body } = await send(["GET /", "", "", { headers: { "x-long": x(40_000) } }]);
      expect({ status, code: body.code }).to.deep.equal({ status: 431, code: "headers_too_large" });
      expect(headers.get("content-type")).to.match(/^application\/problem\+json/);
    });

    it("what HTTP does not let through is refused with a problem, too", async () => {
      const { port } = new URL(world.url);
      for (const request of ["nonsense", "GET /v1/me HTTP/1.1\r\nHost: x\r\nIdempotency-Key: a\u0001b"]) {
        const socket = net.connect(Number(port), "127.0.0.1").end(`${request}\r\n\r\n`);
        const [head, body] = (await readText(socket)).split("\r\n\r\n") as [string, string];
        expect(head)
          .to.match(/^HTTP\/1.1 400 /)
          .and.match(/^content-type: application\/problem\+json/im);
        expect(JSON.parse(body)).to.include({ status: 400, code: "malformed_request" });
      }
    });
  });

  describe("in the end", () => {
    it("has left nothing behind: no row, no change of a row, no job", async () => {
      const before = await contents();
      // What it answers is the matter of the tests above.
      for (const row of refused) await send(row).catch(() => undefined);
      expect(await contents()).to.deep.equal(before);
    });

    it("is never our fault, whatever a field or a parameter holds", async () => {
      // What was accepted can still be read.
      const reads = known.filter(({ method }) => method === "get");
      const after = reads.map((route): Row => [requestOf(route), "afterwards", "", askOf(route)]);
      await forEachRow([...known.flatMap(oddRequests), ...after], async (row) => {
        const { status, body } = await send(row);
        expect(status, JSON.stringify(body)).to.be.below(500);
      });
    });
  });
});

const oddTexts = ["", "%00", "%ed%a0%80", "%", "-1", "1e3", "9".repeat(16), "9".repeat(400), "[]", "'", "%5c"];
const oddValues = [
  null,
  true,
  1.5,
  -1,
  2 ** 63,
  "",
  "\u0000",
  HALF,
  "%",
  "'",
  "\\",
  LAST_MINUTE,
  x(60_000),
  {},
  [],
  [[]],
];

/** Each parameter and each field of a route with each odd value, all others being right. */
function oddRequests(route: Route): Row[] {
  const request = requestOf(route, { id: oddId(route) });
  const fields = Object.keys(fieldsOf(route.body).properties ?? {});
  const odd = oddValues.flatMap((value) => [value, [value]]);
  return [
    ...queryOf(route).flatMap((name) =>
      oddTexts.map((text): Row => [`${request}?${name}=${text}`, "", "", askOf(route)]),
    ),
    ...fields.flatMap((name) =>
      odd.map((value): Row => {
        const what = `with ${JSON.stringify(value).slice(0, 40)} as ${name}`;
        return [request, what, "", { ...askOf(route), body: { ...goodBodies[route.id], [name]: value } }];
      }),
    ),
  ];
}

/** What may be changed: some of this is accepted. */
const oddId = ({ path, id }: Route): string | undefined =>
  id === "updateUser" ? "{ann}" : id === "banUser" ? "{ida}" : path.startsWith("/v1/rooms") ? "{scratch}" : undefined;

/** An admin; and of `userId` a session, a token and a client. */
async function credentialsOf(userId: number): Promise<Record<string, number | string>> {
  const root = await buildUser(world, { username: "Rooter" });
  await rows(world.deps.em, "update users set is_admin = true where id = $1", [root.id]);
  expect((await call(world, "POST", "/v1/auth/login", { body: goodBodies["login"] })).status).to.equal(200);
  const { body } = await get(world, "/v1/auth/sessions", userId);
  const token = await call(world, "POST", "/v1/auth/tokens", { as: userId, body: goodBodies["createToken"] });
  const client = await call(world, "POST", "/v1/clients", { as: root.id, body: goodBodies["createClient"] });
  clientKey = client.body.api_key;
  return { root: root.id, session: body.sessions[0].id, token: token.body.id, client: client.body.id };
}

const matches = ({ path }: Route, request: string): boolean =>
  new RegExp(`^${path.replace(/:\w+/g, "[^/]+")}$`).test(request);

/** How many rows each table has, what is in those that reading leaves alone, and how many jobs there ever were. */
async function contents(): Promise<object> {
  const jobs = await world.deps.backend.queues[0]!.getJobCounts();
  const look = async (table: string, content: string) => {
    const sql = `select count(*), ${content} as content from ${table} t`;
    return [table, await oneRow(world.deps.em, sql)] as const;
  };
  const all = "md5(string_agg(t::text, ',' order by t::text))";
  const tables = await Promise.all([
    ...["users", "rooms", "members", "messages", "receipts", "log"].map((table) => look(table, all)),
    ...["sessions", "refresh_tokens", "api_tokens", "api_clients"].map((table) => look(table, "null")),
  ]);
  return { ...Object.fromEntries(tables), jobs: Object.values(jobs).reduce((a, b) => a + b, 0) };
}
