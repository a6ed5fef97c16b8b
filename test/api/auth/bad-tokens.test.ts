import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { SignJWT } from "jose";
import { readSigningKeys, type SigningKey } from "../../../src/api/auth/signing-keys.ts";
import { rows } from "../../../src/shared/db/database.ts";
import { type Answer, buildUser, call, expectProblem, type Person, post } from "../../calls.ts";
import { buildWorld, type World } from "../../world.ts";

const PASSWORD = "Passw0rd!"; // of everybody that buildUser makes
const base64 = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
const flipLast = (text: string): string => text.slice(0, -4) + (text.endsWith("AAAA") ? "BBBB" : "AAAA");

type Headers = Record<string, string>;
/** What is shown, and the answer to it: `401 code`, and for a 400 the field that is wrong. */
type Row = readonly [what: string, shown: () => Headers | Promise<Headers>, expected: string];

describe("what shows nobody who is asking", () => {
  let dataDir: string;
  let world: World;
  let ann: Person;
  let ben: Person;
  let key: SigningKey;
  /** Ann's, as they were given to her. */
  let accessToken: string;
  let botToken: string;
  /** An admin's client that may read and write, and one that may read only. */
  let apiKey: string;
  let readingKey: string;

  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "parley-bad-tokens-"));
    const env = { AUTH_MODE: "token", RATE_LIMITS: "off", DATA_DIR: dataDir, TRUST_PROXY: "true" };
    world = await buildWorld({ worker: false, env });
    key = (await readSigningKeys(world.env))[0]!;
    ann = await buildUser(world);
    ben = await buildUser(world);
    await rows(world.deps.em, "update users set is_admin = true where id = $1", [ann.id]);
    accessToken = await signIn(ann);
    botToken = (await made("/v1/auth/tokens", { name: "bot" })).token;
    apiKey = (await made("/v1/clients", { name: "server" })).api_key;
    readingKey = (await made("/v1/clients", { name: "reader", scopes: ["read"] })).api_key;
  });
  after(async () => {
    await world?.close();
    await rm(dataDir, { recursive: true, force: true });
  });

  const signIn = async ({ username }: Person): Promise<string> =>
    (await post(world, "/v1/auth/login", { username, password: PASSWORD })).body.access_token;
  const made = async (path: string, body: object) => {
    const answer = await call(world, "POST", path, { headers: bearer(accessToken), body });
    expect(answer.status, JSON.stringify(answer.body)).to.equal(201);
    return answer.body;
  };
  const claims = (): object => JSON.parse(Buffer.from(accessToken.split(".")[1]!, "base64url").toString());
  /** A token like ann's, but for these differences. */
  const sign = (changed: object = {}, header: object = {}, secret = key.secret) =>
    new SignJWT({ ...claims(), ...changed })
      .setProtectedHeader({ alg: "HS256", kid: key.id, typ: "at+jwt", ...header })
      .sign(secret);
  const signed =
    (...how: Parameters<typeof sign>) =>
    async () =>
      bearer(await sign(...how));
  const unsigned = (header: object) => `${base64(header)}.${base64(claims())}.`;
  const seconds = (ahead: number): number => Math.floor(Date.now() / 1_000) + ahead;

  it("is what the rest of this file shows: a token that is made here by the same rules is believed", async () => {
    const answer = await ask(await signed()());
    expect(answer.body.id, JSON.stringify(answer.body)).to.equal(ann.id);
    expect((await ask({ "x-api-key": apiKey, "x-act-as": String(ben.id) })).body.id).to.equal(ben.id);
    expect((await ask(bearer(botToken))).body.id).to.equal(ann.id);
  });

  const table: readonly Row[] = [
    ["nothing at all", () => ({}), "401 not_signed_in"],

    ["an empty Authorization", () => ({ authorization: "" }), "401 token_invalid"],
    ["a token without Bearer before it", () => ({ authorization: accessToken }), "401 token_invalid"],
    ["Bearer without a token", () => ({ authorization: "Bearer " }), "401 token_invalid"],
    ["two tokens in one header", () => bearer(`${accessToken}, ${accessToken}`), "401 token_invalid"],
    ["a name and a password", () => ({ authorization: `Basic ${btoa("ann:Passw0rd!")}` }), "401 token_invalid"],

    ["garbage", () => bearer("garbage.of.somebody"), "401 token_invalid"],
    ["8,000 letters", () => bearer("x".repeat(8_000)), "401 token_invalid"],
    ["a token cut short", () => bearer(accessToken.slice(0, -1)), "401 token_invalid"],
    ["a token without its signature", () => bearer(accessToken.replace(/[^.]*$/, "")), "401 token_invalid"],
    ["a token with one part only", () => bearer(accessToken.split(".")[0]!), "401 token_invalid"],
    ["a token with four parts", () => bearer(`${accessToken}.${accessToken.split(".")[2]}`), "401 token_invalid"],
    ["a token with another's signature", () => bearer(flipLast(accessToken)), "401 token_invalid"],
    ["a token signed by another key", signed({}, {}, new Uint8Array(32).fill(7)), "401 token_invalid"],
    ["a token of alg none", () => bearer(unsigned({ alg: "none", kid: key.id, typ: "at+jwt" })), "401 token_invalid"],
    ["a token of alg NoNe", () => bearer(unsigned({ alg: "NoNe", kid: key.id, typ: "at+jwt" })), "401 token_invalid"],
    ["a token of alg HS512 by the right key", signed({}, { alg: "HS512" }), "401 token_invalid"],
    ["a token of another key's kid", signed({}, { kid: "00000000" }), "401 token_invalid"],
    ["a token without a kid", signed({}, { kid: undefined }), "401 token_invalid"],
    ["a token that is no access token", signed({}, { typ: "JWT" }), "401 token_invalid"],
    ["a token without a type", signed({}, { typ: undefined }), "401 token_invalid"],
    ["a token of another issuer", signed({ iss: "somebody" }), "401 token_invalid"],
    ["a token without an issuer", signed({ iss: undefined }), "401 token_invalid"],
    ["a token that is not valid yet", signed({ nbf: seconds(3_600) }), "401 token_invalid"],
    ["a token without a beginning", signed({ nbf: undefined }), "401 token_invalid"],
    ["a token that has expired", signed({ exp: seconds(-5) }), "401 token_expired"],
    ["a token that never expires", signed({ exp: undefined }), "401 token_invalid"],
    ["a token for nobody", signed({ sub: undefined }), "401 token_invalid"],
    ["a token for a name", signed({ sub: "ann" }), "401 token_invalid"],
    ["a token without a session", signed({ sid: undefined }), "401 token_invalid"],
    ["a token of a session that is no id", signed({ sid: "' or 1=1 --" }), "401 token_invalid"],
    ["a token of a session that never was", signed({ sid: crypto.randomUUID() }), "401 session_ended"],
    ["a token for another user in my session", () => signed({ sub: String(ben.id) })(), "401 token_invalid"],

    ["a bot's token cut short", () => bearer(botToken.slice(0, -1)), "401 token_invalid"],
    ["a bot's token with another end", () => bearer(flipLast(botToken)), "401 token_invalid"],
    ["a bot's prefix", () => bearer("plt_"), "401 token_invalid"],
    ["a refresh token", () => bearer(`plr_${"A".repeat(43)}`), "401 token_invalid"],
    ["an API key as a token", () => bearer(apiKey), "401 token_invalid"],

    ["an empty key", () => keyed(""), "401 token_invalid"],
    ["a key of garbage", () => keyed("garbage"), "401 token_invalid"],
    ["a key of colons", () => keyed("::"), "401 token_invalid"],
    ["a key without its secret", () => keyed(apiKey.split(":")[0]!), "401 token_invalid"],
    ["a key with an empty secret", () => keyed(`${apiKey.split(":")[0]}:`), "401 token_invalid"],
    ["a key without its id", () => keyed(`:${apiKey.split(":")[1]}`), "401 token_invalid"],
    ["a key with more behind it", () => keyed(`${apiKey}:more`), "401 token_invalid"],
    ["a key with another secret", () => keyed(flipLast(apiKey)), "401 token_invalid"],
    ["a key cut short", () => keyed(apiKey.slice(0, -1)), "401 token_invalid"],
    [
      "a key of another client's id",
      () => keyed(`${crypto.randomUUID()}:${apiKey.split(":")[1]}`),
      "401 token_invalid",
    ],
    ["a key whose id is no id", () => keyed(`1:${apiKey.split(":")[1]}`), "401 token_invalid"],

    ["a key for nobody", () => ({ "x-api-key": apiKey }), "400 validation_failed X-Act-As"],
    ["a key for an empty name", () => keyed(apiKey, ""), "400 validation_failed X-Act-As"],
    ["a key for user 0", () => keyed(apiKey, "0"), "400 validation_failed X-Act-As"],
    ["a key for user -1", () => keyed(apiKey, "-1"), "400 validation_failed X-Act-As"],
    ["a key for user abc", () => keyed(apiKey, "abc"), "400 validation_failed X-Act-As"],
    ["a key for two users", () => keyed(apiKey, "1, 2"), "400 validation_failed X-Act-As"],
    ["a key for user 1e3", () => keyed(apiKey, "1e3"), "400 validation_failed X-Act-As"],
    ["a key for a number beyond all", () => keyed(apiKey, "9007199254740993"), "400 validation_failed X-Act-As"],
    ["a key for a user who is not known", () => keyed(apiKey, "999999"), "401 not_signed_in"],
    ["X-Act-As without a key", () => ({ "x-act-as": String(ben.id) }), "401 not_signed_in"],
    ["X-Act-As with a token, which is for its owner only", () => actingAs(ben), "200 ann"],
  ];

  for (const [what, shown, expected] of table) {
    it(`${what} is answered with ${expected}`, async () => {
      const headers = await shown();
      const answer = await ask(headers);
      const [status, code, ...paths] = expected.split(" ") as [string, string];
      if (status === "200") return expect(answer.body.id, JSON.stringify(answer.body)).to.equal(ann.id);
      expectProblem(answer, Number(status), code, ...paths);
      expectChallenge(answer, code);
      expectNoEcho(answer, headers);
      return undefined;
    });
  }

  it("a key without the scope that is needed is answered with 403, and told which", async () => {
    const headers = { ...keyed(readingKey, String(ben.id)) };
    const answer = await call(world, "POST", "/v1/rooms", { headers, body: { name: "mine" } });
    expectProblem(answer, 403, "insufficient_scope");
    expect(answer.headers.get("www-authenticate")).to.equal(
      'Bearer realm="parley", error="insufficient_scope", scope="write"',
    );
    expectNoEcho(answer, headers);
    const asAdmin = await call(world, "GET", "/v1/clients", { headers: keyed(apiKey, String(ann.id)) });
    expectProblem(asAdmin, 403, "insufficient_scope");
    expect(asAdmin.headers.get("www-authenticate")).to.contain('scope="admin"');
  });

  describe("at a sign-in", () => {
    let address = 0;
    /** Each from an address of its own, where nobody has failed before. */
    const fail = (body: object) =>
      call(world, "POST", "/v1/auth/login", { body, headers: { "x-forwarded-for": `192.0.2.${++address}` } });

    it("is answered in the same way, whether there is nobody by that name or the password is wrong", async () => {
      const answers = [
        await fail({ username: ann.username, password: "wrong password" }),
        await fail({ username: "nobody", password: "wrong password" }),
        await fail({ email: "nobody@example.org", password: PASSWORD }),
      ];
      const [wrong, ...unknown] = answers.map(({ status, headers, body: { request_id, ...body } }) => {
        expect(request_id).to.equal(headers.get("x-request-id"));
        return { status, body, headers: [...headers.keys()] };
      });
      expect(wrong).to.deep.include({ status: 401 });
      for (const answer of unknown) expect(answer).to.deep.equal(wrong);
      for (const answer of answers) expectProblem(answer, 401, "wrong_credentials");
      expect(answers[0]!.headers.get("www-authenticate")).to.equal('Bearer realm="parley"');
    });

    it("takes as long, whether there is nobody by that name or the password is wrong", async () => {
      const people = await Promise.all(Array.from({ length: 15 }, () => buildUser(world)));
      const time = async (body: object): Promise<number> => {
        const startedAt = performance.now();
        expect((await fail({ ...body, password: "wrong password" })).status).to.equal(401);
        return performance.now() - startedAt;
      };
      const [wrong, unknown]: [number[], number[]] = [[], []];
      for (const [i, { username }] of people.entries()) {
        wrong.push(await time({ username }));
        unknown.push(await time({ username: `nobody-${i}` }));
      }
      expect(median(unknown) / median(wrong)).to.be.within(0.5, 2);
    });
  });

  const ask = (headers: Headers): Promise<Answer> => call(world, "GET", "/v1/me", { headers });
  const actingAs = ({ id }: Person): Headers => ({ ...bearer(accessToken), "x-act-as": String(id) });
  const keyed = (apiKey: string, actAs = String(ben.id)): Headers => ({ "x-api-key": apiKey, "x-act-as": actAs });
});

const bearer = (token: string): Headers => ({ authorization: `Bearer ${token}` });

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

/** A 401 says how to do better; whether something was wrong with what was shown, too. */
function expectChallenge({ status, headers }: Answer, code: string): void {
  const challenge = headers.get("www-authenticate");
  if (status !== 401) expect(challenge).to.equal(null);
  else if (code === "not_signed_in") expect(challenge).to.equal('Bearer realm="parley"');
  else expect(challenge).to.equal('Bearer realm="parley", error="invalid_token"');
}

/** No piece of a secret that is long enough to be recognised. */
function expectNoEcho({ body, headers }: Answer, shown: Headers): void {
  const said = JSON.stringify(body) + JSON.stringify([...headers]);
  const pieces = [shown["authorization"]?.replace(/^\w+ /, ""), shown["x-api-key"]]
    .flatMap((text) => text?.split(/[.:]/) ?? [])
    .filter((piece) => piece.length > 4);
  for (const piece of pieces) expect(said).to.not.include(piece.slice(0, 40));
}
