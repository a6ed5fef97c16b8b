import { expect } from "chai";
import { rows } from "../../../src/shared/db/database.ts";
import {
  buildRoom,
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
import { until } from "../../until.ts";
import { buildWorld, type World } from "../../world.ts";

const dropsAtOnce = `
  create function drop_at_once() returns trigger language plpgsql as $$
  begin new.deleted_at = now(); new.text = ''; return new; end $$;
  create trigger drop_at_once before insert on messages for each row when (new.text = 'taken back')
  execute function drop_at_once()`;

describe("rooms and messages at the desk", () => {
  let world: World;
  let root: Person;
  let ann: Person;
  let ben: Person;
  let room: { id: number; name: string };

  before(async () => {
    world = await buildWorld();
    [root, ann, ben] = (await buildUsers(world, 3)) as [Person, Person, Person];
    await rows(world.deps.em, "update users set is_admin = true where id = $1", [root.id]);
  });
  after(() => world?.close());
  beforeEach(async () => {
    room = await buildRoom(world, [ann, ben]);
  });

  const drop = (id: string, as: Person) => call(world, "DELETE", `/v1/messages/${id}`, { as: as.id });
  const at = (path: string) => get(world, `/v1/admin/${path}`, root.id);
  const lastEntry = async (person: Person) => (await get(world, "/v1/events?offset=-1", person.id)).body.at(-1);

  it("a message that is deleted, by its sender or by an admin, is gone for everybody and from the database", async () => {
    for (const by of [ann, root]) {
      const { id, seq } = await say(world, ann, toRoom(room), "a slip of the tongue");
      const kept = await say(world, ann, toRoom(room), "and another thing");
      const unseen = async () => (await get(world, "/v1/messages/unseen", ben.id)).body;
      const before = (await unseen()).unseen_count;
      expect((await drop(id, by)).status).to.equal(204);
      const after = await unseen();
      expect(after.unseen_count).to.equal(before - 1);
      expect(after.messages.map((message: { id: string }) => message.id))
        .to.include(kept.id)
        .and.not.include(id);
      const entry = await lastEntry(ben);
      expect(entry).to.include({ type: "message.deleted", room_id: room.id, actor_id: by.id });
      expect(entry.data).to.include({ id, seq, text: "" });
      expect(entry.data.deleted_at).to.be.a("string");
      const history = (await get(world, `${toRoom(room)}/messages`, ben.id)).body.messages;
      expect(history.find((message: { id: string }) => message.id === id)).to.include({ text: "", seq });
      const stored = await rows(world.deps.em, "select text from messages where id = $1", [id]);
      expect(stored).to.deep.equal([{ text: "" }]);
      expect((await drop(id, by)).status).to.equal(204);
      expect((await lastEntry(ben)).offset, "to delete it again is no event").to.equal(entry.offset);
    }
  });

  it("to others a message is not there, or not theirs to delete", async () => {
    const { id } = await say(world, ann, toRoom(room), "mine");
    const [stranger] = (await buildUsers(world, 1)) as [Person];
    expectProblem(await drop(id, ben), 403, "not_allowed");
    expectProblem(await drop(id, stranger), 404, "message_not_found");
    expectProblem(await drop(world.deps.newId(), root), 404, "message_not_found");
    expectProblem(await call(world, "DELETE", "/v1/messages/none", { as: root.id }), 400, "validation_failed", "id");
  });

  it("a deleted message that is sent again under its key stays deleted, whatever is remembered of the key", async () => {
    const send = (text: string) =>
      call(world, "POST", `${toRoom(room)}/messages`, {
        as: ann.id,
        body: { text, client_key: `key-${room.id}` },
        headers: { prefer: "wait=10" },
      });
    const first = (await send("once")).body;
    await drop(first.id, ann);
    await world.deps.backend.store.delete(`send:${ann.id}:key-${room.id}`);
    const again = await send("once");
    expect(again.body).to.include({ id: first.id, text: "" });
    expect(again.headers.get("idempotent-replayed")).to.equal("true");
    // Accepted anew because nobody could be asked about the key: the worker finds it.
    const id = world.deps.newId();
    const acceptedAt = new Date().toISOString();
    const data = { senderId: ann.id, roomId: room.id, text: "once", clientKey: `key-${room.id}`, acceptedAt };
    await world.deps.backend.queues[0]!.add("message.send", data, { jobId: id });
    const task = (await get(world, `/v1/tasks/${id}?wait=20`, ann.id)).body;
    expect({ state: task.state, result: task.result?.id }).to.deep.equal({ state: "done", result: first.id });
  });

  it("a read that waits is not woken by a message that is deleted before it is read", async () => {
    // Deleted in the moment in which it is stored: nobody can be quicker.
    await rows(world.deps.em, dropsAtOnce);
    const [cat] = (await buildUsers(world, 1)) as [Person];
    await call(world, "PUT", `${toRoom(room)}/members/${cat.id}`, { as: ann.id });
    const read = get(world, "/v1/messages/unseen?wait=20", cat.id);
    await until(() => world.deps.hub.parked === 1);
    await say(world, ann, toRoom(room), "taken back");
    await say(world, ann, toRoom(room), "for you");
    expect((await read).body.messages.map(({ text }: { text: string }) => text)).to.deep.equal(["for you"]);
  });

  it("nobody is told the words of a deleted message, also where they are still remembered", async () => {
    const elsewhere = await buildRoom(world, [ann, ben]);
    // Who waits has what came since at hand, for all of their devices.
    const waiting = get(world, `${toRoom(elsewhere)}/events?offset=now&live=long-poll&timeout=50`, ben.id);
    await until(() => world.deps.hub.parked === 1);
    const from = (await get(world, "/v1/events?offset=now", ben.id)).headers.get("stream-next-offset");
    const { id } = await say(world, ann, toRoom(room), "a slip of the tongue");
    await drop(id, ann);
    const [log] = await rows<{ head: number }>(world.deps.em, "select head from log_head");
    await until(() => world.deps.tail.pos >= log!.head);
    const late = await get(world, `/v1/events?offset=${from}&live=long-poll`, ben.id);
    const told = late.body.filter((entry: { data: { id?: string } }) => entry.data.id === id);
    expect(told.map(({ type, data }: { type: string; data: { text: string } }) => [type, data.text])).to.deep.equal([
      ["message.created", ""],
      ["message.deleted", ""],
    ]);
    await say(world, ann, toRoom(elsewhere), "that was all");
    await waiting;
  });

  it("an admin deletes a group as its owner does, and no direct room", async () => {
    await say(world, ann, toRoom(room), "soon gone");
    expect((await call(world, "DELETE", toRoom(room), { as: root.id })).status).to.equal(204);
    expect(await lastEntry(ben)).to.include({ type: "room.deleted", room_id: room.id, actor_id: root.id });
    expectProblem(await at(`rooms/${room.id}`), 404, "room_not_found");
    const { room_id } = await say(world, ann, toUser(ben), "between us");
    expectProblem(await call(world, "DELETE", toRoom({ id: room_id }), { as: root.id }), 409, "room_is_direct");
    const [action] = (await at("actions?limit=1")).body.actions;
    expect(action).to.deep.include({ action: "room.delete", target: String(room.id), detail: { name: room.name } });
  });

  it("lists every room with its members and how much is said in it, and finds it by name, kind, id and member", async () => {
    await say(world, ann, toRoom(room), "one");
    await say(world, ann, toRoom(room), "two");
    const { room_id } = await say(world, ann, toUser(ben), "between us");
    const [found] = (await at(`rooms?q=${room.name}`)).body.rooms;
    expect(found).to.include({ id: room.id, kind: "group", message_count: 2, member_count: 2 });
    expect(found.members.map(({ id, role }: Person & { role: string }) => [id, role])).to.deep.equal([
      [ann.id, "owner"],
      [ben.id, "member"],
    ]);
    expect(Date.parse(found.last_message_at)).to.be.greaterThan(Date.parse(found.created_at));
    const ids = async (query: string) => (await at(`rooms?${query}`)).body.rooms.map(({ id }: { id: number }) => id);
    expect(await ids("kind=direct")).to.deep.equal([room_id]);
    expect(await ids(`q=${room.id}`)).to.include(room.id);
    expect(await ids(`member_id=${root.id}`)).to.deep.equal([]);
    const { next } = (await at("rooms?limit=1")).body;
    expect((await ids(`limit=1&after=${next}`))[0]).to.be.lessThan(Number(next));
  });

  it("shows what is said in a group, page by page, and nothing of what two people say to each other", async () => {
    for (const text of ["one", "two", "three"]) await say(world, ann, toRoom(room), text);
    const page = (await at(`rooms/${room.id}/messages?limit=2`)).body;
    const rest = (await at(`rooms/${room.id}/messages?limit=2&before=${page.next}`)).body;
    const texts = [...page.messages, ...rest.messages].map(({ text }: { text: string }) => text);
    expect(texts).to.deep.equal(["three", "two", "one"]);
    expect(rest.next).to.equal(null);
    const direct = await say(world, ann, toUser(ben), "between us");
    expectProblem(await at(`rooms/${direct.room_id}/messages`), 409, "room_is_direct");
    const reported = await at(`messages/${direct.id}`);
    expect(reported.body).to.deep.include({ text: null, sender: { id: ann.id, username: ann.username } });
    expect(reported.body.room).to.deep.equal({ id: direct.room_id, kind: "direct", name: null });
    expect((await at(`messages/${page.messages[0].id}`)).body.text).to.equal("three");
    expectProblem(await at(`messages/${world.deps.newId()}`), 404, "message_not_found");
  });

  it("what is posted, joined or left while it is deleted is in order", async () => {
    const sends = Array.from({ length: 10 }, (_, i) =>
      post(world, `${toRoom(room)}/messages`, { text: `${i}` }, ann.id),
    );
    const ids = (await Promise.all(sends)).map(({ body }) => body.message_id);
    await get(world, `/v1/tasks/${ids.at(-1)}?wait=20`, ann.id);
    await Promise.all([...ids.map((id) => drop(id, root)), call(world, "DELETE", toRoom(room), { as: ann.id })]);
    const entries = (await get(world, "/v1/events?offset=-1", ben.id)).body;
    expect(entries.at(-1)).to.include({ type: "room.deleted", room_id: room.id });
  });
});
