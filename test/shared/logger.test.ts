import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { expect } from "chai";
import { freshDatabase } from "../services.ts";

describe("the log of a process", function () {
  this.timeout(30_000);
  let database: Awaited<ReturnType<typeof freshDatabase>>;
  let full: number;
  before(async () => {
    database = await freshDatabase();
    full = openSync("/dev/full", "w");
  });
  after(async () => {
    closeSync(full);
    await database.drop();
  });

  for (const [what, log] of [
    ["whoever read it has gone", () => "pipe" as const],
    ["the disk that it goes to is full", () => full],
  ] as const) {
    it(`keeps it from nothing, and not from its end, when ${what}`, async () => {
      const env = { PATH: process.env["PATH"], DATABASE_URL: database.url };
      const child = spawn(process.execPath, ["src/worker/main.ts"], {
        env,
        stdio: ["ignore", log(), "inherit", "ipc"],
      });
      const exited = once(child, "exit");
      const ready = once(child, "message");
      // All that was said so far is read: what it says at its end is what nobody takes.
      if (child.stdout) for (let said = ""; !said.includes("takes jobs"); said += await once(child.stdout, "data"));
      await ready;
      child.stdout?.destroy();
      child.kill("SIGTERM");
      const stuck = setTimeout(() => child.kill("SIGKILL"), 15_000);
      expect(await exited).to.deep.equal([0, null]);
      clearTimeout(stuck);
    });
  }
});
