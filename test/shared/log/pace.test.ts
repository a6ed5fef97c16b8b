import { expect } from "chai";
import { Pace } from "../../../src/shared/log/pace.ts";

describe("the pace of reading", () => {
  const paceAt = (busy: number) => {
    let now = 0;
    const pace = new Pace(
      () => busy,
      () => now,
    );
    return { pace, pass: (ms: number) => (now += ms) };
  };

  it("waits for nothing while there is time", () => {
    const { pace, pass } = paceAt(0.8);
    for (let i = 0; i < 10; i++) {
      expect(pace.waitMs).to.equal(0);
      pace.read();
      pass(100);
    }
  });

  it("leaves entries to gather when there is none: the less time, the longer", () => {
    const waits = [0.9, 0.95, 1].map((busy) => {
      const { pace, pass } = paceAt(busy);
      pass(200);
      pace.read();
      return Math.round(pace.waitMs);
    });
    expect(waits).to.deep.equal([20, 30, 40]);
  });

  it("counts from the read before, so that a first entry waits for nothing", () => {
    const { pace, pass } = paceAt(1);
    pass(200);
    expect(pace.waitMs).to.equal(0);
    pace.read();
    pass(15);
    expect(pace.waitMs).to.equal(25);
    pass(25);
    expect(pace.waitMs).to.equal(0);
  });

  it("does not take a moment's work for load", () => {
    const { pace, pass } = paceAt(1);
    pace.read();
    pass(100);
    expect(pace.waitMs).to.equal(0);
  });
});
