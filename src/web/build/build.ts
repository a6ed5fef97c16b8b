import { globSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { build, type InlineConfig } from "vite";
import { builtFolder, printFile, printOfSources, root } from "./sources.ts";

const source = join(root, "src", "web");

/** No code or style stands in the HTML itself, because its policy forbids it; see src/api/web/page.ts. */
const config = (outDir: string): InlineConfig => ({
  configFile: false,
  root: source,
  mode: "production",
  logLevel: "warn",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir,
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    sourcemap: false,
    // Two pages, each with what it needs; what both need is in files of its own.
    rolldownOptions: { input: [join(source, "index.html"), join(source, "admin", "index.html")] },
  },
});

/** Makes the page beside the one that is there, and puts it into its place when it is whole. */
export async function buildPage(): Promise<void> {
  const print = printOfSources();
  await mkdir(dirname(builtFolder), { recursive: true });
  const folder = await mkdtemp(`${builtFolder}-`);
  try {
    await build(config(folder));
    await Promise.all(globSync("assets/*", { cwd: folder }).map((name) => compress(join(folder, name))));
    await writeFile(join(folder, printFile), print);
    await chmod(folder, 0o755); // what serves it may be another user
    await rm(builtFolder, { recursive: true, force: true });
    await rename(folder, builtFolder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Once, here, as well as it can be done; the server only picks. */
async function compress(path: string): Promise<void> {
  const bytes = await readFile(path);
  await writeFile(`${path}.br`, brotliCompressSync(bytes));
  await writeFile(`${path}.gz`, gzipSync(bytes, { level: 9 }));
}
