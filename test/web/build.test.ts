import { execFile } from "node:child_process";
import { cp, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect } from "chai";
import { root } from "../../src/web/build/sources.ts";

const run = promisify(execFile);

describe("npm run build:web", function () {
  this.timeout(30_000);
  let folder: string;
  const build = () => run(process.execPath, [join(folder, "src/web/build/main.ts"), "--tell"]);

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "parley-build-"));
    // What the image's stage has: the build needs nothing else.
    for (const part of ["src", "package.json", "package-lock.json", "tsconfig.json"]) {
      await cp(join(root, part), join(folder, part), { recursive: true });
    }
  });
  after(() => rm(folder, { recursive: true }));

  it("says what is missing where Vite is not installed, and is no reason not to start", async () => {
    const { stdout, stderr } = await build();
    expect(stdout).to.equal("");
    expect(stderr).to.include("Vite is not installed");
  });

  it("builds what has changed, and only then", async () => {
    await cp(join(root, "node_modules"), join(folder, "node_modules"), { recursive: true, filter: isOfThePage });
    expect((await build()).stdout).to.equal("dist/web is built\n");
    expect((await build()).stdout).to.equal("dist/web is up to date\n");
    await writeFile(join(folder, "src/web/views/memo.ts"), "export const memo = (render: unknown) => render;\n");
    expect((await build()).stdout).to.equal("dist/web is built\n");
    expect(await readdir(join(folder, "dist"))).to.deep.equal(["web"]);
  });
});

/** Copied and not linked: a link would be followed back to where all of it is. */
const isOfThePage = (path: string): boolean => {
  const [, name] = /node_modules\/(@[^/]+\/[^/]+|@[^/]+|[^/]+)/.exec(path.slice(root.length)) ?? [];
  return (
    name === undefined ||
    /^(vite|rolldown|lightningcss|postcss|preact|picomatch|tinyglobby|fdir|nanoid|detect-libc|picocolors|source-map-js|@preact|@rolldown|@oxc-project)/.test(
      name,
    )
  );
};
