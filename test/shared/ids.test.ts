import { expect } from "chai";
import { validate, version } from "uuid";
import { createIds, timeOfId } from "../../src/shared/ids.ts";

describe("ids", () => {
  it("are version 7, and tell when they were made", () => {
    const id = createIds(() => 1_795_180_950_000)();
    expect(validate(id)).to.equal(true);
    expect(version(id)).to.equal(7);
    expect(timeOfId(id).getTime()).to.equal(1_795_180_950_000);
  });

  it("grow from one to the next, a hundred thousand times within one millisecond and with the clock stepping back", () => {
    let ms = 1_795_180_950_000;
    const newId = createIds(() => ms);
    let last = "";
    for (let i = 0; i < 100_000; i++) {
      if (i === 50_000) ms -= 3_600_000;
      const id = newId();
      expect(id > last, `${id} after ${last}`).to.equal(true);
      last = id;
    }
    ms += 7_200_000;
    expect(timeOfId(newId()).getTime()).to.equal(ms);
  });
});
