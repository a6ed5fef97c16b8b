import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Manifest } from "./kustomize.ts";

const root = new URL("../../../", import.meta.url).pathname;

/** The package that knows a kind: those of Kubernetes itself, and those that an operator adds. */
const moduleOf = ({ apiVersion, kind }: Manifest): string =>
  apiVersion.startsWith("monitoring.coreos.com/")
    ? `@kubernetes-models/prometheus-operator/${apiVersion}/${kind}`
    : `kubernetes-models/${apiVersion}/${kind}`;

/** What the schema of its kind has against an object: values that are missing, or of another form. */
export async function schemaMistakes(manifest: Manifest): Promise<string[]> {
  const { [manifest.kind]: Kind } = (await import(moduleOf(manifest))) as Record<string, new (data: Manifest) => Model>;
  try {
    new Kind!(manifest).validate();
    return [];
  } catch (error) {
    return [`${manifest.kind} ${manifest.metadata.name}: ${(error as Error).message}`];
  }
}

interface Model {
  validate(): void;
}

/**
 * The schemas let pass what they do not know, and a field with a mistake in its name is one of these. The types of the
 * same kinds do not: each object is written down as a value of its type, and the compiler has a look.
 */
export async function strangeFields(manifests: readonly Manifest[]): Promise<string[]> {
  await mkdir(join(root, ".test"), { recursive: true });
  const folder = await mkdtemp(join(root, ".test/kinds-"));
  const values = manifests.map((one, i) => {
    const type = `import("${moduleOf(one)}").I${one.kind}`;
    return `export const value${i}: ${type} = ${JSON.stringify(one, null, 1)};\n`;
  });
  try {
    await writeFile(join(folder, "all.ts"), values.join(""));
    const flags = [
      "--noEmit",
      "--strict",
      "--skipLibCheck",
      "--module",
      "nodenext",
      "--types",
      "",
      "--pretty",
      "false",
    ];
    return await new Promise((resolve) => {
      const tsc = join(root, "node_modules/.bin/tsc");
      execFile(tsc, ["--ignoreConfig", ...flags, join(folder, "all.ts")], { cwd: folder }, (error, stdout) =>
        resolve(error ? stdout.split("\n").filter((line) => line.includes("error")) : []),
      );
    });
  } finally {
    await rm(folder, { recursive: true });
  }
}
