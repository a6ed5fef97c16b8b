import { expect } from "chai";
import pg from "pg";
import { migrate } from "../../../src/shared/db/migrate.ts";
import { migrations } from "../../../src/shared/db/migrations/index.ts";
import { createLogger } from "../../../src/shared/logger.ts";
import { holdLocks } from "../../locks.ts";
import { emptyDatabase, freshDatabase } from "../../services.ts";

const run = (url: string): Promise<string[]> => migrate(url, createLogger({ LOG_LEVEL: "silent" }, "test"));

describe("migrating", () => {
  let database: Awaited<ReturnType<typeof freshDatabase>>;
  let client: pg.Client;

  const use = async (made: typeof database): Promise<void> => {
    database = made;
    client = new pg.Client({ connectionString: made.url });
    await client.connect();
  };
  afterEach(async () => {
    await client.end();
    await database.drop();
  });

  const indexes = async (): Promise<{ name: string; good: boolean }[]> =>
    (
      await client.query(
        `select relname as name, indisvalid as good from pg_index join pg_class c on c.oid = indexrelid
         where indrelid = 'messages'::regclass order by relname`,
      )
    ).rows;

  it("by three at once is done by one, and the others find it done", async () => {
    await use(await emptyDatabase());
    const applied = await Promise.all([1, 2, 3].map(() => run(database.url)));
    expect(applied.filter((names) => names.length > 0)).to.deep.equal([migrations.map(({ name }) => name)]);
  });

  it("makes indexes beside the traffic: who writes meanwhile does not wait", async () => {
    await use(await freshDatabase());
    await client.query("insert into users (username, password_hash) values ('ann', '')");
    await client.query("insert into rooms (kind, name) values ('group', 'room')");
    await client.query("drop index messages_room_id_sender_id_seq_index, messages_deleted_index");
    await client.query("delete from migrations where name = '003-history'");
    const say = (seq: number) =>
      `insert into messages (id, room_id, seq, pos, sender_id, text, accepted_at)
       select gen_random_uuid(), r.id, ${seq}, ${seq}, u.id, 'hello', now() from rooms r, users u`;
    const held = await holdLocks({ env: { DATABASE_URL: database.url } }, say(1));
    const running = run(database.url);
    await held.isWaitedFor();
    await client.query("set statement_timeout = 5000");
    await client.query(say(2));
    await held.release();
    expect(await running).to.deep.equal(["003-history"]);
  });

  it("goes on where a run was interrupted, and leaves every index whole", async () => {
    await use(await freshDatabase());
    const before = await indexes();
    await client.query("delete from migrations where name = '003-history'");
    expect(await run(database.url)).to.deep.equal(["003-history"]);
    expect(await indexes()).to.deep.equal(before);
    expect(before.every(({ good }) => good)).to.equal(true);
  });
});
