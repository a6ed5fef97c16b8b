import { expect } from "chai";
import { licenceOf, licencesPage, shipped } from "./licences.ts";
import { manifest, type Package, readLock, text } from "./lock.ts";

/** What may be passed on with the product, as long as it is named. */
const PASSED_ON = new Set([
  "MIT",
  "ISC",
  "0BSD",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "Apache-2.0",
  "CC0-1.0",
  // Lists of names: data, not code.
  "CC-BY-3.0",
]);
/** What may besides be used here, as it is. */
const USED_HERE = new Set([...PASSED_ON, "MPL-2.0", "BlueOak-1.0.0", "PSF-2.0"]);

const lock = readLock();
const told = (packages: readonly Package[]): string[] =>
  packages.map((found) => `${found.name}@${found.version} ${licenceOf(found)}`);
const mayBe = (allowed: ReadonlySet<string>, found: Package): boolean =>
  licenceOf(found)
    .split(" OR ")
    .some((one) => allowed.has(one));

describe("licences", () => {
  const { development, ...passedOn } = shipped();

  it("of what is passed on ask for no more than to be named", () => {
    const packages = Object.values(passedOn).flat();
    expect(packages).to.not.have.length(0);
    expect(told(packages.filter((found) => !mayBe(PASSED_ON, found)))).to.deep.equal([]);
  });

  it("of what is used here only are known too", () => {
    expect(told(development.filter((found) => !mayBe(USED_HERE, found)))).to.deep.equal([]);
  });

  it("are all in docs/licences.md, as package-lock.json has them (npm run licences)", () => {
    const page = text("docs/licences.md");
    expect(page).to.equal(licencesPage());
    for (const name of Object.keys(manifest.dependencies)) expect(page, name).to.include(`| \`${name}\` | `);
    for (const name of Object.keys(manifest.devDependencies)) expect(page, name).to.include(`\`${name}\``);
  });

  it("of the page's packages are there, and of nothing that only builds it", () => {
    const names = passedOn.page.map(({ name }) => name);
    expect(names).to.include.members(["preact", "@preact/signals", "@preact/signals-core"]);
    expect(names).to.not.include("vite");
    const image = passedOn.image.map(({ name }) => name);
    expect(image.filter((name) => /^(node|typescript|preact|@typescript\/.*)$/.test(name))).to.deep.equal([]);
  });
});

describe("packages", () => {
  it("are held by a hash of what is in them, each", () => {
    expect(told(lock.filter(({ integrity }) => !/^sha512-[\w+/]{86}==$/.test(integrity ?? "")))).to.deep.equal([]);
  });

  it("come from the public registry and from nowhere else", () => {
    const elsewhere = ({ resolved, link, version }: Package): boolean =>
      link === true ||
      (resolved !== undefined && !resolved.startsWith("https://registry.npmjs.org/")) ||
      !/^\d+\.\d+\.\d+(-[\w.-]+)?(\+[\w.-]+)?$/.test(version);
    expect(told(lock.filter(elsewhere))).to.deep.equal([]);
  });

  it("run a script when they are installed only if it was agreed to, or are told not to", () => {
    const withScript = new Set(lock.filter(({ hasInstallScript }) => hasInstallScript).map(({ name }) => name));
    expect([...withScript].sort()).to.deep.equal(Object.keys(manifest.allowScripts).sort());
  });

  it("are not deprecated", () => {
    expect(told(lock.filter(({ deprecated }) => deprecated !== undefined))).to.deep.equal([]);
  });

  it("that are asked for are pinned to one version, and have their line in docs/decisions/dependencies.md", () => {
    const { dependencies, optionalDependencies, devDependencies, overrides } = manifest;
    const asked = Object.entries({ ...dependencies, ...optionalDependencies, ...devDependencies, ...overrides });
    expect(asked.filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))).to.deep.equal([]);
    const page = text("docs/decisions/dependencies.md");
    expect(asked.map(([name]) => name).filter((name) => !page.includes(`\`${name}\``))).to.deep.equal([]);
  });
});
