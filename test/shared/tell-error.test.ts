import { expect } from "chai";
import { Redis } from "ioredis";
import { tellError } from "../../src/shared/tell-error.ts";
import { hasRedis, services } from "../services.ts";

const SECRET = "nobody-may-read-this";
const caught = (work: () => unknown): unknown => {
  try {
    return work();
  } catch (error) {
    return error;
  }
};

describe("an error in the log", () => {
  it("says what it is, where, by which code and constraint, and why", () => {
    const cause = Object.assign(new RangeError("too far"), { code: "23505", constraint: "users_email_unique" });
    const told = Object(tellError(new TypeError("not so", { cause })));
    expect(told).to.include({ type: "TypeError", message: "not so" });
    expect(told["stack"]).to.match(/^ {4}at .*tell-error\.test\.ts/);
    expect(told["cause"]).to.deep.include({ type: "RangeError", code: "23505", constraint: "users_email_unique" });
  });

  it("has no address's password in it, nor the address that could not be read", () => {
    const unreadable = caught(() => new URL(`postgres://parley:${SECRET}@db:99999/x`));
    expect(unreadable).to.have.property("input").that.includes(SECRET);
    const said = new Error(`no answer from redis://:${SECRET}@cache:6379/0 in time`);
    for (const error of [unreadable, said, `redis://:${SECRET}@cache`]) {
      expect(JSON.stringify(tellError(error))).to.not.include(SECRET);
    }
    expect(tellError(said)).to.include({ message: "no answer from redis://***@cache:6379/0 in time" });
  });

  it("has no command of Redis in it, with what people wrote", async function () {
    if (!hasRedis()) return this.skip();
    const redis = new Redis(services().redisUrl!);
    const error = await redis.call("evalsha", SECRET, "0").catch((cause: unknown) => cause);
    redis.disconnect();
    expect(JSON.stringify(error)).to.include(SECRET);
    expect(JSON.stringify(tellError(error)))
      .to.include("NOSCRIPT")
      .and.not.include(SECRET);
  });

  it("ends where causes go round in a circle", () => {
    const error = new Error("round and round");
    error.cause = error;
    expect(JSON.stringify(tellError(error)).length).to.be.below(20_000);
  });
});
