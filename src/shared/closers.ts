/** What is opened registers its own closing at once; closing runs backwards and survives a failure. */
export class Closers {
  readonly #stack: { name: string; close: () => Promise<unknown> }[] = [];

  add(name: string, close: () => Promise<unknown>): void {
    this.#stack.push({ name, close });
  }

  async closeAll(onError: (name: string, error: unknown) => void): Promise<void> {
    for (const { name, close } of this.#stack.splice(0).reverse()) {
      await close().catch((error: unknown) => onError(name, error));
    }
  }
}
