import { randomBytes, randomInt } from "node:crypto";
import http from "node:http";
import { expect } from "chai";
import fc from "fast-check";
import pg from "pg";
import { buildRoom, buildUsers, call, get, type Person, post, say, toRoom, toUser } from "../calls.ts";
import { checkContract } from "../contract.ts";
import { demoSettings, type Settings, type Started, startApi, startWorkerProcess } from "../processes.ts";
import { freshDatabase, services } from "../services.ts";
import { type Document, type Operation, operationsOf, type Request, requestTo } from "./requests.ts";
import { Values } from "./values.ts";

const seed = Number(process.env["FUZZ_SEED"] ?? randomInt(2 ** 31));
/** Whoever is asked in vain has been asked for something that goes on, like a stream. */
const PATIENCE_MS = 3_000;
/** So often everybody and everything is made anew: much of what is asked for deletes something. */
const SCENE_EVERY = 50;

interface Scene {
  readonly root: Person;
  readonly ann: Person;
  readonly token: string;
  readonly key: string;
  readonly numbers: readonly number[];
  readonly uuids: readonly string[];
  readonly named: Readonly<Record<string, readonly unknown[]>>;
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly requestId: string | undefined;
  readonly text: string;
}

describe("the HTTP surface", () => {
  let database: Awaited<ReturnType<typeof freshDatabase>>;
  let api: Started;
  let worker: Started;
  let scene: Scene;
  let operations: Operation[];
  let values: Values;
  const agent = new http.Agent({ keepAlive: true });

  before(async () => {
    database = await freshDatabase();
    const settings: Settings = demoSettings(database.url, { LOG_LEVEL: "error", TRUST_PROXY: "true" });
    [api, worker] = await Promise.all([startApi(settings), startWorkerProcess(settings)]);
    const document: Document = (await get(api, "/openapi.json")).body;
    operations = operationsOf(document);
    values = new Values(document.components.schemas, () => scene);
  });
  after(async () => {
    agent.destroy();
    await Promise.all([api?.end(), worker?.end()]);
    await database?.drop();
  });

  it(`answers whatever is asked as it declares, and never with a 5xx (FUZZ_SEED=${seed})`, async function () {
    const numRuns = services().slow ? 5_000 : 500;
    this.timeout(services().slow ? 570_000 : 60_000);
    let asked = 0;
    /** How often each operation answered how. */
    const tally = new Map<string, number>();
    const property = fc.asyncProperty(
      fc.constantFrom(...operations).chain((one) => requestTo(one, values)),
      async (request) => {
        if (asked++ % SCENE_EVERY === 0) scene = await makeScene();
        const answer = await ask(request);
        if (answer) check(request, answer);
        count(tally, request.operation, answer);
      },
    );
    scene = await makeScene();
    await fc.assert(property, { seed, numRuns, interruptAfterTimeLimit: services().slow ? 540_000 : 50_000 });
    expect((await get(api, "/healthz")).status).to.equal(200);
    expect((await get(api, "/readyz")).status).to.equal(200);
    expect(operations.filter(({ id }) => ![...tally.keys()].some((key) => key.startsWith(`${id} `)))).to.deep.equal([]);
    if (services().slow) console.log(`      ${asked} requests; ${describeTally(tally)}`);
  });

  async function makeScene(): Promise<Scene> {
    const [root, ann, ben] = (await buildUsers(api, 3)) as [Person, Person, Person];
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    await client.query("update users set is_admin = true where id = $1", [root.id]);
    await client.query("select pg_notify('parley_users', $1)", [String(root.id)]);
    await client.end();
    const room = await buildRoom(api, [ann, ben], { is_public: true });
    const own = await buildRoom(api, [ann]);
    const messages = [await say(api, ann, toRoom(room), "hello"), await say(api, ben, toUser(ann), "hello")];
    while (!(await get(api, "/v1/users/1/messages", root.id)));
    const made = async (path: string, by: Person, body: object) => (await post(api, path, body, by.id)).body;
    // From an address of its own: that of all the others has shown too many wrong passwords.
    const headers = { "x-forwarded-for": `10.0.${randomInt(256)}.${randomInt(256)}` };
    const credentials = { username: ann.username, password: "Passw0rd!" };
    const { body: login } = await call(api, "POST", "/v1/auth/login", { headers, body: credentials });
    const token = await made("/v1/auth/tokens", ann, { name: "a bot" });
    const key = await keyOf(root);
    const rooms = [room.id, own.id, messages[1]!.room_id];
    const [first, second] = messages.map(({ id }) => id) as [string, string];
    const { sessions } = (await get(api, "/v1/auth/sessions", ann.id)).body;
    return {
      root,
      ann,
      token: login.access_token,
      key: key.api_key,
      numbers: [root.id, ann.id, ben.id, room.id, own.id, messages[1]!.room_id, token.id, 1, 2, 3, 100],
      named: {
        "users.id": [ann.id, ben.id],
        user_id: [ann.id, ben.id],
        "rooms.id": rooms,
        room_id: rooms,
        "messages.id": [first, second],
        "tasks.id": [first, second],
        "clients.id": [key.id],
        message_ids: [[first], [second, first]],
        up_to: [1, first],
        username: [ann.username, `made-${randomBytes(4).toString("hex")}`],
        member_ids: [[ann.id], []],
        member_usernames: [[ben.username], []],
        password: ["Passw0rd!"],
        offset: ["-1", "now"],
        email: [`${randomBytes(4).toString("hex")}@example.org`],
      },
      uuids: [...messages.map(({ id }) => id), key.id, sessions[0].id, "0190c0de-0000-7000-8000-000000000000"],
    };
  }

  /** As soon as the API has heard who is an admin. */
  async function keyOf(root: Person): Promise<{ id: string; api_key: string }> {
    for (;;) {
      const { status, body } = await call(api, "POST", "/v1/clients", { as: root.id, body: { name: "a server" } });
      if (status === 201) return body;
    }
  }

  const callers: Record<Request["as"], () => Record<string, string>> = {
    nobody: () => ({}),
    user: () => ({ "x-user-id": String(scene.ann.id) }),
    admin: () => ({ "x-user-id": String(scene.root.id) }),
    query: () => ({}),
    token: () => ({ authorization: `Bearer ${scene.token}` }),
    key: () => ({ "x-api-key": scene.key, "x-act-as": String(scene.ann.id) }),
    garbage: () => ({ authorization: "Bearer e30.e30.e30" }),
  };

  /** Undefined for an answer that goes on. */
  function ask({ as, method, path, headers, body }: Request): Promise<Answer | undefined> {
    const query = as === "query" ? `${path.includes("?") ? "&" : "?"}user_id=${scene.ann.id}` : "";
    // Node does not say by itself how long the body of a DELETE is.
    const sized = body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) };
    return new Promise((resolve, reject) => {
      const { hostname, port } = new URL(api.url);
      // As it is: read as an address first, `/rooms/./members` would be another path.
      const request = http.request({
        hostname,
        port,
        method,
        path: path + query,
        agent,
        headers: { ...headers, ...callers[as](), ...sized },
      });
      const patience = setTimeout(() => {
        resolve(undefined);
        request.destroy();
      }, PATIENCE_MS);
      request.on("error", reject);
      request.on("response", (response) => {
        const type = response.headers["content-type"] ?? "";
        const requestId = response.headers["x-request-id"] as string | undefined;
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
        const done = () => {
          clearTimeout(patience);
          resolve({ status: response.statusCode!, type, requestId, text });
        };
        if (type.startsWith("text/event-stream")) {
          done();
          request.destroy();
        } else response.on("end", done);
        response.on("error", () => undefined);
      });
      request.end(body);
    });
  }

  function check({ method, path }: Request, { status, type, requestId, text }: Answer): void {
    expect(status, text).to.be.below(500);
    if (method === "HEAD" || type.startsWith("text/")) return;
    const isJson = type.includes("json");
    if (text !== "") expect(isJson, `${status} ${type}: ${text.slice(0, 200)}`).to.equal(true);
    const body = isJson ? JSON.parse(text) : text;
    if (status >= 400) {
      expect(type).to.match(/^application\/problem\+json/);
      expect(body.status).to.equal(status);
      // What is too large for a header never becomes a request.
      if (body.code === "headers_too_large") return;
      expect(body.request_id).to.equal(requestId);
      expect(body.code).to.not.equal("internal");
    }
    checkContract(method, path, status, body);
  }
});

function count(tally: Map<string, number>, operation: string, answer: Answer | undefined): void {
  const key = `${operation} ${answer ? answer.status : "goes on"}`;
  tally.set(key, (tally.get(key) ?? 0) + 1);
}

/** `200: 1234, 400: 2345`: of all operations together. */
function describeTally(tally: ReadonlyMap<string, number>): string {
  const statuses = Map.groupBy(tally, ([key]) => key.slice(key.indexOf(" ") + 1));
  const sums = [...statuses].map(([status, list]) => `${status}: ${list.reduce((sum, [, n]) => sum + n, 0)}`);
  return sums.toSorted().join(", ");
}
