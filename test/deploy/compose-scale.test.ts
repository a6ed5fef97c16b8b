import { existsSync, readFileSync } from "node:fs";
import { expect } from "chai";
import { parse } from "yaml";
import { nodeFlags } from "../../src/api/node-flags.ts";
import { readEnv, settingNames } from "../../src/shared/env.ts";
import { composeMistakes, readCompose, type Service } from "./manifests/compose-file.ts";

const root = new URL("../../", import.meta.url).pathname;
const path = `${root}deploy/compose.scale.yml`;
const needed = { AUTH_SECRET: "x".repeat(32), POSTGRES_PASSWORD: "secret1", REPLICATION_PASSWORD: "secret2" };

it("docker-compose.yml fits the schema of the Compose Specification", () => {
  expect(composeMistakes(readCompose(`${root}docker-compose.yml`))).to.deep.equal([]);
});

describe("deploy/compose.scale.yml", () => {
  const file = readCompose(path, needed);
  const { services, volumes } = file;
  const named = Object.entries(services);
  const ours = named.filter(([, { build }]) => build !== undefined);
  const service = (name: string): Service => services[name] ?? expect.fail(`no service is called ${name}`);
  const toldTo = (name: string): Record<string, string> =>
    Object.fromEntries(Object.entries(service(name).environment!).map(([key, value]) => [key, String(value)]));
  const envOf = (name: string) => readEnv(toldTo(name));
  /** What is mounted from this repository, and where. */
  const mounts = ({ volumes: all = [] }: Service): [string, string][] =>
    all.filter((one) => one.startsWith("./")).map((one) => one.split(":").slice(0, 2) as [string, string]);

  it("fits the schema of the Compose Specification", () => {
    expect(composeMistakes(file)).to.deep.equal([]);
    expect(JSON.stringify(file)).to.not.include("${");
  });

  for (const name of Object.keys(needed)) {
    it(`does not start without ${name}`, () => {
      expect(() => readCompose(path, { ...needed, [name]: "" })).to.throw(name);
    });
  }

  it("has several APIs and workers, which publish no port and keep no data, so that there may be any number", () => {
    for (const name of ["api", "worker"]) {
      expect(service(name).deploy!.replicas).to.be.above(1);
      expect(service(name)).to.not.have.any.keys("ports", "volumes");
    }
  });

  for (const [name, one] of named) {
    describe(name, () => {
      it("has an image with a version or is built, stays up and says how it is, or ends by itself", () => {
        if (one.image !== undefined) expect(one.image).to.match(/:v?\d[\w.-]*$/);
        else expect(one.build).to.equal("..");
        if (one.restart === "no") return;
        expect(one.restart).to.equal("unless-stopped");
        expect(one.healthcheck!.test[0]).to.equal("CMD");
      });

      it("writes nowhere but to its volumes, and is seen on this machine only", () => {
        expect(one.read_only).to.equal(true);
        for (const port of one.ports ?? []) expect(port).to.match(/^127\.0\.0\.1:\d+:\d+$/);
        for (const volume of one.volumes ?? []) {
          if (!volume.startsWith("./")) expect(volumes).to.have.property(volume.split(":")[0]!);
          else expect(volume).to.match(/:ro$/);
        }
      });

      it("depends on services that exist and can be what is asked of them", () => {
        for (const [other, { condition }] of Object.entries(one.depends_on ?? {})) {
          const ends = service(other).restart === "no";
          expect(condition, other).to.equal(ends ? "service_completed_successfully" : "service_healthy");
        }
      });

      it("is given files that exist, and starts those that it is given", () => {
        for (const [from, to] of mounts(one)) {
          expect(existsSync(`${root}deploy/${from}`), from).to.equal(true);
          const script = one.entrypoint?.find((word) => word.startsWith("/parley/"));
          if (to.startsWith("/parley/")) expect(script).to.equal(to);
        }
      });
    });
  }

  for (const [name, { command }] of ours) {
    it(`${name} is a file that exists, and accepts what it is told, which is nothing that no process reads`, () => {
      expect(existsSync(root + command!.at(-1)!), command!.at(-1)).to.equal(true);
      expect(settingNames).to.include.members(Object.keys(toldTo(name)));
      expect(envOf(name)).to.include({ NODE_ENV: "production", AUTH_MODE: "token" });
    });
  }

  it("the API is started as it is everywhere, listens where nginx asks, and believes nginx", () => {
    const { PORT, HOST, TRUST_PROXY } = envOf("api");
    expect(service("api").command).to.deep.equal(["node", ...nodeFlags, "src/api/main.ts"]);
    expect({ HOST, TRUST_PROXY }).to.deep.equal({ HOST: "0.0.0.0", TRUST_PROXY: true });
    const upstream = readFileSync(`${root}deploy/nginx/upstream.conf`, "utf8");
    const servers = [...upstream.matchAll(/^ *server (\S+)/gm)].map(([, server]) => server);
    expect(new Set(servers)).to.deep.equal(new Set([`api:${PORT}`]));
  });

  it("nginx listens where its port is published, and reads the folder that it is given", () => {
    const { ports, entrypoint } = service("nginx");
    const listen = readFileSync(`${root}deploy/nginx/listen.conf`, "utf8");
    expect(listen).to.include(`listen ${ports![0]!.split(":").at(-1)};`);
    expect(mounts(service("nginx"))).to.deep.equal([["./nginx", "/etc/parley"]]);
    expect(entrypoint).to.include("/etc/parley/nginx.conf");
  });

  it("everything is reached by a name that it has", () => {
    const { DATABASE_URL, DATABASE_REPLICA_URL } = toldTo("api");
    expect(new URL(DATABASE_URL!).hostname).to.equal("postgres");
    expect(new URL(DATABASE_REPLICA_URL!).hostname).to.equal("replica");
    const sentinels = toldTo("api")["REDIS_URL"]!.match(/[\w-]+(?=:26379)/g)!;
    expect(sentinels).to.have.length(3);
    for (const name of ["postgres", "replica", ...sentinels]) service(name);
    const script = readFileSync(`${root}deploy/redis/sentinel.sh`, "utf8");
    const [, master, host] = /^sentinel monitor (\S+) (\S+) 6379 2$/m.exec(script)!;
    expect(toldTo("api")["REDIS_URL"]).to.match(new RegExp(`/${master}$`));
    service(host!);
  });

  it("each Redis says its own name, and all but the first begin as replicas of that", () => {
    const servers = named.filter(([name]) => name.startsWith("redis-"));
    expect(servers).to.have.length(3);
    for (const [name, { entrypoint }] of servers) {
      expect(entrypoint!.slice(2)).to.deep.equal(name === "redis-1" ? [name] : [name, "redis-1"]);
    }
  });

  it("Prometheus asks each API and each worker where it listens", () => {
    const { scrape_configs } = parse(readFileSync(`${root}deploy/prometheus/prometheus.yml`, "utf8"));
    const asked = scrape_configs.flatMap(({ dns_sd_configs }: { dns_sd_configs: object[] }) => dns_sd_configs);
    expect(asked).to.deep.equal([
      { names: ["api"], type: "A", port: envOf("api").PORT },
      { names: ["worker"], type: "A", port: envOf("worker").WORKER_PORT },
    ]);
  });

  it("workers listen where their health is asked for", () => {
    const { WORKER_PORT, HOST } = envOf("worker");
    expect(HOST).to.equal("0.0.0.0");
    expect(service("worker").healthcheck!.test.at(-1)).to.include(`:${WORKER_PORT}/healthz`);
  });
});
