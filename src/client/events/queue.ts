/** From those who have something to those who wait for it, in order. */
export class Queue<T> {
  #items: T[] = [];
  #waiting: (() => void)[] = [];
  #over: { readonly error: unknown } | undefined;

  get length(): number {
    return this.#items.length;
  }

  push(item: T): void {
    if (this.#over) return;
    this.#items.push(item);
    this.#changed();
  }

  /** What is in it still comes; then the end, or the error. */
  end(error?: unknown): void {
    this.#over ??= { error };
    this.#changed();
  }

  /** Nothing more comes, not even what is in it. */
  drop(): void {
    this.#items = [];
    this.end();
  }

  async take(): Promise<IteratorResult<T, undefined>> {
    while (this.#items.length === 0) {
      if (this.#over) {
        const { error } = this.#over;
        this.#over = { error: undefined }; // told once
        if (error !== undefined) throw error;
        return { done: true, value: undefined };
      }
      await this.#change();
    }
    const value = this.#items.shift()!;
    this.#changed();
    return { done: false, value };
  }

  /** Resolves once it holds fewer than so many, or has ended. */
  async below(most: number): Promise<void> {
    while (this.#items.length >= most && !this.#over) {
      await this.#change();
    }
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #changed(): void {
    for (const look of this.#waiting.splice(0)) look();
  }
}
