import { expect } from "chai";
import { rows } from "../../../src/shared/db/database.ts";
import { tailSql } from "../../../src/shared/log/tail.ts";
import { buildUsers, get, type Person, post, toUser } from "../../calls.ts";
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

  it("goes on from where it was when its connection is cut", async () => {
    for (let i = 0; i < 3; i++) {
      const { answer } = await park();
      await rows(
        world.deps.em,
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'parley tail' and datname = current_database()",
      );
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
