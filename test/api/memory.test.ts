import { expect } from "chai";
import { Memory } from "../../src/api/memory.ts";

describe("what the API remembers", () => {
  it("does not keep what was forgotten while it was being loaded", async () => {
    const loads: ((value: string) => void)[] = [];
    const memory = new Memory<number, string>(() => new Promise((resolve) => loads.push(resolve)));
    const early = memory.get(1);
    memory.forget(1);
    loads[0]!("read before the change");
    expect(await early).to.equal("read before the change");
    const late = memory.get(1);
    expect(loads).to.have.length(2);
    loads[1]!("read after the change");
    expect(await late).to.equal("read after the change");
    expect(await memory.get(1)).to.equal("read after the change");
    expect(loads).to.have.length(2);
  });

  it("loads once for all who ask at the same time, and again after a failure", async () => {
    let loads = 0;
    const memory = new Memory<number, string>(async () => {
      if (++loads === 1) throw new Error("away");
      return "here";
    });
    const both = await Promise.allSettled([memory.get(1), memory.get(1)]);
    expect(both.map(({ status }) => status)).to.deep.equal(["rejected", "rejected"]);
    expect(loads).to.equal(1);
    expect(await memory.get(1)).to.equal("here");
  });
});
