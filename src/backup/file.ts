import { createHash, type Hash } from "node:crypto";
import { z } from "zod";

/** The version of the form of the file, not of Parley. */
const FORM = 1;

/** Of a table or a column: nothing that SQL could take for more. */
const name = z.string().regex(/^\w+$/);

/** The first line: what is in the file. */
export const Header = z.object({
  parley_backup: z.literal(FORM),
  made_at: z.iso.datetime(),
  migrations: z.array(z.string()).readonly(),
  tables: z.array(z.object({ name, columns: z.array(name).readonly() })).readonly(),
});
export type Header = z.output<typeof Header>;

/** The last line: whether all of it is there, and as it was written. */
const Trailer = z.object({ rows: z.record(z.string(), z.number()), sha256: z.string() });

/** As psql ends the rows that it is given: no row looks like this. */
const END = Buffer.from("\\.\n");
const END_INSIDE = Buffer.from("\n\\.\n");
const NEWLINE = 10;

/** Lines of text: the header, the rows of each table as COPY writes them with an end, the trailer. */
export async function* written(
  header: Header,
  rowsOf: (table: Header["tables"][number]) => AsyncIterable<Buffer> & { readonly rowCount: number },
): AsyncGenerator<Buffer> {
  const hash = createHash("sha256");
  const counts: Record<string, number> = {};
  const hashed = (chunk: Buffer): Buffer => {
    hash.update(chunk);
    return chunk;
  };
  yield hashed(line(header));
  for (const table of header.tables) {
    const rows = rowsOf(table);
    for await (const chunk of rows) yield hashed(chunk);
    counts[table.name] = rows.rowCount;
    yield hashed(END);
  }
  yield line({ rows: counts, sha256: hash.digest("hex") });
}

const line = (value: unknown): Buffer => Buffer.from(`${JSON.stringify(value)}\n`);

/** Reads what `written` wrote, in the same order; whoever reads all of it has read what was written, or hears otherwise. */
export class BackupReader {
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #hash: Hash = createHash("sha256");
  #rest: Buffer = Buffer.alloc(0);

  constructor(chunks: AsyncIterable<Buffer>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  async header(): Promise<Header> {
    const header = Header.safeParse(parsed(await this.#line().catch(nothingIfForeign)));
    if (!header.success)
      throw new Error("This is not a backup of Parley, or one of a form that this version can't read");
    return header.data;
  }

  /** Of the next table, whole lines at a time. */
  async *rows(): AsyncGenerator<Buffer> {
    for (;;) {
      if (this.#rest.subarray(0, END.length).equals(END)) return void this.#take(END.length);
      const end = this.#rest.indexOf(END_INSIDE);
      // Up to the last whole line: an end may have begun in what comes after it.
      const until = end >= 0 ? end + 1 : this.#rest.lastIndexOf(NEWLINE, -END_INSIDE.length) + 1;
      if (until > 0) yield this.#take(until);
      else await this.#more();
    }
  }

  /** After the last table: that nothing is missing and nothing was changed. */
  async check(counts: Readonly<Record<string, number>>): Promise<void> {
    const sha256 = this.#hash.copy().digest("hex");
    const trailer = Trailer.safeParse(parsed(await this.#line()));
    if (!trailer.success || trailer.data.sha256 !== sha256) throw damaged();
    for (const [name, count] of Object.entries(trailer.data.rows)) if (counts[name] !== count) throw damaged();
    if (this.#rest.length > 0 || (await this.#next()) !== undefined) throw damaged();
  }

  async #line(): Promise<string> {
    while (!this.#rest.includes(NEWLINE)) await this.#more();
    return this.#take(this.#rest.indexOf(NEWLINE) + 1).toString("utf8");
  }

  #take(length: number): Buffer {
    const taken = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);
    this.#hash.update(taken);
    return taken;
  }

  async #more(): Promise<void> {
    const chunk = await this.#next();
    if (chunk === undefined) throw damaged();
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
  }

  async #next(): Promise<Buffer | undefined> {
    try {
      const { done, value } = await this.#chunks.next();
      return done ? undefined : value;
    } catch (error) {
      // What is wrong with the file, as against with the disk it is on.
      throw error instanceof Error && "code" in error && String(error.code).startsWith("Z_") ? damaged(error) : error;
    }
  }
}

class Damaged extends Error {}

const damaged = (cause?: Error): Error =>
  new Damaged("The file is damaged or not complete: its checksum does not hold", { cause });

/** The first line of a file that did not even begin as what it should be. */
function nothingIfForeign(error: unknown): string {
  const isForeign = error instanceof Damaged && (!(error.cause instanceof Error) || /header/.test(error.cause.message));
  if (isForeign) return "";
  throw error;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
