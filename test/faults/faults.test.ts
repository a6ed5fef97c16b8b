import { expect } from "chai";
import { hasRedis } from "../services.ts";
import { faults } from "./trial/faults.ts";
import { Servers } from "./trial/servers.ts";
import { complaints, runTrial } from "./trial/trial.ts";

/** `FAULTS_SEED` repeats an earlier run; `npm run test:faults` runs all faults, and for longer. */
const seed = Number(process.env["FAULTS_SEED"] ?? Math.ceil(Math.random() * 2 ** 31));
const SENDS = 300;
const SELECTION = ["Redis killed", "Postgres killed"];

describe("nothing is lost and nothing comes twice", () => {
  let servers: Servers;
  before(async function () {
    if (!hasRedis()) return this.skip();
    this.timeout(30_000);
    servers = await Servers.start();
  });
  after(() => servers?.stop());

  for (const fault of faults.filter(({ name }) => SELECTION.includes(name))) {
    it(`with ${fault.name}: ${fault.what} (FAULTS_SEED=${seed})`, async () => {
      const verdict = await runTrial({ servers, fault, carrier: "redis", seed, sends: SENDS });
      expect(complaints(verdict)).to.deep.equal([]);
      expect(verdict).to.include({ accepted: SENDS, stored: SENDS });
    }).timeout(60_000);
  }
});
