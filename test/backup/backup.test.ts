import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { expect } from "chai";
import pg from "pg";
import { restoreBackup } from "../../src/backup/restore-backup.ts";
import { buildRoom, buildUsers, call, expectProblem, get, type Person, post, say, toRoom, toUser } from "../calls.ts";
import { holdLocks } from "../locks.ts";
import { runToEnd, type Settings } from "../processes.ts";
import { emptyDatabase, freshDatabase, hasRedis } from "../services.ts";
import { backends, buildWorld, type World } from "../world.ts";

const PASSWORD = "Passw0rd!"; // of everybody that buildUsers makes
const NOWHERE = "postgres://127.0.0.1:1/parley";
const nextOf = ({ headers }: { headers: Headers }): string => headers.get("stream-next-offset")!;
const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });

const settingsOf = ({ env: { DATABASE_URL, REDIS_URL, QUEUE_NAME } }: Pick<World, "env">): Settings => ({
  DATABASE_URL,
  REDIS_URL,
  QUEUE_NAME,
});
const backup = (settings: Settings, ...args: string[]) => runToEnd("src/backup.ts", args, settings);
const restore = (settings: Settings, ...args: string[]) => runToEnd("src/restore.ts", args, settings);

/** What somebody sees of everything. */
async function seenBy(world: World, people: readonly Person[]) {
  const seen: unknown[] = [];
  for (const { id } of people) {
    const { rooms } = (await get(world, "/v1/rooms", id)).body;
    seen.push(rooms, (await get(world, "/v1/messages/unseen?explain=true", id)).body.unseen_count);
    for (const room of rooms) {
      const { messages } = (await get(world, `/v1/rooms/${room.id}/messages`, id)).body;
      seen.push(messages);
      for (const message of messages) seen.push((await get(world, `/v1/messages/${message.id}/receipts`, id)).body);
    }
  }
  return seen;
}

async function query<Row extends pg.QueryResultRow>(url: string, sql: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end();
  }
}

/** Columns, indexes and constraints, as they would be made anew. */
const schemaOf = (url: string) =>
  query(
    url,
    `select table_name || '.' || column_name as name, concat_ws(' ', data_type, is_nullable, column_default, is_identity) as what
     from information_schema.columns where table_schema = 'public'
     union all select indexname, indexdef from pg_indexes where schemaname = 'public'
     union all select conname, pg_get_constraintdef(oid) from pg_constraint where connamespace = 'public'::regnamespace
     order by 1, 2`,
  );

