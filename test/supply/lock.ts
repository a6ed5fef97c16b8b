import { readFileSync } from "node:fs";

const root = new URL("../../", import.meta.url);
export const text = (path: string): string => readFileSync(new URL(path, root), "utf8");

/** A package as package-lock.json has it. */
export interface Package {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly link?: boolean;
  readonly deprecated?: string;
  readonly hasInstallScript?: boolean;
  /** Of no use but to those who change the code. */
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly libc?: readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
}

/** Every package that `npm ci` may install, on whatever platform. */
export function readLock(): Package[] {
  const { packages } = JSON.parse(text("package-lock.json")) as { packages: Record<string, Package> };
  return Object.entries(packages)
    .filter(([path]) => path !== "")
    .map(([path, found]) => ({ ...found, name: nameAt(path) }))
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.version < b.version ? -1 : 1));
}

/** `a` of `node_modules/a`, and of `node_modules/b/node_modules/a`. */
const nameAt = (path: string): string => path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly overrides: Readonly<Record<string, string>>;
  readonly allowScripts: Readonly<Record<string, boolean>>;
  readonly version: string;
}

export const manifest = JSON.parse(text("package.json")) as Manifest;
