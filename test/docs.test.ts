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

  it("link to headings that are there", () => {
    const links = pages.flatMap((page) => {
      const found = readFileSync(join(root, page), "utf8").matchAll(/\]\((?![a-z]+:)([^)#\s]*)#([^)\s]+)\)/g);
      return [...found].map(([, to, heading]) => ({
        page,
        to: to ? join(dirname(page), to) : page,
        heading: heading!,
      }));
    });
    expect(links.length).to.be.greaterThan(5);
    const broken = links.filter(({ to, heading }) => !headingsOf(to).includes(heading));
    expect(broken.map(({ page, to, heading }) => `${page} -> ${to}#${heading}`)).to.deep.equal([]);
  });
});

/** By the names that are made of them where Markdown is shown. */
const headingsOf = (page: string): string[] =>
  [...readFileSync(join(root, page), "utf8").matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
