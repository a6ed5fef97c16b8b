import { createHash } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { extname, join } from "node:path";

export interface Asset {
  readonly type: string;
  readonly plain: Buffer;
  readonly br: Buffer;
  readonly gzip: Buffer;
}

/** The page as it was built. All of it is held in memory: what is not in here is not to be had, whatever path is asked. */
export interface Page {
  readonly html: string;
  readonly etag: string;
  readonly assets: ReadonlyMap<string, Asset>;
}

/** Reads the page of a folder again when it was built again; undefined where there is none. */
export function pageReader(folder: string, mode: string): () => Promise<Page | undefined> {
  let kept: { readonly builtMs: number; readonly page: Promise<Page> } | undefined;
  return async () => {
    const built = await stat(join(folder, "index.html")).catch(() => undefined);
    if (!built) return undefined;
    if (kept?.builtMs !== built.mtimeMs) kept = { builtMs: built.mtimeMs, page: readPage(folder, mode) };
    return kept.page;
  };
}

async function readPage(folder: string, mode: string): Promise<Page> {
  const written = await readFile(join(folder, "index.html"), "utf8");
  const html = written.replace(/data-mode="\w*"/, `data-mode="${mode}"`);
  const etag = `"${createHash("sha256").update(html).digest("base64url").slice(0, 22)}"`;
  const names = (await readdir(join(folder, "assets"))).filter((name) => !/\.(br|gz)$/.test(name));
  const assets = names.map(async (name): Promise<[string, Asset]> => {
    const read = (suffix = ""): Promise<Buffer> => readFile(join(folder, "assets", name + suffix));
    const [plain, br, gzip] = await Promise.all([read(), read(".br"), read(".gz")]);
    return [`/assets/${name}`, { type: extname(name), plain, br, gzip }];
  });
  return { html, etag, assets: new Map(await Promise.all(assets)) };
}
