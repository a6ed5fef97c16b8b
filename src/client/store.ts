import { page } from "./page.ts";
import type { OwnUser } from "./views.ts";

/** Who is signed in, and what shows it. */
export interface Session {
  readonly user: OwnUser;
  readonly accessToken: string;
  readonly refreshToken: string;
  /** Milliseconds since 1970, by the clock of this machine. */
  readonly expiresAt: number;
}

/** Where a session is kept between two starts, and shared between tabs. */
export interface SessionStore {
  load(): Session | null | Promise<Session | null>;
  save(session: Session): void | Promise<void>;
  clear(): void | Promise<void>;
  /** Tells when somebody else, another tab, has changed it. Answers how to stop. */
  watch?(changed: () => void): () => void;
  /** Two stores of the same name hold the same session. */
  readonly name?: string;
}

/** As long as the client lives. */
export function memoryStore(): SessionStore {
  let kept: Session | null = null;
  return {
    load: () => kept,
    save: (session) => {
      kept = session;
    },
    clear: () => {
      kept = null;
    },
  };
}

interface TextStorage {
  getItem(name: string): string | null;
  setItem(name: string, text: string): void;
  removeItem(name: string): void;
}

/** On `localStorage` or `sessionStorage`; tabs that share one are signed in and out together. */
export function webStore(storage: TextStorage, name = "parley.session"): SessionStore {
  return {
    name,
    load: () => readSession(storage.getItem(name)),
    save: (session) => storage.setItem(name, JSON.stringify(session)),
    clear: () => storage.removeItem(name),
    watch(changed) {
      const listen = (event: Event): void => {
        const { key } = event as Event & { key?: string | null };
        // null: all of the storage was cleared.
        if (key === name || key === null) changed();
      };
      page.addEventListener?.("storage", listen);
      return () => page.removeEventListener?.("storage", listen);
    },
  };
}

/** Whatever else is found there is no session. */
function readSession(text: string | null): Session | null {
  try {
    const kept = JSON.parse(text ?? "null") as Session | null;
    return typeof kept?.refreshToken === "string" && typeof kept.accessToken === "string" ? kept : null;
  } catch {
    return null;
  }
}
