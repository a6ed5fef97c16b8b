import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";

const root = fileURLToPath(new URL("..", import.meta.url));
const text = (file: string): string => readFileSync(join(root, file), "utf8");
const files = globSync("src/**/*.{ts,tsx,mts,js,mjs}", { cwd: root }).map((file) => file.replaceAll("\\", "/"));
/** What people write, besides code. */
const pages = globSync("src/**/*.{css,html,sql}", { cwd: root });

/** `import … from`, `export … from`, `import "…"` and `import("…")`, as paths from the root. */
function imports(file: string): string[] {
  const found = text(file).matchAll(/\b(?:from|import)\s*\(?\s*["'](\.{1,2}\/[^"']+)["']/g);
  return [...found].map(([, path]) => join(file, "..", path!).replaceAll("\\", "/"));
}

const MOST_LINES = 300;

describe("the source", () => {
  for (const [folder, forbidden] of [
    ["src/shared/", /^src\/(api|worker|local|client|web)\//],
    ["src/api/", /^src\/(worker|local)\//],
    ["src/worker/", /^src\/(api|local)\//],
    ["src/client/", /^(?!src\/client\/)/],
    ["src/", /^(seeds|test|bench)\//],
  ] as const) {
    it(`${folder} imports nothing that matches ${forbidden.source}`, () => {
      const mine = files.filter((file) => file.startsWith(folder));
      expect(mine).to.not.have.length(0);
      const wrong = mine.flatMap((file) =>
        imports(file)
          .filter((path) => forbidden.test(path))
          .map((path) => `${file} -> ${path}`),
      );
      expect(wrong).to.deep.equal([]);
    });
  }

  it("src/client/ imports nothing at all but its own files: what uses it needs nothing else", () => {
    const mine = files.filter((file) => file.startsWith("src/client/"));
    const others = mine.flatMap((file) => [
      ...text(file).matchAll(/\b(?:from|import)\s*\(?\s*["']([^."'][^"']*)["']/g),
    ]);
    expect(others.map(([line]) => line)).to.deep.equal([]);
  });

  it("imports only what is there", () => {
    const found = files.flatMap(imports);
    expect(found).to.include("src/shared/errors.ts");
    expect(found.filter((path) => !existsSync(join(root, path)))).to.deep.equal([]);
  });

  it("reads the environment in one place, and where everything is started", () => {
    const may = /^src\/(shared\/env\.ts|start\.ts|local\/|chat\/main\.ts)/;
    expect(files.filter((file) => !may.test(file) && /\bprocess\s*\.\s*env\b/.test(text(file)))).to.deep.equal([]);
  });

  it("speaks through the log, not through the console", () => {
    const servers = files.filter((file) => /^src\/(api|worker|shared)\//.test(file));
    expect(servers.filter((file) => /\bconsole\s*\./.test(text(file)))).to.deep.equal([]);
  });

  it(`has no file of more than ${MOST_LINES} lines`, () => {
    const lines = (file: string): number => text(file).replace(/\n$/, "").split("\n").length;
    expect([...files, ...pages].filter((file) => lines(file) > MOST_LINES)).to.deep.equal([]);
  });
});
