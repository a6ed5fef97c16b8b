type Listen = (type: string, listener: (event: Event) => void) => void;

/** What there is in a page, and in Node or in a worker perhaps not. */
interface Page {
  readonly addEventListener?: Listen;
  readonly removeEventListener?: Listen;
  readonly location?: { readonly href: string };
  readonly navigator?: { readonly locks?: { request(name: string, work: () => Promise<void>): Promise<void> } };
}

export const page = globalThis as unknown as Page;
