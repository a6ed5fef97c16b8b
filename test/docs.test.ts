import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";

const root = fileURLToPath(new URL("..", import.meta.url));
const pages = globSync(["*.md", "docs/**/*.md", "src/**/*.md", "deploy/**/*.md"], { cwd: root });

describe("the documents", () => {
  it("link to files that are there", () => {
    expect(pages).to.include.members(["README.md", "SECURITY.md", "docs/architecture.md"]);
    const links = pages.flatMap((page) => {
      const found = readFileSync(join(root, page), "utf8").matchAll(/\]\((?![a-z]+:)([^)#\s]+)/g);
      return [...found].map(([, to]) => ({ page, to: to! }));
    });
    expect(links.length).to.be.greaterThan(50);
    const broken = links.filter(({ page, to }) => !existsSync(join(root, dirname(page), to)));
    expect(broken.map(({ page, to }) => `${page} -> ${to}`)).to.deep.equal([]);
  });
});
