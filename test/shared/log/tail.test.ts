import { expect } from "chai";
import pg from "pg";
import { rows } from "../../../src/shared/db/database.ts";
import { Tail, tailSql } from "../../../src/shared/log/tail.ts";
import { buildUsers, get, type Person, post, toUser } from "../../calls.ts";
import { services } from "../../services.ts";
import { until } from "../../until.ts";
import { buildWorld, type World } from "../../world.ts";

describe("the tail of the log", () => {
  let world: World;
  let ann: Person;
  let ben: Person;

  before(async () => {
    world = await buildWorld();
    [ann, ben] = (await buildUsers(world, 2)) as [Person, Person];
  });
  after(() => world.close());

  const poll = () => get(world, "/v1/messages/unseen?wait=20&mark_seen=true", ben.id);
  const texts = ({ body }: { body: { messages: { text: string }[] } }) => body.messages.map(({ text }) => text);
  /** Resolves once the poll is parked; its answer comes later. */
  const park = async () => {
    const answer = poll();
    await until(() => world.deps.hub.parked > 0);
    return { answer };
  };

  const cutSql =
    "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'parley tail' and datname = current_database()";

  it("goes on from where it was when its connection is cut", async () => {
    for (let i = 0; i < 3; i++) {
      const { answer } = await park();
      await rows(world.deps.em, cutSql);
      await post(world, `${toUser(ben)}/messages`, { text: `cut ${i}` }, ann.id);
      expect(texts(await answer)).to.deep.equal([`cut ${i}`]);
    }
  });

  it("finds what was appended without a notification within a moment", async () => {
    const { answer } = await park();
    await post(world, `${toUser(ben)}/messages`, { text: "first" }, ann.id);
    await answer;
    const { answer: again } = await park();
    await rows(
      world.deps.em,
      `with head as (update log_head set head = head + 1 returning head),
        room as (update rooms set last_seq = last_seq + 1 where kind = 'direct' returning id, last_seq),
        said as (insert into messages (id, room_id, seq, pos, sender_id, text, accepted_at)
          select gen_random_uuid(), room.id, room.last_seq, head.head, $1, 'unannounced', now() from head, room returning *)
       insert into log (pos, room_id, type, actor_id, message_id, at)
       select said.pos, said.room_id, 'message.created', said.sender_id, said.id, now() from said`,
      [ann.id],
    );
    expect(texts(await again)).to.deep.equal(["unannounced"]);
  });

  it("has heard of what it finds when it is back just then, and not while it was away", async () => {
    const { DATABASE_URL: url } = world.env;
    const admin = new pg.Client({
      connectionString: Object.assign(new URL(services().postgresUrl), { pathname: "/postgres" }).href,
    });
    await admin.connect();
    const allowConnections = (may: boolean) =>
      admin.query(`alter database ${new URL(url!).pathname.slice(1)} with allow_connections ${may}`);
    const ignore = () => {};
    const others = { onTask: ignore, onUser: ignore, onCredential: ignore, onEphemeral: ignore, onReset: ignore };
    const heard = Promise.withResolvers<number>();
    const onEntries = (_: unknown, heardAt: number): void => heard.resolve(heardAt);
    const tail = new Tail({ url: url!, log: world.deps.log, events: { ...others, onEntries } });
    await tail.start();
    try {
      await allowConnections(false);
      await rows(world.deps.em, cutSql);
      // It looks once in a second by itself, whether it can or not.
      for (const end = performance.now() + 1_200; performance.now() < end; )
        await new Promise((resolve) => setImmediate(resolve));
      expect(tail.connected).to.equal(false);
      const backAt = performance.now();
      await allowConnections(true);
      await post(world, `${toUser(ben)}/messages`, { text: "after all" }, ann.id);
      expect(await heard.promise).to.be.at.least(backAt);
    } finally {
      await allowConnections(true);
      await tail.stop();
      await admin.end();
    }
  });

  it("reads by key alone, whatever the statistics say: on empty, small and large tables", async () => {
    const { em } = world.deps;
    const plan = async () => {
      const lines = await rows<{ "QUERY PLAN": string }>(
        em,
        `explain ${tailSql.replace("$1", "0").replace("$2", "500")}`,
      );
      return lines.map((line) => line["QUERY PLAN"]).join("\n");
    };
    const check = async () => {
      expect(await plan()).to.not.match(/Seq Scan on messages|Hash Join|Merge Join/);
    };
    await check();
    await rows(
      em,
      `insert into messages (id, room_id, seq, pos, sender_id, text, accepted_at)
       select gen_random_uuid(), r.id, 1000 + n, 1000 + n, $1, 'filler', now()
       from rooms r, generate_series(1, 50000) n where r.kind = 'direct'`,
      [ann.id],
    );
    await rows(
      em,
      `insert into log (pos, room_id, type, actor_id, message_id, at)
       select m.pos, m.room_id, 'message.created', m.sender_id, m.id, now() from messages m where m.pos > 1000`,
    );
    await check();
    for (const table of ["messages", "log", "users"]) await rows(em, `analyze ${table}`);
    await check();
  });
});
