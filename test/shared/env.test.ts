import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { EnvError, isLoopback, readEnv, settingNames } from "../../src/shared/env.ts";

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

  it("refuses a database whose address can't be read, and takes every way to write one that can", () => {
    const host = "db.example.org:5432/parley";
    for (const password of ["a/b", "a#b", "a%b", "a?b"]) {
      const error = mistakesOf({ DATABASE_URL: `postgres://parley:${password}@${host}` });
      expect(error?.mistakes, password).to.have.length(1);
      expect(error!.message).to.include("DATABASE_URL: can't be read").and.not.include(password);
      const written = `postgres://parley:${encodeURIComponent(password)}@${host}`;
      expect(readEnv({ DATABASE_URL: written }).DATABASE_URL).to.equal(written);
    }
    for (const url of ["postgres://u:p@h:99999/n", "postgres://u:p@[h/n"]) {
      expect(mistakesOf({ DATABASE_URL: url })?.mistakes, url).to.have.length(1);
    }
    const sockets = ["postgres://u:p@/n?host=/var/run/postgresql", "postgresql:///n?host=/run", "postgres://%2Frun/n"];
    for (const url of sockets) expect(readEnv({ DATABASE_URL: url }).DATABASE_URL).to.equal(url);
  });

  it("takes FOO= for unset, and blanks alone", () => {
    for (const nothing of ["", " ", "\n"]) {
      const empty = Object.fromEntries(settingNames.map((name) => [name, nothing]));
      expect(readEnv(empty)).to.deep.equal(readEnv({}));
    }
  });

  it("takes several replicas, each of which must be an address", () => {
    const two = "postgres://a:b@one/parley, postgres://a:b@two/parley";
    expect(readEnv({ DATABASE_REPLICA_URL: two }).DATABASE_REPLICA_URL).to.deep.equal(two.split(", "));
    expect(mistakesOf({ DATABASE_REPLICA_URL: `${two},mysql://three` })?.mistakes).to.deep.equal([
      "DATABASE_REPLICA_URL.2: must look like postgres://user:password@host:5432/name",
    ]);
    expect(mistakesOf({ DATABASE_REPLICA_URL: " , " })?.mistakes).to.deep.equal([
      "DATABASE_REPLICA_URL: must be one address or several with commas between",
    ]);
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

describe("a secret in a file", () => {
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "parley-secrets-"));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  const secret = "a-secret-that-nobody-may-read-here";
  const address = `postgres://parley:${secret}@db.example.org:5432/parley`;
  /** The path of a file that holds this. */
  const fileOf = (content: string): string => {
    const path = join(folder, String(readdirSync(folder).length));
    writeFileSync(path, content);
    return path;
  };

  it("is what the file holds, without the new line at its end", () => {
    for (const end of ["", "\n", "\r\n"]) {
      const files = { AUTH_SECRET_FILE: fileOf(secret + end), DATABASE_URL_FILE: fileOf(address + end) };
      expect(readEnv(files)).to.deep.include({ AUTH_SECRET: [secret], DATABASE_URL: address });
    }
  });

  it("is possible for every setting that holds one, and for no other", () => {
    const files = settingNames.filter((name) => name.endsWith("_FILE"));
    expect(files).to.include.members(["AUTH_SECRET_FILE", "DATABASE_URL_FILE", "REDIS_URL_FILE"]);
    expect(files.filter((name) => !/(SECRET|TOKEN|URL)_FILE$/.test(name))).to.deep.equal([]);
    expect(readEnv({ PORT_FILE: fileOf("1") }).PORT).to.equal(readEnv({}).PORT);
  });

  it("may not be given in both ways", () => {
    const error = mistakesOf({ AUTH_SECRET: secret, AUTH_SECRET_FILE: fileOf(secret) });
    expect(error?.mistakes).to.deep.equal(["AUTH_SECRET_FILE: AUTH_SECRET is set as well; one of the two is enough"]);
  });

  it("that is not there, can't be read or is empty is told with its path, all at once", () => {
    const [missing, empty] = [join(folder, "missing"), fileOf("\n")];
    const error = mistakesOf({
      AUTH_SECRET_FILE: missing,
      DATABASE_URL_FILE: folder,
      REDIS_URL_FILE: empty,
      PORT: "http",
    });
    expect(error?.mistakes.slice(0, 3)).to.deep.equal([
      `AUTH_SECRET_FILE: ${missing} can't be read (ENOENT)`,
      `DATABASE_URL_FILE: ${folder} can't be read (EISDIR)`,
      `REDIS_URL_FILE: ${empty} is empty`,
    ]);
    expect(error?.mistakes[3]).to.match(/^PORT: /);
  });

  it("is not told where it is wrong, in a file or out of it", () => {
    for (const wrong of ["short", "mysql://parley:short@db.example.org/parley", "redis//short", "http://short:short"]) {
      for (const name of settingNames.filter((one) => one.endsWith("_FILE"))) {
        for (const source of [{ [name]: fileOf(wrong) }, { [name.replace("_FILE", "")]: wrong }]) {
          expect(mistakesOf(source)?.message ?? "", name).to.not.include("short");
        }
      }
    }
  });
});

describe(".env.example", () => {
  const lines = readFileSync(new URL("../../.env.example", import.meta.url), "utf8").split("\n");
  const settings = lines
    .map((line, i) => ({ line, above: lines[i - 1] ?? "" }))
    .filter(({ line }) => /^#? ?[A-Z_]+=/.test(line));
  const pairs = settings.map(({ line }) => line.replace(/^# ?/, "").split("=") as [string, string]);

  it("names every variable and no other", () => {
    expect(pairs.map(([name]) => name).sort()).to.deep.equal([...settingNames].sort());
  });

  it("says above each what it does", () => {
    for (const { line, above } of settings) expect(above, line).to.match(/^# \S/);
  });

  it("shows the defaults: taken as it is, it changes nothing", () => {
    expect(readEnv(Object.fromEntries(pairs))).to.deep.equal(readEnv({}));
  });
});

describe("the settings in README.md", () => {
  const page = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
  const rows = [...page.matchAll(/^\| (`[A-Z_]+`(?:, `[A-Z_]+`)*) \| (.+?) \|/gm)].map(([, names, defaults]) => ({
    names: [...names!.matchAll(/[A-Z_]+/g)].map(([name]) => name),
    defaults: [...defaults!.matchAll(/`([^`]+)`/g)].map(([, preset]) => preset!),
  }));

  it("are every variable and no other, each once", () => {
    expect(rows.flatMap(({ names }) => names).sort()).to.deep.equal([...settingNames].sort());
  });

  it("have the defaults that they have", () => {
    const env: Record<string, unknown> = readEnv({});
    for (const { names, defaults } of rows) {
      if (names.length !== defaults.length || names.some((name) => env[name] === undefined)) continue;
      expect(names.map((name) => String(env[name]))).to.deep.equal(defaults);
    }
  });
});
