import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { type Postgres, startPostgres } from "../../src/local/postgres.ts";
import { ask, makeScratch, processesWith, rejection, type Scratch, until } from "./scratch.ts";

describe("the first start of the private Postgres", function () {
  this.timeout(30_000);
  let scratch: Scratch;
  let dataDir: string;
  const started: Postgres[] = [];

  const start = async (options: { signal?: AbortSignal } = {}): Promise<Postgres> => {
    const postgres = await startPostgres({ dataDir, flags: { fsync: "off" }, ...options });
    started.push(postgres);
    return postgres;
  };

  beforeEach(async () => {
    scratch = await makeScratch();
    dataDir = join(scratch.dir, "postgres");
  });
  afterEach(async () => {
    await Promise.all(started.splice(0).map((postgres) => postgres.stop()));
    expect(await processesWith(scratch.dir)).to.deep.equal([]);
    await scratch.remove();
  });

  it("makes its data anew when the folder is only half made, and sets the old one aside", async () => {
    await mkdir(join(dataDir, "data", "base"), { recursive: true });
    await mkdir(join(dataDir, "half-made-x"));
    const { url } = await start();
    expect(await ask(url, "select 1")).to.equal(1);
    const names = await readdir(dataDir);
    expect(names.filter((name) => name.startsWith("half-made"))).to.deep.equal([]);
    expect(names.filter((name) => name.startsWith("data.broken"))).to.have.length(1);
  });

  it("a first start that is called off leaves no process and no half-made data, and the next one works", async () => {
    const calledOff = new AbortController();
    const starting = rejection(start({ signal: calledOff.signal }));
    await until(async () => (await processesWith(join(dataDir, "half-made-"))).length > 0);
    calledOff.abort();
    await starting;
    expect(await processesWith(dataDir)).to.deep.equal([]);
    expect(await readdir(dataDir)).to.have.members(["password", "server.log"]);
    expect(await ask((await start()).url, "select 1")).to.equal(1);
  });
});
