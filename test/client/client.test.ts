import { expect } from "chai";
import { type Entry, ParleyClient, type Transport } from "../../src/client/index.ts";
import { buildRoom, buildUsers, type Person } from "../calls.ts";
import { buildWorld, type World } from "../world.ts";

describe("the client", () => {
  let world: World;
  let ann: Person;
  let ben: Person;
  const clients: ParleyClient[] = [];
  const clientOf = (person: Person): ParleyClient => {
    const client = new ParleyClient({ url: world.url, auth: { userId: person.id } });
    clients.push(client);
    return client;
  };

  before(async () => {
    world = await buildWorld();
    [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
  });
  afterEach(() => {
    for (const client of clients.splice(0)) client.close();
  });
  after(() => world?.close());

  it("signs up, in and out", async () => {
    const strict = await world.startApi({ AUTH_MODE: "token" });
    const client = new ParleyClient({ url: strict.url });
    const heard: string[] = [];
    client.onSession((session, why) => heard.push(`${session?.user.username} ${why}`));
    const name = `new-${Date.now()}`;
    const me = await client.signUp({ username: name, password: "Passw0rd!x" });
    expect((await client.me()).id).to.equal(me.id);
    await client.logOut();
    expect(heard).to.deep.equal([`${name} signed-in`, "undefined signed-out"]);
    await client.me().then(
      () => expect.fail(),
      (problem) => expect(problem.code).to.equal("not_signed_in"),
    );
  });

  for (const transport of ["websocket", "sse", "long-poll"] as const satisfies Transport[]) {
    it(`chats over ${transport}`, async () => {
      const room = await buildRoom(world, [ann, ben]);
      const [mine, yours] = [clientOf(ann), clientOf(ben)];
      const { nextOffset } = await yours.rooms.list();
      const events = yours.events({ from: nextOffset, transport })[Symbol.asyncIterator]();
      const handle = mine.send({ room: room.id }, "hello");
      const { value } = await events.next();
      expect((value as Entry).type).to.equal("message.created");
      const message = await handle.stored;
      expect((value as Extract<Entry, { type: "message.created" }>).data.id).to.equal(message.id);
      await yours.markSeen({ room: room.id, upTo: message.id });
      expect((await handle.seen).userId).to.equal(ben.id);
      expect(handle.state).to.equal("seen");
      await events.return?.();
    });
  }
});
