const WIDTH = 30;
/** How often something new is shown: on a screen, and in a log. */
const EVERY_MS = { screen: 100, log: 5_000 };

/** How far a long work has come: a bar for who looks at a screen, a line now and then for a log. */
export class Progress {
  readonly #what: string;
  readonly #total: number;
  readonly #onScreen = process.stderr.isTTY;
  #done = 0;
  #shownAt = performance.now();

  constructor(what: string, total: number) {
    this.#what = what;
    this.#total = Math.max(total, 1);
  }

  add(amount: number): void {
    this.#done += amount;
    // What there is in all is a guess at times: it is done when it says so.
    const part = Math.min(this.#done / this.#total, 0.99);
    if (performance.now() - this.#shownAt < (this.#onScreen ? EVERY_MS.screen : EVERY_MS.log)) return;
    this.#shownAt = performance.now();
    this.#show(part);
  }

  end(): void {
    if (this.#onScreen) process.stderr.write("\r\x1b[K");
  }

  #show(part: number): void {
    const percent = `${Math.floor(part * 100)} %`;
    if (!this.#onScreen) return void process.stderr.write(`${this.#what}: ${percent}\n`);
    const bar = "#".repeat(Math.round(part * WIDTH)).padEnd(WIDTH, ".");
    process.stderr.write(`\r${this.#what} [${bar}] ${percent.padStart(4)}`);
  }
}
