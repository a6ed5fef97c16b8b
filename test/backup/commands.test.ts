import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import pg from "pg";
import { BackupReader, written } from "../../src/backup/file.ts";
import { ourTables } from "../../src/backup/tables.ts";
import { runToEnd, surroundings } from "../processes.ts";
import { freshDatabase } from "../services.ts";

describe("npm run backup and npm run restore", function () {
  this.timeout(60_000);
  let folder: string;
  let database: Awaited<ReturnType<typeof freshDatabase>>;
  let client: pg.Client;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "parley-commands-"));
    database = await freshDatabase();
    client = new pg.Client({ connectionString: database.url });
    await client.connect();
  });
  after(async () => {
    await client.end();
    await database.drop();
    await rm(folder, { recursive: true });
  });
  const settings = () => ({ DATABASE_URL: database.url });

  it("explain themselves, and what was wrong about the way they were called", async () => {
    for (const [script, words] of [
      ["src/backup.ts", ["--drained", "AUTH_SECRET", "queue"]],
      ["src/restore.ts", ["--force", "DELETES", "all APIs and workers"]],
    ] as const) {
      const help = await runToEnd(script, ["--help"], {});
      expect(help).to.include({ code: 0, stderr: "" });
      for (const word of words) expect(help.stdout).to.include(word);
    }
    const wrong = await runToEnd("src/backup.ts", ["a", "--x"], settings());
    expect(wrong).to.include({ code: 1, stdout: "" });
    expect(wrong.stderr).to.include("Usage: npm run").and.to.include("'--x'");
    const noData = await runToEnd("src/backup.ts", [join(folder, "x")], { DATA_DIR: join(folder, "none") });
    expect(noData.stderr).to.include("DATABASE_URL");
    const nowhere = join(folder, "none", "x");
    expect(await runToEnd("src/restore.ts", [nowhere], settings())).to.include({
      code: 1,
      stderr: `There is no file ${nowhere}\n`,
    });
    expect(await runToEnd("src/backup.ts", [nowhere], settings())).to.include({
      code: 1,
      stderr: `There is no folder ${join(folder, "none")}\n`,
    });
  });

  it("a backup leaves a file that is there alone, and none that is half-made", async () => {
    const file = join(folder, "there");
    await writeFile(file, "mine");
    const refused = await runToEnd("src/backup.ts", [file], settings());
    expect(refused).to.include({ code: 1, stdout: "" });
    expect(refused.stderr).to.include("is there already");
    expect(await readFile(file, "utf8")).to.equal("mine");
    await client.query("alter table migrations rename to hidden");
    expect(await runToEnd("src/backup.ts", [join(folder, "half")], settings())).to.include({ code: 1 });
    await client.query("alter table hidden rename to migrations");
    expect(await readdir(folder)).to.deep.equal(["there"]);
  });

  it("a backup does not write into what another one writes", async () => {
    const file = join(folder, "twice");
    await writeFile(`${file}.part`, "of another");
    const refused = await runToEnd("src/backup.ts", [file], settings());
    expect(refused).to.include({ code: 1, stdout: "" });
    expect(refused.stderr).to.include(`${file}.part is there`);
    expect(await readFile(`${file}.part`, "utf8")).to.equal("of another");
    await rm(`${file}.part`);
  });

  it("a database that goes away in the middle is one line, and no file", async () => {
    const file = join(folder, "broken");
    await client.query("begin; lock table users in access exclusive mode");
    const making = runToEnd("src/backup.ts", [file], settings());
    const cut = `select pg_terminate_backend(pid) from pg_stat_activity
      where application_name = 'parley backup' and wait_event_type = 'Lock' and datname = current_database()`;
    do await client.query("select pg_stat_clear_snapshot()");
    while ((await client.query(cut)).rows.length === 0);
    const broken = await making;
    await client.query("rollback");
    expect(broken).to.include({ code: 1, stdout: "" });
    expect(broken.stderr).to.match(/^.+\n$/);
    expect((await readdir(folder)).filter((name) => name.startsWith("broken"))).to.deep.equal([]);
  });

  it("a restore that is killed in the middle leaves the database as it was, and the next one works", async () => {
    await client.query(
      "insert into users (username, password_hash) select 'user-' || n, '' from generate_series(1, 5000) n",
    );
    const file = join(folder, "many");
    expect(await runToEnd("src/backup.ts", [file], settings())).to.include({ code: 0 });
    const bytes = await readFile(file);
    await client.query("delete from users where username <> 'user-1'");
    // Comes as slowly as we say.
    const pipe = join(folder, "pipe");
    execFileSync("mkfifo", [pipe]);
    const env = { ...surroundings(), ...settings() };
    const restoring = spawn(process.execPath, ["src/restore.ts", pipe, "--force"], { env, stdio: "ignore" });
    const slow = createWriteStream(pipe);
    slow.on("error", () => {});
    slow.write(bytes.subarray(0, Math.floor(bytes.length / 2)));
    const copying =
      "select from pg_stat_activity where application_name = 'parley restore' and query ilike 'copy \"users\"%'";
    while ((await client.query(copying)).rows.length === 0);
    restoring.kill("SIGKILL");
    await once(restoring, "exit");
    slow.destroy();
    expect((await client.query("select username from users")).rows).to.deep.equal([{ username: "user-1" }]);
    expect(await runToEnd("src/restore.ts", [file, "--force"], settings())).to.include({ code: 0 });
    expect((await client.query("select from users")).rows).to.have.length(5_000);
  });

  it("bring up what npm start has kept its data in, for as long as it takes", async () => {
    const file = join(folder, "start");
    expect(await runToEnd("src/backup.ts", [file], settings())).to.include({ code: 0 });
    const own = { DATA_DIR: join(folder, "data") };
    const restored = await runToEnd("src/restore.ts", [file], own);
    expect(restored, restored.stderr).to.include({ code: 0 });
    const [all] = /\d+ rows in all/.exec(restored.stdout)!;
    const made = await runToEnd("src/backup.ts", [join(folder, "again")], own);
    expect(made, made.stderr).to.include({ code: 0 });
    expect(made.stdout).to.include(all);
  });

  it("every table is in it, but for what may be lost", async () => {
    const { rows } = await client.query(
      "select relname as name, relpersistence as kept from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'",
    );
    const made = rows.map(({ name }) => name as string).filter((name) => name !== "migrations");
    expect([...ourTables].sort()).to.deep.equal(made.sort());
    expect(rows.filter(({ kept }) => kept !== "p").map(({ name }) => name)).to.have.members(["kv", "rate_limits"]);
  });
});

