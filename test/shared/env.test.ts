import { readFileSync } from "node:fs";
import { expect } from "chai";
import { EnvError, envSchema, isLoopback, readEnv } from "../../src/shared/env.ts";

/** What is said about a wrong environment; nothing if it is right. */
function mistakesOf(source: NodeJS.ProcessEnv): EnvError | undefined {
  try {
    readEnv(source);
    return undefined;
  } catch (error) {
    if (error instanceof EnvError) return error;
    throw error;
  }
}

describe("the environment", () => {
  it("tells several mistakes at once, a line each", () => {
    const error = mistakesOf({ PORT: "http", LOG_LEVEL: "loud", QUEUE_NAME: "a:b", DATABASE_URL: "mysql://host/name" });
    const lines = error!.message.split("\n");
    expect(lines).to.have.length(1 + 4);
    expect(lines.slice(1).map((line) => line.trim().split(":")[0])).to.have.members([
      "PORT",
      "LOG_LEVEL",
      "QUEUE_NAME",
      "DATABASE_URL",
    ]);
  });

  it("takes FOO= for unset", () => {
    const empty = Object.fromEntries(Object.keys(envSchema.shape).map((name) => [name, ""]));
    expect(readEnv(empty)).to.deep.equal(readEnv({}));
  });

  it("cannot be changed once it is read", () => {
    expect(readEnv({})).to.be.frozen;
  });

  it("asks for a token unless told otherwise", () => {
    expect(readEnv({}).AUTH_MODE).to.equal("token");
  });
});

describe("demo mode", () => {
  it("is refused when NODE_ENV=production", () => {
    const error = mistakesOf({ AUTH_MODE: "demo", NODE_ENV: "production" });
    expect(error?.mistakes).to.deep.equal(["AUTH_MODE: demo mode is refused when NODE_ENV=production"]);
  });

  for (const HOST of ["0.0.0.0", "::", "192.168.1.7", "chat.example.com", "127.0.0.1.example.com"]) {
    it(`is refused on ${HOST}`, () => {
      expect(isLoopback(HOST)).to.equal(false);
      expect(mistakesOf({ AUTH_MODE: "demo", HOST })?.message).to.include("HOST: demo mode listens on loopback only");
      expect(mistakesOf({ AUTH_MODE: "token", HOST })).to.equal(undefined);
    });
  }

  for (const HOST of ["127.0.0.1", "127.8.8.8", "::1", "localhost"]) {
    it(`is allowed on ${HOST}`, () => {
      expect(mistakesOf({ AUTH_MODE: "demo", HOST })).to.equal(undefined);
    });
  }

  it("tells both mistakes at once", () => {
    const error = mistakesOf({ AUTH_MODE: "demo", NODE_ENV: "production", HOST: "0.0.0.0" });
    expect(error?.mistakes).to.have.length(2);
  });
});

describe(".env.example", () => {
  const lines = readFileSync(new URL("../../.env.example", import.meta.url), "utf8").split("\n");
  const settings = lines
    .map((line, i) => ({ line, above: lines[i - 1] ?? "" }))
    .filter(({ line }) => /^#? ?[A-Z_]+=/.test(line));
  const pairs = settings.map(({ line }) => line.replace(/^# ?/, "").split("=") as [string, string]);

  it("names every variable and no other", () => {
    expect(pairs.map(([name]) => name).sort()).to.deep.equal(Object.keys(envSchema.shape).sort());
  });

  it("says above each what it does", () => {
    for (const { line, above } of settings) expect(above, line).to.match(/^# \S/);
  });

  it("shows the defaults: taken as it is, it changes nothing", () => {
    expect(readEnv(Object.fromEntries(pairs))).to.deep.equal(readEnv({}));
  });
});
