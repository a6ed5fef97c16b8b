import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { type DataLock, follow, inherit, lockData } from "../../src/local/data-lock.ts";
import { beginningOf } from "../../src/local/process-id.ts";
import { StartError } from "../../src/local/until-ready.ts";
import { makeScratch, rejection, type Scratch } from "./scratch.ts";

const HERE = "http://127.0.0.1:8000";

describe("the lock on the data folder", () => {
  let scratch: Scratch;
  let path: string;

  beforeEach(async () => {
    scratch = await makeScratch();
    path = join(scratch.dir, "parley.pid");
  });
  afterEach(() => scratch.remove());

  it("tells a second one in a line that the first runs, and where", async () => {
    const lock = await lockData(scratch.dir, HERE);
    const error = await rejection(lockData(scratch.dir, HERE));
    expect(error).to.be.instanceOf(StartError);
    expect(error.message).to.include(`pid ${process.pid}, ${HERE}`).and.not.include("\n");
    await lock.release();
    expect(await readdir(scratch.dir)).to.deep.equal([]);
  });

  it("of a dead process counts for nothing", async () => {
    const dead = spawn(process.execPath, ["-e", ""]);
    const began = await beginningOf(dead.pid ?? 0);
    await once(dead, "exit");
    await writeFile(path, JSON.stringify({ pid: dead.pid, began, address: HERE }));
    await lockData(scratch.dir, HERE);
    expect(JSON.parse(await readFile(path, "utf8"))).to.include({ pid: process.pid });
  });

  it("counts for nothing when its number now belongs to another process", async () => {
    const other = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
    try {
      await writeFile(path, JSON.stringify({ pid: other.pid, began: "long ago", address: HERE }));
      await lockData(scratch.dir, HERE);
      expect(JSON.parse(await readFile(path, "utf8"))).to.include({ pid: process.pid });
    } finally {
      other.kill("SIGKILL");
      await once(other, "exit");
    }
  });

  for (const broken of ["", "{", "{}", "null", "12"]) {
    it(`counts for nothing when it holds ${JSON.stringify(broken)}`, async () => {
      await writeFile(path, broken);
      await lockData(scratch.dir, HERE);
      expect(JSON.parse(await readFile(path, "utf8"))).to.include({ pid: process.pid });
    });
  }

  it("is given to one of twenty who find a stale one at the same time", async () => {
    await writeFile(path, JSON.stringify({ pid: process.pid, began: "long ago", address: HERE }));
    const all = await Promise.allSettled(Array.from({ length: 20 }, () => lockData(scratch.dir, HERE)));
    const got = all.filter((one): one is PromiseFulfilledResult<DataLock> => one.status === "fulfilled");
    expect(got).to.have.length(1);
    await got[0]?.value.release();
    expect(await readdir(scratch.dir)).to.deep.equal([]);
  });

  it("is not given to one who has looked before somebody else took it", async () => {
    await writeFile(path, "stale");
    const seen = await follow(path);
    const lock = await lockData(scratch.dir, HERE);
    const text = await readFile(path, "utf8");
    expect(await inherit(path, seen, "late")).to.equal(false);
    expect(await readFile(path, "utf8")).to.equal(text);
    await lock.release();
    expect(await readdir(scratch.dir)).to.deep.equal([]);
  });

  it("does not remove one that has meanwhile become somebody else's", async () => {
    const lock = await lockData(scratch.dir, HERE);
    await writeFile(path, JSON.stringify({ pid: 1, began: "then", address: HERE }));
    await lock.release();
    expect(await readdir(scratch.dir)).to.deep.equal(["parley.pid"]);
  });
});