for (const backend of backends) {
  describe(`a backup with the queue on ${backend}`, function () {
    this.timeout(60_000);
    const secret = { AUTH_SECRET: randomBytes(24).toString("hex"), RATE_LIMITS: "off" };
    let folder: string;
    let file: string;
    let world: World;
    let ann: Person;
    let ben: Person;
    let cid: Person;
    let room: { id: number };
    const databases: { drop(): Promise<void> }[] = [];

    before(async function () {
      if (backend === "redis" && !hasRedis()) return this.skip();
      folder = await mkdtemp(join(tmpdir(), "parley-backup-"));
      file = join(folder, "all.backup");
      world = await buildWorld({ backend, env: secret });
      [ann, ben, cid] = (await buildUsers(world, 3)) as [Person, Person, Person];
      room = await buildRoom(world, [ann, ben, cid]);
      const first = await say(world, ann, toRoom(room), "a tab\there, a backslash \\ and \\. alone:\n\\.\n ✓ 🙂");
      await say(world, ann, toRoom(room), "second");
      await say(world, ben, toUser(ann), "just us two");
      const marked = await post(world, "/v1/messages/seen", { message_ids: [first.id] }, ben.id);
      await get(world, `/v1/tasks/${marked.body.task_id}?wait=20`, ben.id);
      await call(world, "DELETE", `${toRoom(room)}/members/${cid.id}`, { as: cid.id });
    });
    after(async () => {
      await world?.close();
      for (const database of databases) await database.drop();
      if (folder) await rm(folder, { recursive: true });
    });

    /** A database where nothing is, with a queue of its own. */
    const fresh = async (make = emptyDatabase) => {
      const database = await make();
      databases.push(database);
      const QUEUE_NAME = `test-${randomBytes(6).toString("hex")}`;
      return { ...settingsOf(world), DATABASE_URL: database.url, QUEUE_NAME };
    };
    const open = ({ DATABASE_URL, QUEUE_NAME }: Awaited<ReturnType<typeof fresh>>) =>
      buildWorld({ backend, env: { ...secret, DATABASE_URL, QUEUE_NAME } });

    it("restored into a fresh system is all that there was, and what is said next goes on from it", async () => {
      const login = { username: ann.username, password: PASSWORD };
      const session = (await post(world, "/v1/auth/login", login)).body;
      const bot = (await call(world, "POST", "/v1/auth/tokens", { body: { name: "bot" }, as: ben.id })).body.token;
      const cursor = nextOf(await get(world, "/v1/events", ben.id));
      const before = await seenBy(world, [ann, ben, cid]);

      const made = await backup(settingsOf(world), file);
      expect(made, made.stderr).to.include({ code: 0 });
      expect(made.stdout)
        .to.match(/: 3 messages, \d+ rows in all/)
        .and.to.include("No job waits in the queue");
      expect((await stat(file)).mode & 0o777).to.equal(0o600);
      // Said after it, and therefore not in it, whoever has been shown it.
      await say(world, ann, toRoom(room), "too late");
      const { ack } = (await get(world, "/v1/messages/unseen", ben.id)).body;

      const there = await fresh();
      const restored = await restore(there, file);
      expect(restored, restored.stderr).to.include({ code: 0 });
      expect(restored.stdout).to.include("3 messages");
      const database = await freshDatabase();
      databases.push(database);
      expect(await schemaOf(there.DATABASE_URL)).to.deep.equal(await schemaOf(database.url));

      const second = await open(there);
      expect(await seenBy(second, [ann, ben, cid])).to.deep.equal(before);
      for (const token of [session.access_token, bot])
        expect((await call(second, "GET", "/v1/me", bearer(token))).status).to.equal(200);
      const renewed = await post(second, "/v1/auth/refresh", { refresh_token: session.refresh_token });
      expect(renewed.status).to.equal(200);

      expectProblem(await get(second, `/v1/events?offset=${cursor}`, ben.id), 410, "offset_gone");
      const snapshot = await get(second, "/v1/rooms", ben.id);
      const said = await say(second, ann, toRoom(room), "goes on");
      expect(said.seq).to.equal(3);
      const { body } = await get(second, `/v1/events?offset=${nextOf(snapshot)}`, ben.id);
      expect(body.map(({ data }: { data: { text: string } }) => data.text)).to.deep.equal(["goes on"]);
      // In the place of the one that is gone, but not the message that was acknowledged.
      const unseen = (await get(second, `/v1/messages/unseen?ack=${ack}`, ben.id)).body.messages;
      expect(unseen.map(({ text }: { text: string }) => text)).to.deep.equal(["second", "goes on"]);
      // An id of the time between is nobody else's now.
      const [newcomer] = (await buildUsers(second, 1)) as [Person];
      expect(newcomer.id).to.be.above(cid.id + 10_000);
      await second.close();
    });

    it("says how many jobs are not in it, or waits for them; a restore does not touch those of another system", async () => {
      const idle = await buildWorld({ backend, worker: false, env: secret });
      const [dan] = (await buildUsers(idle, 1)) as [Person];
      const its = await buildRoom(idle, [dan]);
      for (const text of ["one", "two"]) await post(idle, `${toRoom(its)}/messages`, { text }, dan.id);
      const first = await backup(settingsOf(idle), join(folder, "waiting.backup"));
      expect(first.stdout)
        .to.match(/[12] jobs wait in the queue/)
        .and.to.include(": 0 messages");

      const { QUEUE_NAME } = idle.env;
      if (backend === "redis") {
        const refused = await restore({ ...(await fresh()), QUEUE_NAME }, file);
        expect(refused).to.include({ code: 1 });
        expect(refused.stderr).to.include(`jobs wait in the queue ${QUEUE_NAME}`).and.to.include("--force");
      }

      const drained = join(folder, "drained.backup");
      const waiting = backup(settingsOf(idle), drained, "--drained");
      await idle.startWorker();
      const made = await waiting;
      expect(made.stdout, made.stderr).to.include(": 2 messages").and.to.include("No job waits");
      await idle.close();
    });

    // Whichever carries the queue.
    if (backend !== backends.at(-1)) return;

    it("made while everybody sends is the state at one moment", async () => {
      const busy = join(folder, "busy.backup");
      // In the middle of it: the log is written down, the messages are not.
      const held = await holdLocks(world, "lock table memberships_history in access exclusive mode");
      const making = backup(settingsOf(world), busy);
      await held.isWaitedFor();
      for (const text of ["more", "and more"]) await say(world, ann, toRoom(room), text);
      await held.release();
      const made = await making;
      expect(made, made.stderr).to.include({ code: 0 });
      const there = await fresh();
      expect(await restore(there, busy)).to.include({ code: 0 });
      const wrong = await query(
        there.DATABASE_URL,
        `select 'the log has gaps' from log_head where head <> (select count(*) from log) or head <> (select max(pos) from log)
         union all select 'a room has gaps' from rooms r
           where last_seq <> (select count(*) from messages m where m.room_id = r.id)
             or last_seq <> (select coalesce(max(seq), 0) from messages m where m.room_id = r.id)
         union all select 'a message without an entry' from messages m
           where not exists (select from log l where l.pos = m.pos and l.message_id = m.id)`,
      );
      expect(wrong).to.deep.equal([]);
    });

    it("refuses a database that is not empty, until it is told to delete what is there", async () => {
      const there = await fresh(freshDatabase);
      const other = await open(there);
      await buildUsers(other, 1);
      const connected = await restoreBackup(there.DATABASE_URL, file, { force: true }).catch((error: Error) => error);
      expect(String(connected)).to.include("An API, a worker or a backup is connected");
      await other.close();

      const refused = await restore(there, file);
      expect(refused).to.include({ code: 1 });
      expect(refused.stderr).to.include("not empty").and.to.include("--force");
      expect(await query(there.DATABASE_URL, "select from users")).to.have.length(1);
      expect(await restore(there, file, "--force")).to.include({ code: 0 });
      expect(await query(there.DATABASE_URL, "select from users")).to.have.length(3);
      expect(await query(there.DATABASE_URL, "select from kv")).to.have.length(0);
    });

    it("looks at the file before it goes to the database", async () => {
      const whole = await readFile(file);
      for (const [bytes, words] of [
        [Buffer.alloc(0), "damaged"],
        [whole.subarray(0, 20), "damaged"],
        [gzipSync("hello\n"), "not a backup"],
        [whole, "ECONNREFUSED"],
      ] as const) {
        const path = join(folder, "unread.backup");
        await writeFile(path, bytes);
        const refused = await restoreBackup(NOWHERE, path, { force: false }).catch((error: Error) => error);
        expect(String(refused)).to.include(words);
      }
      const unreadable = await restoreBackup(NOWHERE, folder, { force: false }).catch((error: Error) => error);
      expect(String(unreadable)).to.include("EISDIR");
    });

    it("refuses a file that is damaged, and leaves the database as it was", async () => {
      const there = await fresh(freshDatabase);
      await query(there.DATABASE_URL, "insert into users (username, password_hash) values ('here before', '')");
      const whole = await readFile(file);
      const text = gunzipSync(whole).toString("utf8");
      const withText = (changed: string) => gzipSync(changed);
      const bad: [string, Buffer, string][] = [
        ["cut off", whole.subarray(0, whole.length - 100), "damaged"],
        [
          "a byte changed",
          Buffer.concat([whole.subarray(0, 400), Buffer.from([1, 2, 3]), whole.subarray(403)]),
          "damaged",
        ],
        ["a word changed", withText(text.replace("just us two", "just us six")), "damaged"],
        ["a row missing", withText(text.replace(/\n[^\n]*just us two[^\n]*/, "")), "damaged"],
        ["something after it", withText(`${text}more\n`), "damaged"],
        ["no trailer", withText(text.replace(/[^\n]*\n$/, "")), "damaged"],
        ["not a backup", Buffer.from("hello"), "not a backup"],
        ["an empty file", Buffer.alloc(0), "damaged"],
        ["of a newer version", withText(text.replace("006-retention", "999-future")), "newer version (999-future)"],
        ["with more than a name", withText(text.replace('"name":"users"', '"name":"users\\" (id"')), "not a backup"],
        ["of another form", withText(text.replace('"parley_backup":1', '"parley_backup":2')), "not a backup"],
      ];
      for (const [what, bytes, words] of bad) {
        const path = join(folder, "bad.backup");
        await writeFile(path, bytes);
        const refused = await restoreBackup(there.DATABASE_URL, path, { force: true }).catch((error: Error) => error);
        expect(String(refused), what).to.include(words);
        expect(await query(there.DATABASE_URL, "select username from users")).to.deep.equal([
          { username: "here before" },
        ]);
      }
    });
  });
}
