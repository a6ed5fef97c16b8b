import { createHash } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { extname, join } from "node:path";

export interface Asset {
  readonly type: string;
  readonly plain: Buffer;
  readonly br: Buffer;
  readonly gzip: Buffer;
}

/** A page as it goes out. */
export interface Document {
  readonly html: string;
  readonly etag: string;
}

/** What was built. All of it is held in memory: what is not in here is not to be had, whatever path is asked. */
export interface Built {
  /** By their paths: the chat page, and the admin's desk. */
  readonly documents: ReadonlyMap<string, Document>;
  readonly assets: ReadonlyMap<string, Asset>;
}

/** Where each page is to be found, and its file. */
export const documents = { "/": "index.html", "/admin": join("admin", "index.html") } as const;

/** Reads the pages of a folder again when they were built again; undefined where there are none. */
export function pageReader(folder: string, mode: string): () => Promise<Built | undefined> {
  let kept: { readonly builtMs: number; readonly pages: Promise<Built> } | undefined;
  return async () => {
    const built = await stat(join(folder, "index.html")).catch(() => undefined);
    if (!built) return undefined;
    if (kept?.builtMs !== built.mtimeMs) kept = { builtMs: built.mtimeMs, pages: readPages(folder, mode) };
    return kept.pages;
  };
}

async function readDocument(path: string, mode: string): Promise<Document> {
  const html = (await readFile(path, "utf8")).replace(/data-mode="\w*"/, `data-mode="${mode}"`);
  return { html, etag: `"${createHash("sha256").update(html).digest("base64url").slice(0, 22)}"` };
}

async function readPages(folder: string, mode: string): Promise<Built> {
  const pages = Object.entries(documents).map(
    async ([path, file]) => [path, await readDocument(join(folder, file), mode)] as const,
  );
  const names = (await readdir(join(folder, "assets"))).filter((name) => !/\.(br|gz)$/.test(name));
  const assets = names.map(async (name): Promise<[string, Asset]> => {
    const read = (suffix = ""): Promise<Buffer> => readFile(join(folder, "assets", name + suffix));
    const [plain, br, gzip] = await Promise.all([read(), read(".br"), read(".gz")]);
    return [`/assets/${name}`, { type: extname(name), plain, br, gzip }];
  });
  return { documents: new Map(await Promise.all(pages)), assets: new Map(await Promise.all(assets)) };
}
