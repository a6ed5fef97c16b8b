import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse, parseAllDocuments } from "yaml";

// biome-ignore lint/suspicious/noExplicitAny: held against the schema of its kind
export type Value = any;

/** One object of Kubernetes, as it is sent to the cluster. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly [key: string]: Value };
  readonly [key: string]: Value;
}

interface Kustomization {
  readonly namespace?: string;
  readonly resources?: readonly string[];
  readonly components?: readonly string[];
  readonly patches?: readonly { readonly path: string }[];
  readonly images?: readonly { name: string; newName: string; newTag: string }[];
  readonly replicas?: readonly { name: string; count: number }[];
  readonly configMapGenerator?: readonly { name: string; literals: readonly string[] }[];
  readonly secretGenerator?: readonly { name: string; envs: readonly string[] }[];
}

/** What this reads of a kustomization: whatever else stands in one is an error, and not passed over. */
const understood = new Set([
  ...["apiVersion", "kind", "namespace", "labels", "resources", "components", "patches", "images", "replicas"],
  ...["configMapGenerator", "secretGenerator", "configurations"],
]);

/** What `kubectl kustomize` makes of a folder, but for the labels that it adds and the ends of generated names. */
export function build(folder: string): Manifest[] {
  return apply(folder, []);
}

function apply(folder: string, given: readonly Manifest[]): Manifest[] {
  const kustomization = read(folder);
  const { resources = [], components = [], patches = [] } = kustomization;
  let made = [...given, ...resources.flatMap((path) => objectsAt(join(folder, path)))];
  for (const { name, literals } of kustomization.configMapGenerator ?? []) made.push(configMap(name, literals));
  for (const { name, envs } of kustomization.secretGenerator ?? []) made.push(secret(name, folder, envs));
  for (const component of components) made = apply(join(folder, component), made);
  for (const { path } of patches) made = patched(made, objectsIn(join(folder, path)));
  return made.map((one) => finished(one, kustomization));
}

function read(folder: string): Kustomization {
  const kustomization = parse(readFileSync(join(folder, "kustomization.yaml"), "utf8")) as Kustomization;
  const strange = Object.keys(kustomization).filter((key) => !understood.has(key));
  if (strange.length > 0) throw new Error(`${folder} says ${strange.join()}, which the test does not understand`);
  return kustomization;
}

const objectsAt = (path: string): Manifest[] => (path.endsWith(".yaml") ? objectsIn(path) : build(path));

export function objectsIn(path: string): Manifest[] {
  return parseAllDocuments(readFileSync(path, "utf8")).map((document) => {
    if (document.errors.length > 0) throw document.errors[0];
    return document.toJS() as Manifest;
  });
}

function patched(objects: readonly Manifest[], patches: readonly Manifest[]): Manifest[] {
  for (const patch of patches) {
    if (!objects.some((one) => isSame(one, patch))) throw new Error(`nothing to patch: ${patch.metadata.name}`);
  }
  return objects.map((one) => patches.filter((patch) => isSame(one, patch)).reduce<Value>(merged, one));
}

const isSame = (one: Manifest, other: Manifest): boolean =>
  one.kind === other.kind && one.metadata.name === other.metadata.name;

/** Lists of things with names are merged by these, all other lists are replaced. */
function merged(into: Value, from: Value): Value {
  if (Array.isArray(into) && Array.isArray(from) && from.every(({ name }: Value) => typeof name === "string")) {
    const rest = from.filter(({ name }) => !into.some((one) => one.name === name));
    return [...into.map((one) => merged(one, from.find(({ name }) => name === one.name) ?? {})), ...rest];
  }
  if (typeof into !== "object" || typeof from !== "object" || Array.isArray(from)) return from;
  const keys = [...new Set([...Object.keys(into), ...Object.keys(from)])];
  return Object.fromEntries(
    keys.map((key) => [key, key in into && key in from ? merged(into[key], from[key]) : (from[key] ?? into[key])]),
  );
}

function finished(one: Manifest, { namespace, images = [], replicas = [] }: Kustomization): Manifest {
  const made = structuredClone(one) as Value;
  if (namespace && one.kind !== "Namespace") made.metadata.namespace = namespace;
  const count = replicas.find(({ name }) => name === one.metadata.name)?.count;
  if (count !== undefined && one.kind === "Deployment") made.spec.replicas = count;
  const pod = made.spec?.template?.spec ?? {};
  for (const container of [...(pod.initContainers ?? []), ...(pod.containers ?? [])]) {
    const image = images.find(({ name }) => name === container.image);
    if (image) container.image = `${image.newName}:${image.newTag}`;
  }
  return made;
}

const configMap = (name: string, literals: readonly string[]): Manifest => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name },
  data: Object.fromEntries(literals.map((literal) => literal.split(/=(.*)/s).slice(0, 2))),
});

/** Secrets are in no repository: here they are what the example beside them says. */
function secret(name: string, folder: string, envs: readonly string[]): Manifest {
  const lines = envs.flatMap((path) => {
    if (existsSync(join(folder, path)) && process.env["CI"]) throw new Error(`${path} is in the repository`);
    const example = join(folder, path.replace(/\.env$/, ".example.env"));
    return readFileSync(example, "utf8").split("\n");
  });
  const pairs = lines.filter((line) => /^[A-Z]/.test(line)).map((line) => line.split(/=(.*)/s).slice(0, 2));
  return { apiVersion: "v1", kind: "Secret", metadata: { name }, stringData: Object.fromEntries(pairs) };
}
