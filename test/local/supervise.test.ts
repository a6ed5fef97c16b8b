import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { type Part, startPart } from "../../src/local/part.ts";
import { type Backoff, type Supervised, supervise } from "../../src/local/supervise.ts";
import { isAlive, makeScratch, processesWith, rejection, type Scratch, until } from "./scratch.ts";

const READY = `process.send({ type: "ready", url: "http://here" });`;
const STAY = "setInterval(() => {}, 1000);";
const STUBBORN = `process.on("SIGTERM", () => {});`;

// A short life and short pauses: what is looked at is their order.
const backoff: Backoff = { firstMs: 10, mostMs: 40, goodLifeMs: 60_000 };

describe("the supervision of a part", function () {
  this.timeout(20_000);
  let scratch: Scratch;
  let told: string[];
  let kept: Supervised<Part> | undefined;

  const keep = async (code: string, more: Partial<Backoff> = {}, signal = new AbortController().signal) => {
    const path = await script("part.ts", code);
    kept = await supervise<Part>({
      name: "worker",
      signal,
      tell: (line) => told.push(line),
      backoff: { ...backoff, ...more },
      start: (over) => startPart({ name: "worker", path, env: process.env, signal: over }),
    });
    return kept;
  };
  const script = async (name: string, code: string): Promise<string> => {
    await writeFile(join(scratch.dir, name), code);
    return join(scratch.dir, name);
  };
  const restarts = () => told.filter((line) => line.startsWith("Starting"));

  beforeEach(async () => {
    scratch = await makeScratch();
    told = [];
    kept = undefined;
  });
  afterEach(async () => {
    await kept?.stop(0);
    expect(await processesWith(scratch.dir)).to.deep.equal([]);
    await scratch.remove();
  });

  it("waits for the part to say that it serves, and where", async () => {
    const { current } = await keep(READY + STAY);
    expect(current.url).to.equal("http://here");
    expect(await isAlive(current.pid)).to.equal(true);
  });

  it("starts a part again that was killed, says so, and the new one serves", async () => {
    const worker = await keep(READY + STAY);
    const first = worker.current.pid;
    process.kill(first, "SIGKILL");
    await until(() => told.includes("worker runs again"));
    expect(told).to.deep.equal(["Starting worker again in 0.01 s: it ended (SIGKILL)", "worker runs again"]);
    expect(worker.current.pid).to.not.equal(first);
    expect(await isAlive(worker.current.pid)).to.equal(true);
  });

  it("waits twice as long after each early death, up to a limit", async () => {
    await keep(`${READY} setTimeout(() => process.exit(3), 1);`);
    await until(() => restarts().length >= 4);
    expect(restarts().slice(0, 4)).to.deep.equal(
      ["0.01", "0.02", "0.04", "0.04"].map((pause) => `Starting worker again in ${pause} s: it ended (exit code 3)`),
    );
  });

  it("begins with the short pause again after a good life", async () => {
    await keep(`${READY} setTimeout(() => process.exit(3), 1);`, { goodLifeMs: 0 });
    await until(() => restarts().length >= 3);
    expect(restarts().every((line) => line.includes("again in 0.01 s"))).to.equal(true);
  });

  it("goes on trying when a later start fails, and tells why it failed", async () => {
    const worker = await keep(READY + STAY);
    await script("part.ts", `console.error("no memory left"); process.exit(4);`);
    process.kill(worker.current.pid, "SIGKILL");
    await until(() => told.length >= 2);
    expect(told[1]).to.equal(
      "Starting worker again in 0.02 s: worker did not start (exit code 4):\n  | no memory left",
    );
    await script("part.ts", READY + STAY);
    await until(() => told.includes("worker runs again"));
  });

  it("does not try again when the very first start fails, and tells its last words", async () => {
    const words = `for (let i = 1; i <= 40; i++) console.error("line " + i); process.exit(3);`;
    const error = await rejection(keep(words));
    expect(error.message).to.match(
      /^worker did not start \(exit code 3\):\n {2}\| line 26\n( {2}\| line \d+\n){13} {2}\| line 40$/,
    );
    expect(told).to.deep.equal([]);
  });

  it("ends a part that does not heed SIGTERM when its time is over, and does not start it again", async () => {
    const worker = await keep(STUBBORN + READY + STAY);
    await worker.stop(50);
    expect(await worker.current.exited).to.deep.equal({ code: null, signal: "SIGKILL" });
    expect(told).to.deep.equal([]);
  });

  it("lets a part that heeds SIGTERM finish first", async () => {
    const finish = `process.on("SIGTERM", () => setTimeout(() => process.exit(0), 50));`;
    const worker = await keep(finish + READY + STAY);
    await worker.stop(10_000);
    expect(await worker.current.exited).to.deep.equal({ code: 0, signal: null });
  });

  it("a stop during the pause before a restart is a stop", async () => {
    const worker = await keep(READY + STAY, { firstMs: 60_000 });
    process.kill(worker.current.pid, "SIGKILL");
    await until(() => told.length === 1);
    await worker.stop();
    expect(told).to.have.length(1);
  });

  it("a stop while the part starts again ends that start", async () => {
    const worker = await keep(READY + STAY);
    await script("part.ts", STAY); // never says that it serves
    process.kill(worker.current.pid, "SIGKILL");
    await until(async () => (await processesWith(join(scratch.dir, "part.ts"))).length > 0);
    await worker.stop();
    expect(await processesWith(scratch.dir)).to.deep.equal([]);
  });

  it("a first start that is called off leaves no process", async () => {
    const calledOff = new AbortController();
    const starting = rejection(keep(STAY, {}, calledOff.signal));
    await until(async () => (await processesWith(join(scratch.dir, "part.ts"))).length > 0);
    calledOff.abort();
    await starting;
    expect(await processesWith(scratch.dir)).to.deep.equal([]);
  });
});
