/** What of `localStorage` is used here. */
interface TextStorage {
  getItem(name: string): string | null;
  setItem(name: string, text: string): void;
  removeItem(name: string): void;
  names(): string[];
}

/** The browser's, or where it gives none (blocked, private, full) as long as the page is open. */
export const storage: TextStorage = forgiving(browserStorage());

function browserStorage(): Storage | undefined {
  try {
    return globalThis.localStorage;
  } catch {
    return undefined;
  }
}

function forgiving(kept: Storage | undefined): TextStorage {
  const rest = new Map<string, string>();
  return {
    getItem: (name) => rest.get(name) ?? kept?.getItem(name) ?? null,
    setItem(name, text) {
      try {
        if (!kept) throw new Error("no storage");
        kept.setItem(name, text);
        rest.delete(name);
      } catch {
        rest.set(name, text);
      }
    },
    removeItem(name) {
      rest.delete(name);
      kept?.removeItem(name);
    },
    names: () => [...new Set([...rest.keys(), ...Object.keys(kept ?? {})])],
  };
}

/** Undefined for what nobody here has written. */
export function readJson<T>(text: string | null, isIt: (value: Partial<T>) => boolean): T | undefined {
  try {
    const value = JSON.parse(text ?? "null") as T | null;
    return value !== null && isIt(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
