import { clearLine, createInterface, cursorTo, type Interface, moveCursor } from "node:readline";

/** Lines above, and below them the line that is being written. */
export class Screen implements AsyncIterable<string> {
  readonly #lines: Interface;
  #isOpen = true;

  constructor(onKey: () => void) {
    this.#lines = createInterface({ input: process.stdin, output: process.stdout, terminal: true });
    this.#lines.on("SIGINT", () => process.kill(process.pid, "SIGINT"));
    this.#lines.once("close", () => {
      this.#isOpen = false;
    });
    process.stdin.on("keypress", () => setImmediate(onKey)); // first the line takes the key
  }

  /** What is written and not sent yet. */
  get draft(): string {
    return this.#lines.line;
  }

  /** Above the line that is being written, which stays as it is. */
  say(text: string): void {
    this.#eraseDraft();
    process.stdout.write(`${text}\n`);
    if (this.#isOpen) this.#lines.prompt(true);
  }

  prompt(text: string): void {
    if (!this.#isOpen) return;
    this.#eraseDraft();
    this.#lines.setPrompt(text);
    this.#lines.prompt(true);
  }

  close(): void {
    this.#lines.close();
    process.stdout.write("\n");
  }

  [Symbol.asyncIterator](): AsyncIterator<string> {
    return this.#lines[Symbol.asyncIterator]();
  }

  /** It may be longer than the terminal is wide. */
  #eraseDraft(): void {
    const { rows } = this.#lines.getCursorPos();
    if (rows > 0) moveCursor(process.stdout, 0, -rows);
    cursorTo(process.stdout, 0);
    clearLine(process.stdout, 0);
    process.stdout.write("\u001b[J");
  }
}