describe("the file of a backup", () => {
  const header = {
    parley_backup: 1,
    made_at: new Date(0).toISOString(),
    migrations: ["001-core"],
    tables: [
      { name: "empty", columns: ["a"] },
      { name: "full", columns: ["a", "b"] },
    ],
  } as const;
  const content = { empty: "", full: "1\t\\\\.\n2\t\\\\.x\n\\N\t\\.\\n\n3\t\n" };
  const whole = async () => {
    const rowsOf = ({ name }: { name: string }) =>
      Object.assign(
        (async function* () {
          if (content[name as "full"] !== "") yield Buffer.from(content[name as "full"]);
        })(),
        { rowCount: name === "full" ? 4 : 0 },
      );
    const chunks: Buffer[] = [];
    for await (const chunk of written(header, rowsOf)) chunks.push(chunk);
    return Buffer.concat(chunks);
  };

  it("is read as it was written, however it is cut into pieces", async () => {
    const bytes = await whole();
    for (let size = 1; size <= bytes.length; size++) {
      const pieces = (async function* () {
        for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
      })();
      const reader = new BackupReader(pieces);
      expect(await reader.header()).to.deep.equal(header);
      for (const { name } of header.tables) {
        const rows: Buffer[] = [];
        for await (const chunk of reader.rows()) rows.push(chunk);
        expect(Buffer.concat(rows).toString()).to.equal(content[name]);
      }
      await reader.check({ empty: 0, full: 4 });
    }
  });
});
