import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect } from "chai";
import { parse } from "yaml";
import { nodeFlags } from "../../src/api/node-flags.ts";
import { readEnv, settingNames } from "../../src/shared/env.ts";
import { instructions, isSent, text } from "./image.ts";

interface Service {
  readonly image?: string;
  readonly build?: string;
  readonly command?: readonly string[];
  readonly restart?: string;
  readonly environment?: Readonly<Record<string, string | number>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

const root = new URL("../../", import.meta.url);
const exists = (path: string): boolean => existsSync(new URL(path, root));

const source = text("docker-compose.yml");
/** As Compose reads it where no variable is set: each `${NAME:-default}` is its default. */
const { services, volumes } = parse(
  source,
  (_, value: unknown) =>
    typeof value === "string" ? value.replace(/\$\{\w+:-([^}]*)\}/g, (_, preset: string) => preset) : value,
  { merge: true },
) as Compose;
const named = Object.entries(services);
const ours = named.filter(([, { build }]) => build !== undefined);
/** Runs once and ends, as against staying up. */
const endsByItself = ({ restart }: Service): boolean => restart === "no";

describe("docker-compose.yml", () => {
  it("brings up Postgres, Redis, the migration, the API and the worker", () => {
    expect(services).to.include.all.keys("postgres", "redis", "migrate", "api", "worker");
    expect(ours.map(([name]) => name)).to.deep.equal(["migrate", "api", "worker"]);
  });

  it("needs no variable to be set", () => {
    expect(JSON.stringify({ services, volumes })).to.not.include("$");
  });

  for (const [name, service] of named) {
    describe(name, () => {
      it("has an image or is built", () => {
        expect([service.image, service.build].filter((from) => from !== undefined)).to.have.length(1);
      });

      it("stays up and says how it is, or ends by itself", () => {
        if (endsByItself(service)) return;
        expect(service.restart).to.equal("unless-stopped");
        expect(service.healthcheck?.test[0]).to.equal("CMD");
      });

      it("depends on services that exist and can be what is asked of them", () => {
        for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
          const needed = services[other];
          expect(needed, other).to.be.an("object");
          expect(condition, other).to.equal(
            endsByItself(needed!) ? "service_completed_successfully" : "service_healthy",
          );
        }
      });

      it("keeps its data in volumes that are declared", () => {
        for (const volume of service.volumes ?? []) expect(volumes).to.have.property(volume.split(":")[0]!);
      });

      it("is published on this machine only", () => {
        for (const port of service.ports ?? []) expect(port).to.match(/^127\.0\.0\.1:\d+:\d+$/);
      });
    });
  }

  for (const [name, { command, environment = {} }] of ours) {
    describe(`the process ${name}`, () => {
      it("is a file that exists", () => {
        expect(command?.[0]).to.equal("node");
        const script = command!.at(-1)!;
        expect(exists(script), script).to.equal(true);
      });

      it("is told nothing that no process reads", () => {
        expect(settingNames).to.include.members(Object.keys(environment));
      });

      it("accepts what it is told", () => {
        const told = Object.fromEntries(Object.entries(environment).map(([key, value]) => [key, String(value)]));
        const env = readEnv(told);
        expect(env).to.include({ NODE_ENV: "production", AUTH_MODE: "token" });
        expect(env.DATABASE_URL).to.be.a("string");
        expect(env.REDIS_URL).to.be.a("string");
      });
    });
  }

  it("the API listens where its port is published", () => {
    const { environment, ports } = services["api"]!;
    expect(environment).to.include({ HOST: "0.0.0.0" });
    expect(ports![0]!.split(":").at(-1)).to.equal(String(environment!["PORT"]));
  });

  it("what the API writes is kept in a volume that it may write to", () => {
    const { environment, volumes: mounts } = services["api"]!;
    const folder = String(environment!["DATA_DIR"]);
    expect(mounts!.map((mount) => mount.split(":")[1])).to.deep.equal([folder]);
    expect(instructions("RUN")).to.include(`install --directory --owner=node --group=node ${folder}`);
  });

  for (const [name, port, path] of [
    ["api", "PORT", "/healthz"],
    ["worker", "WORKER_PORT", "/readyz"],
  ] as const) {
    it(`the health of the ${name} is asked for where it listens`, () => {
      const { environment, healthcheck } = services[name]!;
      expect(healthcheck!.test.at(-1)).to.include(`"http://127.0.0.1:${environment![port]}${path}"`);
    });
  }

  it("Redis keeps what it takes, and refuses what it cannot hold", () => {
    const command = services["redis"]!.command!;
    const optionOf = (option: string): string | undefined => command[command.indexOf(option) + 1];
    expect(optionOf("--appendonly")).to.equal("yes");
    expect(optionOf("--maxmemory-policy")).to.equal("noeviction");
    expect(services["redis"]!.volumes!.join()).to.match(/:\/data$/);
  });

  it("Postgres keeps its data where the image of its version puts them", () => {
    const { image, volumes: mounts } = services["postgres"]!;
    const major = Number(/^postgres:(\d+)/.exec(image!)?.[1]);
    const folder = major >= 18 ? "/var/lib/postgresql" : "/var/lib/postgresql/data";
    expect(mounts!.map((mount) => mount.split(":")[1])).to.deep.equal([folder]);
  });
});

