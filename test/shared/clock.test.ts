import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { SharedClock } from "../../src/shared/clock.ts";

/** A store whose clock is this one's, and which takes so long on the way to it and back. */
const away = (ms: { there: number; back: number }) => async (): Promise<number> => {
  await sleep(ms.there);
  const now = performance.now();
  await sleep(ms.back);
  return now;
};

describe("the shared clock", () => {
  it("does not believe an answer that was long on its way when it knows better", async () => {
    const way = { there: 0, back: 0 };
    const clock = new SharedClock(away(way));
    await clock.measure();
    way.back = 60;
    await clock.measure();
    expect(Math.abs(clock.now() - performance.now())).to.be.below(15);
  });

  it("believes the quickest of several answers when it knows nothing yet", async () => {
    let asked = 0;
    const clock = new SharedClock(() => away({ there: 0, back: asked++ === 2 ? 0 : 60 })());
    await clock.measure();
    expect(Math.abs(clock.now() - performance.now())).to.be.below(15);
  });

  it("follows the store when its time moves and its answers are as quick as before", async () => {
    let ahead = 0;
    const clock = new SharedClock(async () => performance.now() + ahead);
    await clock.measure();
    ahead = 5_000;
    for (let i = 0; i < 3; i++) await clock.measure();
    expect(clock.now() - performance.now()).to.be.within(4_900, 5_100);
  });
});
