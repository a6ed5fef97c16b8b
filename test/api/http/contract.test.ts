import { expect } from "chai";
import { routes } from "../../../src/api/routes.ts";
import { rows } from "../../../src/shared/db/database.ts";
import {
  type Answer,
  buildRoom,
  buildUser,
  buildUsers,
  call,
  get,
  type Person,
  say,
  toRoom,
  toUser,
} from "../../calls.ts";
import { answered } from "../../contract.ts";
import { buildWorld, type World } from "../../world.ts";

interface Ask {
  readonly as?: Person;
  /** What stands for `:id` and the like in the route's path. */
  readonly params?: Readonly<Record<string, number | string>>;
  readonly query?: string;
  readonly body?: object;
  readonly headers?: Record<string, string>;
}

interface Scene {
  readonly root: Person;
  readonly ann: Person;
  readonly ben: Person;
  readonly room: { id: number };
  readonly message: { id: string };
}

/** A token or a client. */
interface Made {
  readonly id: number | string;
  readonly api_key?: string;
}

/** Its first word is the route's. */
type GoodCall = readonly [what: string, status: number, ask: (scene: Scene) => Ask | Promise<Ask>];

describe("each route answers as it declares", () => {
  let world: World;
  let scene: Scene;
  /** `sendToRoom 202 location`: which headers came with which answer. */
  const headersSeen = new Set<string>();

  before(async () => {
    world = await buildWorld();
    const [root, ann, ben] = (await buildUsers(world, 3)) as [Person, Person, Person];
    await rows(world.deps.em, "update users set is_admin = true where id = $1", [root.id]);
    const [room] = await Promise.all([1, 2].map(() => buildRoom(world, [ann, ben], { is_public: true })));
    const message = await say(world, ann, toRoom(room!), "hello");
    for (const text of ["how are you?", "and you?"]) await say(world, ann, toRoom(room!), text);
    for (const text of ["between us", "and nobody else"]) await say(world, ann, toUser(ben), text);
    // Who has come online rides along with the answers to others.
    await get(world, `/v1/events?${noEvents}`, ann.id);
    scene = { root, ann, ben, room: room!, message };
  });
  after(() => world?.close());

  const by = (person: Person, id?: number | string, more: Ask = {}): Ask => ({
    as: person,
    ...(id !== undefined && { params: { id } }),
    ...more,
  });
  const byMember = (person: Person, { id }: { id: number }): Ask =>
    by(person, id, { params: { id, user_id: person.id } });
  const wait = { prefer: "wait=10" };

  const calls: readonly GoodCall[] = [
    ["createUser", 201, () => ({ body: { username: "Charlotte", password: "Passw0rd!", email: "c@example.org" } })],
    ["listUsers", 200, ({ ann }) => by(ann, undefined, { query: "limit=1" })],
    ["listUsers as it is known", 304, async ({ ann }) => by(ann, undefined, { headers: await ifUsersChanged(ann) })],
    ["getMe", 200, ({ ann }) => by(ann)],
    ["getUser", 200, ({ ann, ben }) => by(ann, ben.id)],
    ["updateUser", 200, ({ ann }) => by(ann, ann.id, { body: { status: "Busy", email: null } })],
    ["deactivateUser", 204, async () => byThemselves(await buildUser(world))],

    ["createRoom", 201, ({ ann, ben }) => by(ann, undefined, { body: { name: "garden", member_ids: [ben.id] } })],
    ["listRooms of my own", 200, ({ ben }) => by(ben, undefined, { query: "limit=1" })],
    ["listRooms of everybody", 200, ({ ben }) => by(ben, undefined, { query: "scope=public&limit=1" })],
    ["getRoom", 200, ({ ben, room }) => by(ben, room.id)],
    ["updateRoom", 200, ({ ann, room }) => by(ann, room.id, { body: { name: "the yard" } })],
    ["putMember who is new", 200, async ({ room }) => byMember(await buildUser(world), room)],
    ["putMember who is one", 200, ({ room, ben }) => byMember(ben, room)],
    ["deleteMember", 204, async ({ ann, ben }) => byMember(ben, await buildRoom(world, [ann, ben]))],
    ["deleteRoom", 204, async ({ ann }) => by(ann, (await buildRoom(world, [ann])).id)],

    // First, so that the reads of events further down bring it along.
    ["typing that others hear of", 204, ({ ann, room }) => by(ann, room.id)],
    ["sendToRoom", 202, ({ ann, room }) => by(ann, room.id, { body: { text: "soon" } })],
    ["sendToRoom that waits", 201, ({ ann, room }) => by(ann, room.id, { body: keyed, headers: wait })],
    ["sendToUser", 202, ({ ann, ben }) => by(ann, ben.id, { body: { text: "soon" } })],
    ["sendToUser that waits", 201, ({ ann, ben }) => by(ann, ben.id, { body: { text: "now" }, headers: wait })],
    ["listRoomMessages", 200, ({ ben, room }) => by(ben, room.id, { query: "limit=1" })],
    ["listUserMessages", 200, ({ ben, ann }) => by(ben, ann.id, { query: "limit=1" })],
    ["readUnseen with messages", 200, ({ ben }) => by(ben)],
    ["readUnseen without", 200, ({ ann }) => by(ann)],
    ["markSeen of messages", 202, ({ ben, message }) => by(ben, undefined, { body: { message_ids: [message.id] } })],
    ["markSeen of a room", 202, ({ ben, room }) => by(ben, undefined, { body: { room_id: room.id, up_to: 2 } })],
    ["getMessage", 200, ({ ben, message }) => by(ben, message.id)],
    ["getReceipts", 200, ({ ann, message }) => by(ann, message.id)],
    ["deleteMessage", 204, async ({ ann, room }) => by(ann, (await say(world, ann, toRoom(room), "oh no")).id)],
    ["getTrace", 200, ({ ann, message }) => by(ann, message.id)],

    ["getTask of a send", 200, ({ ann, message }) => by(ann, message.id)],
    ["getTask of a mark", 200, async ({ ben, room }) => by(ben, await mark(ben, room), { query: "wait=10" })],
    ["findSent", 200, ({ ann }) => by(ann, undefined, { query: "client_key=once" })],
    ["findSent of nothing", 200, ({ ben }) => by(ben, undefined, { query: "client_key=never" })],
    ["readEvents that there were", 200, ({ ben }) => by(ben, undefined, { query: "live=long-poll" })],
    ["readEvents that don't come", 204, ({ ben }) => by(ben, undefined, { query: noEvents })],
    ["readRoomEvents that there were", 200, ({ ben, room }) => by(ben, room.id, { query: "live=long-poll" })],
    ["readRoomEvents that don't come", 204, ({ ben, room }) => by(ben, room.id, { query: noEvents })],
    ["typing", 204, ({ ben, room }) => by(ben, room.id)],
    ["getPresence", 200, ({ ann, ben }) => by(ann, undefined, { query: `user_ids=${ann.id},${ben.id}` })],

    ["login by username", 200, ({ ann }) => ({ body: { username: ann.username, password } })],
    ["login by address", 200, async () => ({ body: { email: (await withEmail()).email, password } })],
    ["refresh", 200, async ({ ann }) => ({ body: { refresh_token: (await signIn(ann)).refresh_token } })],
    ["logout", 204, async ({ ann }) => ({ headers: bearer((await signIn(ann)).access_token) })],
    ["createTicket", 201, ({ ann }) => by(ann)],
    ["listSessions", 200, async ({ ben }) => ({ headers: bearer((await signIn(ben)).access_token) })],
    ["endSession", 204, async ({ ann }) => by(ann, await sessionOf(ann))],
    ["createTicket", 201, ({ ann }) => by(ann)],
    ["createToken", 201, ({ ann }) => by(ann, undefined, { body: { name: "a bot", expires_at: null } })],
    ["createToken for a while", 201, ({ ann }) => by(ann, undefined, { body: { name: "a bot", expires_at } })],
    ["listTokens", 200, ({ ann }) => by(ann)],
    ["revokeToken", 204, async ({ ann }) => by(ann, (await made("/v1/auth/tokens", ann)).id)],

    ["createClient", 201, ({ root }) => by(root, undefined, { body: { name: "a server", scopes: ["read"] } })],
    ["listClients", 200, ({ root }) => by(root)],
    ["getClient", 200, async ({ root }) => by(root, (await made("/v1/clients", root)).id)],
    ["revokeClient", 204, async ({ root }) => by(root, (await made("/v1/clients", root)).id)],
    ["getMe by key", 200, async ({ root, ann }) => ({ headers: acting(await made("/v1/clients", root), ann) })],

    ["listAdminUsers", 200, ({ root }) => by(root, undefined, { query: "limit=1&state=active&q=user" })],
    ["getAdminUser", 200, ({ root, ann }) => by(root, ann.id)],
    ["banUser", 200, async ({ root }) => by(root, (await buildUser(world)).id, { body: { reason: "spam" } })],
    ["unbanUser", 204, async ({ root }) => by(root, (await buildUser(world)).id)],
    ["signOutEverywhere", 204, async ({ root }) => by(root, (await buildUser(world)).id)],
    [
      "listAdminRooms",
      200,
      ({ root, ann }) => by(root, undefined, { query: `limit=1&kind=group&member_id=${ann.id}` }),
    ],
    ["getAdminRoom", 200, ({ root, room }) => by(root, room.id)],
    ["listGroupMessages", 200, ({ root, room }) => by(root, room.id, { query: "limit=1" })],
    ["getReported", 200, ({ root, message }) => by(root, message.id)],
    ["listFailedJobs", 200, ({ root }) => by(root, undefined, { query: "limit=1" })],
    ["showJob", 200, async ({ root }) => by(root, await failedJob())],
    ["retryJob", 204, async ({ root }) => by(root, await failedJob())],
    ["retryAllJobs", 200, ({ root }) => by(root)],
    ["listActions", 200, ({ root }) => by(root, undefined, { query: "limit=1" })],
    ["lookAtHealth", 200, ({ root }) => by(root)],

    ["healthz", 200, () => ({})],
    ["readyz", 200, () => ({})],
    // Last: from here on nothing is taken from the queue.
    ["cancelTask", 200, async ({ ann, room }) => by(ann, await waiting(ann, room))],
  ];
  const noEvents = "offset=now&live=long-poll&timeout=1";
  const password = "Passw0rd!";
  const expires_at = "2999-12-31T23:59:59+01:00";
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
  const acting = ({ api_key }: Made, { id }: Person) => ({ "x-api-key": api_key!, "x-act-as": String(id) });
  const keyed = { text: "now", client_key: "once" };
  const byThemselves = (person: Person): Ask => by(person, person.id);

  for (const [what, status, ask] of calls) {
    it(`${what} answers ${status}`, async () => {
      const [id] = what.split(" ") as [string];
      const answer = await answerOf(id, await ask(scene));
      expect(answer.status, JSON.stringify(answer.body)).to.equal(status);
      for (const name of answer.headers.keys()) headersSeen.add(`${id} ${status} ${name}`);
    });
  }

  it("there was a good answer of every kind from every route, with every header that it declares", () => {
    const declared = routes.flatMap(({ id, responses }) =>
      Object.entries(responses)
        .filter(([status]) => Number(status) < 400)
        .map(([status, { headers = {} }]) => ({ kind: `${id} ${status}`, headers: Object.keys(headers) })),
    );
    expect(declared.map(({ kind }) => kind).filter((kind) => !answered.has(kind))).to.deep.equal([]);
    const named = declared.flatMap(({ kind, headers }) => headers.map((name) => `${kind} ${name.toLowerCase()}`));
    expect(named.filter((header) => !headersSeen.has(header))).to.deep.equal([]);
  });

  function answerOf(id: string, { as, params = {}, query, body, headers = {} }: Ask): Promise<Answer> {
    const route = routes.find((one) => one.id === id)!;
    const path = route.path.replace(/:(\w+)/g, (_, name: string) => String(params[name]));
    return call(world, route.method.toUpperCase(), query ? `${path}?${query}` : path, {
      headers,
      ...(as && { as: as.id }),
      ...(body && { body }),
    });
  }

  async function ifUsersChanged(as: Person): Promise<Record<string, string>> {
    const { headers } = await call(world, "GET", "/v1/users", { as: as.id });
    return { "if-none-match": headers.get("etag")! };
  }

  async function signIn({ username }: Person): Promise<{ access_token: string; refresh_token: string }> {
    return (await call(world, "POST", "/v1/auth/login", { body: { username, password } })).body;
  }

  async function sessionOf(person: Person): Promise<string> {
    await signIn(person);
    return (await call(world, "GET", "/v1/auth/sessions", { as: person.id })).body.sessions[0].id;
  }

  async function withEmail(): Promise<{ email: string }> {
    return (await buildUser(world, { email: "dora@example.org" })) as Person & { email: string };
  }

  async function made(path: string, { id }: Person): Promise<Made> {
    return (await call(world, "POST", path, { as: id, body: { name: "made" } })).body;
  }

  async function failedJob(): Promise<string> {
    const { deps } = world;
    const id = deps.newId();
    const acceptedAt = new Date().toISOString();
    const data = { senderId: scene.ann.id, roomId: 999_999, text: "x", clientKey: null, acceptedAt };
    await deps.backend.queues[0]!.add("message.send", data, { jobId: id });
    while ((await deps.backend.queues[0]!.getJobState(id)) !== "failed");
    return id;
  }

  async function waiting(as: Person, room: { id: number }): Promise<string> {
    await world.deps.backend.queues[0]!.pause();
    return (await call(world, "POST", `${toRoom(room)}/messages`, { as: as.id, body: { text: "wait" } })).body.task_id;
  }

  async function mark(as: Person, room: { id: number }): Promise<string> {
    const body = { room_id: room.id, up_to: 3 };
    return (await call(world, "POST", "/v1/messages/seen", { as: as.id, body })).body.task_id;
  }
});