describe("Dockerfile", () => {
  /** What comes from this folder, and not from another stage. */
  const copied = instructions("COPY")
    .filter((line) => !line.startsWith("--from"))
    .flatMap((line) => line.split(/ +/).slice(0, -1));

  it("copies files that exist and that .dockerignore lets in", () => {
    expect(copied).to.include.members(["package.json", "package-lock.json", "src"]);
    for (const path of copied) {
      expect(exists(path), path).to.equal(true);
      expect(isSent(path), path).to.equal(true);
    }
  });

  it("gets everything that the processes and commands in it import", () => {
    const commands = ["api/main", "worker/main", "migrate", "admin", "jobs", "backup", "restore"];
    const files = new Set(commands.map((name) => `src/${name}.ts`));
    // Grows while it is walked through.
    for (const file of files) {
      const imports = text(file).matchAll(/^(?:import|export) (?!type)[^;]*? from "(\.[^"]+)"/gm);
      for (const [, to] of imports) files.add(join(dirname(file), to!));
    }
    expect(files.size).to.be.greaterThan(150);
    expect([...files].filter((file) => !isSent(file))).to.deep.equal([]);
  });

  it("never sees secrets, data, history, tests or packages of this machine", () => {
    for (const path of ["src/api/main.ts", "src/web/index.html", "src/shared/db/migrations/001-core.ts"]) {
      expect(isSent(path), path).to.equal(true);
    }
    for (const path of [
      ".env",
      ".env.production",
      "src/.env",
      "src/api/.npmrc",
      "src/api/debug.log",
      ".data/auth-secret",
      ".git/config",
      ".npmrc",
      "node_modules/koa/package.json",
      "dist/web/index.html",
      "docs/architecture.md",
      "seeds/main.ts",
      "src/local/run.ts",
      "src/start.ts",
      "test/run.ts",
    ]) {
      expect(isSent(path), path).to.equal(false);
    }
  });

  it("is given no secret: none is named in it", () => {
    const names = settingNames.filter((name) => /(SECRET|TOKEN|PASSWORD|URL)(_FILE)?$/.test(name));
    expect(names).to.include("AUTH_SECRET");
    const told = [...instructions("ARG"), ...instructions("ENV"), ...instructions("RUN")].join("\n");
    expect(names.filter((name) => told.includes(name))).to.deep.equal([]);
  });

  it("runs no script of a package, and keeps nothing that installs packages", () => {
    const installs = instructions("RUN").filter((line) => line.includes("npm ci"));
    expect(installs).to.have.length(2);
    for (const line of installs) expect(line).to.include("--ignore-scripts");
    expect(installs[0]).to.include("--omit=dev");
    const removed = instructions("RUN").find((line) => line.startsWith("rm -rf /usr/local"))!;
    expect(removed.split(/ +/)).to.include.members(["/usr/local/lib/node_modules", "/usr/local/bin/npm"]);
  });

  it("says what it is, in the version that package.json has", () => {
    const labels = instructions("LABEL").map((line) => line.replace("org.opencontainers.image.", ""));
    const { version } = JSON.parse(text("package.json")) as { version: string };
    expect(labels).to.include.members([`version="${version}"`, 'licenses="MIT"', 'title="Parley"']);
  });

  it("has the chat page as it is built in a stage of its own", () => {
    expect(instructions("COPY")).to.include("--from=page /app/dist ./dist");
    expect(instructions("RUN")).to.include("node src/web/build/main.ts --tell");
    expect(exists("src/web/build/main.ts")).to.equal(true);
  });

  it("takes the Node that npm brings elsewhere", () => {
    const { dependencies } = JSON.parse(text("package.json")) as { dependencies: { node: string } };
    expect(instructions("ARG")).to.deep.equal([`NODE=node:${dependencies.node}-trixie-slim`]);
    for (const image of instructions("FROM")) expect(image).to.match(/^\$\{NODE\}( AS \w+)?$/);
  });

  it("runs the API as Node is told to everywhere", () => {
    const command = ["node", ...nodeFlags, "src/api/main.ts"];
    const { scripts } = JSON.parse(text("package.json")) as { scripts: { api: string } };
    expect(scripts.api.split(" ")).to.deep.equal(command);
    expect(JSON.parse(instructions("CMD").at(-1)!)).to.deep.equal(command);
    expect(services["api"]!.command).to.deep.equal(command);
  });

  it("does not run as root, and is stopped by the signal that processes listen to", () => {
    expect(instructions("USER").at(-1)).to.equal("node");
    expect(instructions("STOPSIGNAL")).to.deep.equal(["SIGTERM"]);
  });
});
