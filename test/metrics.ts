import { expect } from "chai";

/** What `/metrics` told: each figure by its name and labels. */
export class Scraped {
  readonly text: string;
  readonly #values = new Map<string, number>();

  constructor(text: string) {
    this.text = text;
    for (const line of text.split("\n")) {
      const [, name, labels = "", value] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
      if (name !== undefined) this.#values.set(keyOf(name, parseLabels(labels)), Number(value));
    }
  }

  /** Undefined if it was left out. */
  value(name: string, labels: Readonly<Record<string, string>> = {}): number | undefined {
    return this.#values.get(keyOf(name, labels));
  }

  /** Name and labels of all that was told. */
  get series(): { name: string; labels: Record<string, string> }[] {
    return [...this.#values.keys()].map((key) => {
      const [name, labels] = JSON.parse(key) as [string, [string, string][]];
      return { name, labels: Object.fromEntries(labels) };
    });
  }
}

const keyOf = (name: string, labels: Readonly<Record<string, string>>): string =>
  JSON.stringify([name, Object.entries(labels).sort()]);

const parseLabels = (text: string): Record<string, string> =>
  Object.fromEntries([...text.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, value]) => [key!, value!]));

export async function scrape({ url }: { readonly url: string }, headers: Record<string, string> = {}) {
  const response = await fetch(`${url}/metrics`, { headers });
  const text = await response.text();
  expect(response.status, text).to.equal(200);
  return new Scraped(text);
}

/** Scrapes until a figure is what it should be: some are counted a moment after their answer is out. */
export async function scrapeUntil(
  where: { readonly url: string },
  isThere: (scraped: Scraped) => boolean,
  withinMs = 10_000,
): Promise<Scraped> {
  for (const until = performance.now() + withinMs; ; ) {
    const scraped = await scrape(where);
    if (isThere(scraped)) return scraped;
    if (performance.now() > until) throw new Error(`It did not come to that:\n${scraped.text}`);
  }
}
