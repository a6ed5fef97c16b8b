import { expect } from "chai";
import { parseRedisUrl, tellPlace } from "../../../src/shared/backend/redis-url.ts";
import { EnvError, readEnv } from "../../../src/shared/env.ts";

function mistakesIn(REDIS_URL: string): readonly string[] {
  try {
    readEnv({ REDIS_URL });
    return [];
  } catch (error) {
    return (error as EnvError).mistakes;
  }
}

describe("REDIS_URL", () => {
  it("names one server as it always did", () => {
    for (const url of ["redis://localhost", "redis://:secret@10.0.0.1:6380/2", "rediss://u:p@redis.example.org:6379"]) {
      expect(mistakesIn(url)).to.deep.equal([]);
      expect(parseRedisUrl(url)).to.deep.equal({ kind: "one", url });
    }
  });

  it("names nodes of a cluster, with what opens them and with TLS", () => {
    expect(parseRedisUrl("redis+cluster://a:7000,b,[::1]:7002")).to.deep.equal({
      kind: "cluster",
      nodes: [
        { host: "a", port: 7_000 },
        { host: "b", port: 6_379 },
        { host: "::1", port: 7_002 },
      ],
      tls: false,
    });
    expect(parseRedisUrl("rediss+cluster://ann:p%40ss%3Aw%2Frd@a:7000")).to.deep.equal({
      kind: "cluster",
      nodes: [{ host: "a", port: 7_000 }],
      username: "ann",
      password: "p@ss:w/rd",
      tls: true,
    });
  });

  it("names Sentinels and the master that they watch, and what opens either", () => {
    expect(parseRedisUrl("redis+sentinel://:secret@a,b:26380/my.master-1")).to.deep.equal({
      kind: "sentinel",
      sentinels: [
        { host: "a", port: 26_379 },
        { host: "b", port: 26_380 },
      ],
      master: "my.master-1",
      password: "secret",
      tls: false,
    });
    const url = "rediss+sentinel://a:1/m?sentinelUsername=watch&sentinelPassword=w%26tch";
    expect(parseRedisUrl(url)).to.include({ sentinelUsername: "watch", sentinelPassword: "w&tch", tls: true });
  });

  for (const [url, ...said] of [
    ["http://localhost", "must look like redis://host:6379, redis+cluster://"],
    ["redis+ring://a", "must look like redis://host:6379, redis+cluster://"],
    ["redis+cluster://a b", "must look like"],
    ["redis://a:6379,b:6379", "names several servers: that is redis+cluster:// or redis+sentinel://"],
    ["redis://a:99999", "can't be read as an address"],
    ["redis://[::1", "can't be read as an address"],
    ["redis://a/main", "its path must be the number of a database, as in /0"],
    ["redis+cluster://", "names a server that is empty"],
    ["redis+cluster://a:1,,b", "names a server that is empty"],
    ["redis+cluster://a:0", "a:0 is not host:port"],
    ["redis+cluster://a:99999,b:x", "a:99999 is not host:port", "b:x is not host:port"],
    ["redis+cluster://a/2", "a cluster has one database and no name: /2 means nothing"],
    ["redis+cluster://a?family=6", "a cluster takes no options: ?family means nothing"],
    ["redis+sentinel://a:1", "must end with the name by which the Sentinels know the master"],
    ["redis+sentinel://a:1,b:/", "b: is not host:port", "must end with the name"],
    ["redis+sentinel://a/m?password=x", "?password: there is only sentinelUsername and sentinelPassword"],
    ["redis+cluster://:1%@a/2", "the user or the password has a % that is no %XX", "a cluster has one database"],
  ] as const) {
    it(`is told what is wrong with ${url}: ${said.join("; ")}`, () => {
      const mistakes = mistakesIn(url);
      expect(mistakes).to.have.length(said.length);
      for (const [i, words] of said.entries()) expect(mistakes[i]).to.include(`REDIS_URL: ${words}`);
    });
  }

  it("is told beside all other mistakes, and never with its password", () => {
    const error = (() => {
      try {
        return readEnv({ REDIS_URL: "redis+cluster://:top-secret@a:0/1?x=top-secret", QUEUE_SHARDS: "65" });
      } catch (cause) {
        return cause as EnvError;
      }
    })() as EnvError;
    expect(error).to.be.instanceOf(EnvError);
    expect(error.mistakes.map((line) => line.split(":")[0])).to.deep.equal([
      "REDIS_URL",
      "REDIS_URL",
      "REDIS_URL",
      "QUEUE_SHARDS",
    ]);
    expect(error.message).to.not.include("top-secret");
  });

  it("is not shown where a password ends it too soon", () => {
    for (const scheme of ["redis", "redis+cluster", "redis+sentinel"]) {
      for (const password of ["12/secret", "top/secret", "12?secret", "top?secret"]) {
        const mistakes = mistakesIn(`${scheme}://ann:${password}@a:6379`);
        expect(mistakes, `${scheme} ${password}`).to.have.length(1);
        expect(mistakes[0])
          .to.include("can't be read as an address")
          .and.not.match(/secret|12|top/);
      }
    }
    for (const password of ["12#secret", "%secret"]) {
      expect(mistakesIn(`redis://ann:${password}@a`)[0]).to.include("can't be read as an address");
    }
  });

  it("is shown without user and password", () => {
    const shown = [
      "redis://ann:secret@a:6380/2",
      "redis+cluster://ann:secret@a,b:1",
      "redis+sentinel://ann:secret@a/m?sentinelPassword=secret",
    ].map((url) => tellPlace(parseRedisUrl(url)));
    expect(shown).to.deep.equal(["a:6380/2", "the cluster at a:6379, b:1", "m of the Sentinels at a:26379"]);
  });
});
