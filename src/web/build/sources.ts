import { createHash } from "node:crypto";
import { globSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../../../", import.meta.url));
export const builtFolder = join(root, "dist", "web");
/** Which sources the page in this folder was made of. */
export const printFile = "sources.sha256";

/** Whatever the page is made of: the client is part of it, and the lock file says which libraries are. */
const parts = ["src/web/**/*", "src/client/**/*.ts", "package-lock.json", "tsconfig.json"];

/** By content and not by time: a checkout gives files any time it likes. */
export function printOfSources(): string {
  const hash = createHash("sha256");
  const files = globSync(parts, { cwd: root, withFileTypes: true }).filter((entry) => entry.isFile());
  for (const path of files.map((entry) => join(entry.parentPath, entry.name)).sort()) {
    hash.update(path.slice(root.length)).update(readFileSync(path));
  }
  return hash.digest("hex");
}

/** Whether the page that is there was made of the sources as they are. */
export const isBuilt = async (folder = builtFolder): Promise<boolean> =>
  (await readFile(join(folder, printFile), "utf8").catch(() => "")) === printOfSources();
