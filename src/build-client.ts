import { execFile } from "node:child_process";
import { globSync } from "node:fs";
import { copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { build } from "vite";

/** `npm run build:client [-- --out folder]`: the package parley-client, one module and its types. */
const root = fileURLToPath(new URL("..", import.meta.url));
const { values } = parseArgs({ options: { out: { type: "string", default: join(root, "dist", "client") } } });
const folder = resolve(values.out);

await rm(folder, { recursive: true, force: true });
await mkdir(folder, { recursive: true });
await Promise.all([buildModule(), buildTypes(), writePackage()]);
const bytes = gzipSync(await readFile(join(folder, "index.js")), { level: 9 }).length;
process.stdout.write(`${folder} is built: ${bytes} bytes gzipped\n`);

async function buildModule(): Promise<void> {
  await build({
    configFile: false,
    root,
    logLevel: "warn",
    publicDir: false,
    build: {
      outDir: folder,
      emptyOutDir: false,
      target: "es2022",
      // A library keeps its blanks unless the bundler itself is told.
      rolldownOptions: { output: { minify: true } },
      lib: { entry: join(root, "src", "client", "index.ts"), formats: ["es"], fileName: () => "index.js" },
    },
  });
}

async function buildTypes(): Promise<void> {
  const types = join(folder, "types");
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  await promisify(execFile)(process.execPath, [tsc, "-p", join(root, "src", "client"), "--outDir", types]);
  for (const name of globSync("**/*.d.ts", { cwd: types })) {
    const text = await readFile(join(types, name), "utf8");
    // Beside declarations stand no sources.
    await writeFile(join(types, name), text.replace(/(from "\.{1,2}\/[^"]+)\.ts"/g, '$1.js"'));
  }
}

async function writePackage(): Promise<void> {
  const { version, license } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
  const manifest = {
    name: "parley-client",
    version,
    description: "Chat through a Parley server, from a browser or from Node",
    license,
    type: "module",
    exports: { ".": { types: "./types/index.d.ts", default: "./index.js" } },
    types: "./types/index.d.ts",
    files: ["index.js", "types"],
    sideEffects: false,
    engines: { node: ">=20" },
  };
  await writeFile(join(folder, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  await copyFile(join(root, "src", "client", "README.md"), join(folder, "README.md"));
  await copyFile(join(root, "LICENSE"), join(folder, "LICENSE"));
}
