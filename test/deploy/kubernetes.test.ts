import { existsSync, globSync, readFileSync } from "node:fs";
import { expect } from "chai";
import { parse } from "yaml";
import { nodeFlags } from "../../src/api/node-flags.ts";
import { routes } from "../../src/api/routes.ts";
import { envSchema, readEnv, settingNames } from "../../src/shared/env.ts";
import { schemaMistakes, strangeFields } from "./manifests/check-kinds.ts";
import { build, type Manifest, objectsIn, type Value } from "./manifests/kustomize.ts";

const root = new URL("../../", import.meta.url).pathname;
const folder = `${root}deploy/kubernetes`;

for (const overlay of ["minimal", "production"]) {
  describe(`deploy/kubernetes/overlays/${overlay}`, function () {
    this.timeout(60_000);
    const objects = build(`${folder}/overlays/${overlay}`);
    const of = (kind: string): Manifest[] => objects.filter((one) => one.kind === kind);
    const named = (kind: string, name: string): Manifest =>
      of(kind).find(({ metadata }) => metadata.name === name) ?? expect.fail(`no ${kind} is called ${name}`);
    const deployments = of("Deployment");
    const podOf = (deployment: Manifest): Value => deployment["spec"].template;
    const containersOf = (deployment: Manifest): Value[] => [
      ...podOf(deployment).spec.initContainers,
      ...podOf(deployment).spec.containers,
    ];
    const selects = (labels: Value, deployment: Manifest): boolean =>
      Object.entries(labels).every(([key, value]) => podOf(deployment).metadata.labels[key] === value);

    it("is made of objects that fit the schemas of their kinds", async () => {
      expect(objects.map(({ kind }) => kind)).to.include.members(["Deployment", "Service", "Ingress", "Secret"]);
      expect((await Promise.all(objects.map(schemaMistakes))).flat()).to.deep.equal([]);
    });

    it("has no field that its kind does not have", async () => {
      expect(await strangeFields(objects)).to.deep.equal([]);
    });

    it("names each object once, all in one namespace, which it makes", () => {
      const keys = objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
      expect(new Set(keys).size).to.equal(keys.length);
      const [namespace] = of("Namespace");
      for (const { kind, metadata } of objects) {
        if (kind !== "Namespace") expect(metadata["namespace"], metadata.name).to.equal(namespace!.metadata.name);
      }
    });

    it("selects pods that are there, by ports that they have", () => {
      for (const deployment of deployments)
        expect(selects(deployment["spec"].selector.matchLabels, deployment)).to.equal(true);
      const selectors = [
        ...of("Service").map(({ spec }: Value) => [spec.selector, spec.ports.map((port: Value) => port.targetPort)]),
        ...of("PodDisruptionBudget").map(({ spec }: Value) => [spec.selector.matchLabels, []]),
        ...of("NetworkPolicy").map(({ spec }: Value) => [
          spec.podSelector.matchLabels,
          spec.ingress.flatMap(({ ports }: Value) => ports.map(({ port }: Value) => port)),
        ]),
        ...of("PodMonitor").map(({ spec }: Value) => [
          spec.selector.matchLabels,
          spec.podMetricsEndpoints.map(({ port }: Value) => port),
        ]),
      ];
      for (const [labels, ports] of selectors) {
        const chosen = deployments.filter((deployment) => selects(labels, deployment));
        expect(chosen, JSON.stringify(labels)).to.have.length(1);
        const known = containersOf(chosen[0]!).flatMap((container) => container.ports ?? []);
        expect(known.map(({ name }) => name)).to.include.members(ports);
      }
      const served = named("Service", "api")["spec"].ports.map(({ name }: Value) => name);
      for (const { http } of of("Ingress").flatMap(({ spec }: Value) => spec.rules)) {
        for (const { backend } of http.paths) {
          expect(backend.service.name).to.equal("api");
          expect(served).to.include(backend.service.port.name);
        }
      }
    });

    it("shows the outside neither figures nor the admin's pages", () => {
      const paths: Value[] = of("Ingress").flatMap(({ spec }: Value) =>
        spec.rules.flatMap(({ http }: Value) => http.paths),
      );
      for (const { path, pathType } of paths) {
        expect(["/metrics", "/admin"]).to.not.include(path);
        if (path === "/") expect(pathType).to.equal("Exact");
      }
    });

    for (const deployment of deployments) {
      describe(deployment.metadata.name, () => {
        const env = (container: Value): Record<string, string> => {
          const sources = container.envFrom.map(({ configMapRef, secretRef }: Value) =>
            configMapRef
              ? named("ConfigMap", configMapRef.name)["data"]
              : named("Secret", secretRef.name)["stringData"],
          );
          const own = (container.env ?? []).map(({ name, value }: Value) => [name, value]);
          return Object.assign({}, ...sources, Object.fromEntries(own));
        };

        it("runs files that exist, of an image with a version", () => {
          for (const { command, image } of containersOf(deployment)) {
            expect(existsSync(root + command.at(-1)), command.at(-1)).to.equal(true);
            expect(image).to.match(/^[\w./-]+:\d[\w.-]*$/);
          }
          const [api] = podOf(deployment).spec.containers;
          if (api.name === "api") expect(api.command.slice(1, -1)).to.deep.equal(nodeFlags);
        });

        it("is told nothing that no process reads, and accepts what it is told", () => {
          for (const container of containersOf(deployment)) {
            const told = env(container);
            expect(settingNames).to.include.members(Object.keys(told));
            const secrets = { AUTH_SECRET: "x".repeat(32), METRICS_TOKEN: "x".repeat(32) };
            const filled = Object.entries(told).map(([key, value]) => [key, value.replaceAll("…", "secret")]);
            const read = readEnv({ ...Object.fromEntries(filled), ...secrets });
            expect(read).to.include({ NODE_ENV: "production", AUTH_MODE: "token", HOST: "0.0.0.0" });
            expect(read.REDIS_URL).to.be.a("string");
          }
        });

        it("is asked how it is at paths that it has, on the port where it listens", () => {
          const [main] = podOf(deployment).spec.containers;
          const told = env(main);
          const port = deployment.metadata.name === "api" ? told["PORT"] : told["WORKER_PORT"];
          expect(main.ports.map(({ containerPort }: Value) => String(containerPort))).to.deep.equal([port]);
          const paths = new Set(routes.map(({ path }) => path));
          for (const probe of [main.startupProbe, main.livenessProbe, main.readinessProbe]) {
            expect([...paths]).to.include(probe.httpGet.path);
            expect(probe.httpGet.port).to.equal(main.ports[0].name);
          }
          expect(main.livenessProbe.httpGet.path).to.equal("/healthz");
        });

        it("is nobody, writes nowhere and may do nothing else", () => {
          const { spec } = podOf(deployment);
          expect(spec.automountServiceAccountToken).to.equal(false);
          expect(spec.securityContext).to.deep.include({
            runAsNonRoot: true,
            seccompProfile: { type: "RuntimeDefault" },
          });
          expect(spec).to.not.have.property("volumes");
          for (const { securityContext, resources } of containersOf(deployment)) {
            expect(securityContext).to.deep.equal({
              allowPrivilegeEscalation: false,
              readOnlyRootFilesystem: true,
              capabilities: { drop: ["ALL"] },
            });
            expect(resources.limits).to.have.property("memory");
          }
        });

        it("is rolled without a gap, and has the time that it takes to stop", () => {
          expect(deployment["spec"].strategy.rollingUpdate).to.include({ maxUnavailable: 0 });
          const { terminationGracePeriodSeconds, containers } = podOf(deployment).spec;
          const before = containers[0].lifecycle?.preStop.sleep.seconds ?? 0;
          expect(terminationGracePeriodSeconds).to.be.at.least(before + 10);
        });
      });
    }
  });
}

