import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { forgetServers, tellServers } from "../../src/shared/running-servers.ts";
import { runToEnd } from "../processes.ts";
import { buildWorld, type World } from "../world.ts";

describe("a command beside a system that runs on this machine", () => {
  let world: World;
  let DATA_DIR: string;

  before(async () => {
    world = await buildWorld();
    DATA_DIR = await mkdtemp(join(tmpdir(), "parley-test-"));
    const { DATABASE_URL = "", REDIS_URL = "", QUEUE_NAME } = world.env;
    await tellServers(DATA_DIR, { DATABASE_URL, REDIS_URL, QUEUE_NAME, QUEUE_SHARDS: "1" });
  });
  after(async () => {
    await world.close();
    await rm(DATA_DIR, { recursive: true });
  });

  const jobs = (settings: Record<string, string>) => runToEnd("src/jobs.ts", ["failed"], settings);

  it("finds its servers", async () => {
    expect(await jobs({ DATA_DIR })).to.deep.equal({ code: 0, stdout: "No job has failed\n", stderr: "" });
  });

  it("takes a variable that is set to nothing for one that is not set", async () => {
    expect(await jobs({ DATA_DIR, DATABASE_URL: "", REDIS_URL: "", QUEUE_NAME: "" })).to.include({
      code: 0,
      stderr: "",
    });
  });

  it("asks those that it is told of, where it is told of any", async () => {
    const elsewhere = await jobs({ DATA_DIR, DATABASE_URL: "postgres://nobody@127.0.0.1:1/none", REDIS_URL: "" });
    expect(elsewhere.code).to.equal(1);
    expect((await jobs({ DATA_DIR, REDIS_URL: "redis://127.0.0.1:1" })).stderr).to.include("DATABASE_URL: is needed");
    const inFile = await jobs({ DATA_DIR, DATABASE_URL_FILE: "/nowhere" });
    expect(inFile.stderr).to.include("DATABASE_URL_FILE: /nowhere can't be read");
  });

  it("says what it needs once that system has stopped", async () => {
    await forgetServers(DATA_DIR);
    const { code, stderr } = await jobs({ DATA_DIR });
    expect(code).to.equal(1);
    expect(stderr).to.include("DATABASE_URL: is needed, unless npm start runs here");
    const worker = await runToEnd("src/worker/main.ts", [], {});
    expect(worker).to.include({ code: 1, stderr: "The environment is wrong:\n  DATABASE_URL: is needed\n" });
    await forgetServers(DATA_DIR);
  });
});
