import { globSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Package, readLock, text } from "./lock.ts";

export interface Shipped {
  /** What runs on a server. */
  readonly image: readonly Package[];
  /** What the chat page is made of: it is built into the page's own files. */
  readonly page: readonly Package[];
  /** What `npm ci --omit=dev` brings besides, for machines without a Node or a Postgres of their own. */
  readonly machine: readonly Package[];
  /** What never leaves the machine of whoever changes the code. */
  readonly development: readonly Package[];
}

/** Who gets which package, as package-lock.json, the Dockerfile and the page's own imports have it. */
export function shipped(): Shipped {
  const lock = readLock();
  const page = importedByPage(lock);
  const removed = [...text("Dockerfile").matchAll(/\bnode_modules\/(\S+)/g)].map(([, path]) => path!);
  const isRemoved = ({ name }: Package) => removed.some((path) => name === path || name.startsWith(`${path}/`));
  const production = lock.filter(({ dev }) => !dev);
  const image = production.filter((found) => !isRemoved(found) && runsOnDebian(found));
  return {
    image,
    page,
    machine: production.filter((found) => !image.includes(found)),
    development: lock.filter((found) => found.dev && !page.includes(found)),
  };
}

const runsOnDebian = ({ os = ["linux"], libc = ["glibc"] }: Package): boolean =>
  os.includes("linux") && libc.includes("glibc");

/** The packages that the page imports, and those that these need. */
function importedByPage(lock: readonly Package[]): Package[] {
  const cwd = fileURLToPath(new URL("../../", import.meta.url));
  const sources = globSync("src/web/**/*.{ts,tsx}", { cwd }).filter((file) => !file.startsWith("src/web/build/"));
  const imports = sources.flatMap((file) => [...text(file).matchAll(/\bfrom "((?:@[\w.-]+\/)?[\w-][\w.-]*)[/"]/g)]);
  const found = new Set<Package>();
  const add = (name: string): void => {
    for (const one of lock.filter((candidate) => candidate.name === name && !found.has(candidate))) {
      found.add(one);
      for (const needed of Object.keys(one.dependencies ?? {})) add(needed);
    }
  };
  for (const [, name] of imports) add(name!);
  return lock.filter((one) => found.has(one));
}

export const licenceOf = ({ license }: Package): string => (license ?? "none told").replace(/^\((.*)\)$/, "$1");

const INTRODUCTION = `# Licences

Which packages of others are in what is run, and under which licence: that which each states in its package.json, as
package-lock.json has it. Written by \`npm run licences\`; a test holds it true and refuses a licence that nobody has
agreed to (\`test/supply/packages.test.ts\` has the list). Parley itself is under the [MIT licence](../LICENSE). The text
of each licence is in the package's own folder under \`node_modules\`.`;

/** docs/licences.md. */
export function licencesPage(): string {
  const { image, page, machine, development } = shipped();
  return [
    INTRODUCTION,
    `## In the container image\n\n${summary(image)}\n\n${table(image)}`,
    `## In the chat page\n\nBuilt into the files of the page, which the image and \`npm start\` serve.\n\n${table(page)}`,
    "## On this machine only\n\nWhat `npm ci --omit=dev` brings besides, each package where its platform is: the Node and the " +
      "Postgres of `npm\nstart`, native parts for other platforms, and TypeScript, which an optional peer asks for. The " +
      `Postgres inside is under\nthe PostgreSQL licence.\n\n${summary(machine)}\n\n${table(machine)}`,
    "## For those who change the code\n\nIn nothing that is run by others, and therefore by licence only.\n\n" +
      byLicence(development),
  ].join("\n\n");
}

const summary = (packages: readonly Package[]): string =>
  `${packages.length} packages: ${grouped(packages)
    .map(([licence, those]) => `${those.length} ${licence}`)
    .join(", ")}.`;

const table = (packages: readonly Package[]): string =>
  ["| package | version | licence |", "|---|---|---|", ...packages.map(row)].join("\n");

const row = (found: Package): string => `| \`${found.name}\` | ${found.version} | ${licenceOf(found)} |`;

const byLicence = (packages: readonly Package[]): string => {
  const rows = grouped(packages).map(([licence, those]) => {
    const names = [...new Set(those.map(({ name }) => `\`${name}\``))];
    return `| ${licence} | ${those.length} | ${names.join(" ")} |`;
  });
  return `${["| licence | packages | |", "|---|---|---|", ...rows].join("\n")}\n`;
};

/** The commonest first. */
const grouped = (packages: readonly Package[]): [string, Package[]][] =>
  [...Map.groupBy(packages, licenceOf)].sort(
    ([a, some], [b, others]) => others.length - some.length || (a < b ? -1 : 1),
  );