describe("deploy/kubernetes", () => {
  it("has no file that nothing uses, and the examples name settings that exist", () => {
    const yaml = globSync("**/*.yaml", { cwd: folder }).filter((path) => !path.endsWith("kustomization.yaml"));
    const text = globSync("**/kustomization.yaml", { cwd: folder }).map((path) =>
      readFileSync(`${folder}/${path}`, "utf8"),
    );
    for (const path of yaml) {
      const name = path.split("/").at(-1)!;
      expect(
        text.some((all) => all.includes(name)),
        path,
      ).to.equal(true);
    }
    for (const path of globSync("**/*.example.env", { cwd: folder })) {
      const names = readFileSync(`${folder}/${path}`, "utf8").match(/^[A-Z_]+(?==)/gm);
      expect(Object.keys(envSchema.shape)).to.include.members(names!);
    }
  });

  it("is scraped under the names that alerts know, with the secret under the name that kustomize gives it", () => {
    const objects = build(`${folder}/overlays/production`);
    const monitors = objects.filter(({ kind }) => kind === "PodMonitor");
    const [secret] = objects.filter(({ kind }) => kind === "Secret");
    const jobs = monitors.flatMap(({ spec }: Value) =>
      spec.podMetricsEndpoints.map(({ relabelings, authorization }: Value) => {
        expect(authorization.credentials.name).to.equal(secret!.metadata.name);
        return relabelings.find(({ targetLabel }: Value) => targetLabel === "job").replacement;
      }),
    );
    const prometheus = parse(readFileSync(`${root}deploy/prometheus/prometheus.yml`, "utf8"));
    expect(jobs).to.have.members(prometheus.scrape_configs.map((scraped: Value) => scraped.job_name));
    const { nameReference } = parse(readFileSync(`${folder}/components/monitoring/names.yaml`, "utf8"));
    const path = "spec/podMetricsEndpoints/authorization/credentials/name";
    expect(nameReference).to.deep.equal([
      { kind: "Secret", version: "v1", fieldSpecs: [{ kind: "PodMonitor", path }] },
    ]);
  });

  it("scales by figures that the adapter has, of deployments that are there", () => {
    const all = build(`${folder}/overlays/production`);
    const { rules } = parse(readFileSync(`${folder}/components/autoscaling/adapter-rules.yaml`, "utf8"));
    const known = { Pods: names(rules.custom), External: names(rules.external) };
    const scalers = objectsIn(`${folder}/components/autoscaling/autoscalers.yaml`);
    for (const { spec } of scalers as Value[]) {
      expect(all.map(({ kind, metadata }) => `${kind} ${metadata.name}`)).to.include(
        `Deployment ${spec.scaleTargetRef.name}`,
      );
      for (const metric of spec.metrics) {
        if (metric.type === "Resource") continue;
        const { name } = (metric.pods ?? metric.external).metric;
        expect(known[metric.type as keyof typeof known]).to.include(name);
      }
    }
    // As src/shared/metrics and src/api/metrics call them.
    const sources = globSync(["src/shared/metrics/*.ts", "src/api/metrics/*.ts", "src/worker/*.ts"], { cwd: root });
    const text = sources.map((path) => readFileSync(root + path, "utf8")).join();
    for (const name of [...known.Pods, ...known.External]) expect(text).to.include(`"${name}"`);
  });
});

const names = (rules: Value[]): string[] => rules.map(({ name }) => name.as);
