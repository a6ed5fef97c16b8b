import { expect } from "chai";
import { buildRoom, buildUsers, call, get, type Person, post, say, toRoom, toUser } from "../../calls.ts";
import { hasRedis } from "../../services.ts";
import { backends, buildWorld, type World } from "../../world.ts";

for (const backend of backends) {
  describe(`the path of a message with the queue on ${backend}`, () => {
    let world: World;
    let ann: Person;
    let ben: Person;

    before(async function () {
      if (backend === "redis" && !hasRedis()) return this.skip();
      world = await buildWorld({ backend });
      [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
    });
    after(() => world?.close());

    it("a parked poll answers with a message that is sent while it waits", async () => {
      const poll = get(world, "/v1/messages/unseen?wait=20", ben.id);
      const sent = await post(
        world,
        "/v1/users/{id}/messages".replace("{id}", String(ben.id)),
        { text: " hello " },
        ann.id,
      );
      expect(sent.status).to.equal(202);
      expect(sent.headers.get("location")).to.equal(`/v1/tasks/${sent.body.task_id}`);
      const { body } = await poll;
      expect(body.messages).to.have.length(1);
      expect(body.messages[0]).to.deep.include({
        id: sent.body.message_id,
        text: "hello",
        seq: 1,
        sender: { id: ann.id, username: ann.username },
      });
      expect(body).to.include({ unseen_count: 1, more: false });
    });

    it("its ack marks it as seen in the very next answer, and for good", async () => {
      const first = await get(world, "/v1/messages/unseen", ben.id);
      const second = await get(world, `/v1/messages/unseen?ack=${first.body.ack}`, ben.id);
      expect(second.body).to.deep.include({ messages: [], unseen_count: 0 });
      const { room_id, id } = first.body.messages[0];
      await seenBy(world, id, ben, ann);
      expect((await get(world, "/v1/messages/unseen", ben.id)).body.messages).to.deep.equal([]);
      const room = await get(world, `/v1/rooms/${room_id}`, ann.id);
      expect(room.body.members.find((member: Person) => member.id === ben.id).read_seq).to.equal(1);
    });

    it("its task tells how it ended, and tells it to nobody else", async () => {
      const sent = await post(world, `${toUser(ben)}/messages`, { text: "followed" }, ann.id);
      const task = await get(world, `/v1/tasks/${sent.body.task_id}?wait=20`, ann.id);
      expect(task.body).to.deep.include({ kind: "message.send", state: "done", attempts: 1, error: null });
      expect(task.body.result).to.include({ id: sent.body.message_id, text: "followed" });
      expect((await get(world, `/v1/tasks/${sent.body.task_id}`, ben.id)).status).to.equal(404);
    });

    it("a mark is a task too, also one that moves nothing", async () => {
      const message = await say(world, ann, toUser(ben), "mark me");
      for (const attempt of ["first", "again"]) {
        const marked = await post(world, "/v1/messages/seen", { message_ids: [message.id] }, ben.id);
        expect(marked.status, attempt).to.equal(202);
        const task = await get(world, `/v1/tasks/${marked.body.task_id}?wait=20`, ben.id);
        expect(task.body, attempt).to.deep.include({ kind: "messages.seen", state: "done" });
      }
    });

    it("a message to a group reaches every member but its sender", async () => {
      const people = (await buildUsers(world, 3)) as [Person, Person, Person];
      const room = await buildRoom(world, people);
      // Its sender waits in vain, and need not do so for long.
      const polls = people.map(({ id }, i) => get(world, `/v1/messages/unseen?wait=${i === 0 ? 1 : 20}`, id));
      await say(world, people[0], toRoom(room), "to all");
      const texts = (await Promise.all(polls)).map(({ body }) => body.messages.map((m: { text: string }) => m.text));
      expect(texts).to.deep.equal([[], ["to all"], ["to all"]]);
    });

    it("mark_seen marks exactly what it answers, so that the next poll does not repeat it", async () => {
      const [cat, dan] = (await buildUsers(world, 2)) as [Person, Person];
      for (const text of ["one", "two", "three"]) await say(world, cat, toUser(dan), text);
      const first = await get(world, "/v1/messages/unseen?mark_seen=true&limit=2", dan.id);
      expect(first.body.messages.map((m: { text: string }) => m.text)).to.deep.equal(["one", "two"]);
      expect(first.body).to.include({ unseen_count: 3, more: true });
      const second = await get(world, "/v1/messages/unseen?mark_seen=true", dan.id);
      expect(second.body.messages.map((m: { text: string }) => m.text)).to.deep.equal(["three"]);
      expect((await get(world, "/v1/messages/unseen", dan.id)).body.unseen_count).to.equal(0);
    });

    it("a send under one key, twenty times at once, is one message and one task", async () => {
      const headers = { "idempotency-key": "order-66" };
      const sends = Array.from({ length: 20 }, () =>
        call(world, "POST", `${toUser(ben)}/messages`, { as: ann.id, body: { text: "once" }, headers }),
      );
      const answers = await Promise.all(sends);
      expect(new Set(answers.map(({ status }) => status))).to.deep.equal(new Set([202]));
      expect(new Set(answers.map(({ body }) => body.task_id)).size).to.equal(1);
      await get(world, `/v1/tasks/${answers[0]!.body.task_id}?wait=20`, ann.id);
      const history = await get(world, `${toUser(ben)}/messages`, ann.id);
      expect(history.body.messages.filter((m: { text: string }) => m.text === "once")).to.have.length(1);
      const other = await call(world, "POST", `${toUser(ben)}/messages`, {
        as: ann.id,
        body: { text: "twice" },
        headers,
      });
      expect(other.body.code).to.equal("idempotency_mismatch");
    });
  });
}

/** Waits until the receipt of `reader` is there. */
async function seenBy(world: World, messageId: string, reader: Person, asker: Person): Promise<void> {
  for (;;) {
    const { body } = await get(world, `/v1/messages/${messageId}/receipts`, asker.id);
    if (body.receipts.some((receipt: { user_id: number }) => receipt.user_id === reader.id)) return;
  }
}
