import { page } from "./page.ts";
import { pause } from "./patience.ts";
import { Problem } from "./problem.ts";
import { memoryStore, type Session, type SessionStore } from "./store.ts";
import type { SignedIn } from "./views.ts";
import type { Wire } from "./wire.ts";

export type SessionChange = "signed-in" | "refreshed" | "signed-out" | "expired";
export type SessionListener = (session: Session | null, why: SessionChange) => void;

/** A token that has less left than this is renewed before it is used. */
const SOON_MS = 20_000;
/** The server takes a refresh token twice within 10 seconds: time for another try, should the answer be lost. */
const TRY_AGAIN_WITHIN_MS = 8_000;
const TRY_AGAIN_AFTER_MS = 300;

/** Who is signed in: kept in the store, renewed without a word, and ended for all who use it at once. */
export class Sessions {
  readonly #wire: Wire;
  readonly #store: SessionStore;
  readonly #listeners = new Set<SessionListener>();
  readonly #unwatch: (() => void) | undefined;
  readonly #loading: Promise<void> | undefined;
  #session: Session | null = null;
  #refreshing: Promise<void> | undefined;
  #life = new AbortController();

  constructor(wire: Wire, store: SessionStore = memoryStore()) {
    this.#wire = wire;
    this.#store = store;
    const kept = store.load();
    if (kept instanceof Promise) this.#loading = kept.then((session) => this.#begin(session));
    else this.#session = kept;
    this.#loading?.catch(() => {}); // told to whoever asks first
    this.#unwatch = store.watch?.(() => void this.#reload().catch(() => {}));
  }

  #begin(kept: Session | null): void {
    this.#session ??= kept;
  }

  get current(): Session | null {
    return this.#session;
  }

  /** Aborted when this session ends, with the Problem that says why. */
  get life(): AbortSignal {
    return this.#life.signal;
  }

  listen(listener: SessionListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async loaded(): Promise<Session | null> {
    await this.#loading;
    return this.#session;
  }

  /** The session, with a token that is good for a while yet. */
  async fresh(): Promise<Session | null> {
    const session = await this.loaded();
    if (session && session.expiresAt - Date.now() < SOON_MS) await this.refresh(session);
    return this.#session;
  }

  async begin(signedIn: SignedIn): Promise<Session> {
    await this.#loading;
    return this.#keep(signedIn, "signed-in");
  }

  async end(why: "signed-out" | "expired"): Promise<void> {
    await this.#store.clear();
    this.#become(null, why);
  }

  /** The user has changed; the tokens have not, unless another tab has new ones. */
  update(user: Session["user"]): Promise<void> {
    return this.#exclusively(async () => {
      const kept = await this.#store.load();
      if (kept?.user.id !== user.id || this.#session?.user.id !== user.id) return;
      if (JSON.stringify(kept.user) === JSON.stringify(user)) return;
      const session = { ...kept, user };
      await this.#store.save(session);
      this.#become(session, "refreshed");
    });
  }

  /** However many ask, and in however many tabs: one refreshes, and all go on with what came of it. */
  refresh(stale: Session): Promise<void> {
    if (this.#session !== stale) return Promise.resolve();
    this.#refreshing ??= this.#exclusively(() => this.#refresh(stale)).finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  close(): void {
    this.#unwatch?.();
    this.#listeners.clear();
  }

  #exclusively(work: () => Promise<void>): Promise<void> {
    const locks = page.navigator?.locks;
    if (!locks || this.#store.name === undefined) return work();
    return locks.request(`parley-refresh:${this.#store.name}`, work);
  }

  async #refresh(stale: Session): Promise<void> {
    if (await this.#adoptNewer(stale)) return;
    try {
      const signedIn = await this.#askForTokens(stale.refreshToken);
      // Whoever signed out meanwhile stays signed out.
      if (!(await this.#adoptNewer(stale))) await this.#keep(signedIn, "refreshed");
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== 401) throw error;
      // Where there are no locks another tab may have been faster.
      if (await this.#adoptNewer(stale)) return;
      await this.end("expired");
      throw error;
    }
  }

  async #askForTokens(refreshToken: string): Promise<SignedIn> {
    const until = Date.now() + TRY_AGAIN_WITHIN_MS;
    for (;;) {
      try {
        return (await this.#wire.ask<SignedIn>("POST", "/v1/auth/refresh", { body: { refresh_token: refreshToken } }))
          .body;
      } catch (error) {
        const wasLost = error instanceof Problem && error.code === "unreachable";
        if (!wasLost || Date.now() + TRY_AGAIN_AFTER_MS > until) throw error;
        await pause(TRY_AGAIN_AFTER_MS, this.life);
      }
    }
  }

  /** Another tab may have refreshed, or signed out, since. */
  async #adoptNewer(stale: Session): Promise<boolean> {
    const kept = await this.#store.load();
    if (kept?.refreshToken === stale.refreshToken) return false;
    this.#take(kept);
    return true;
  }

  async #reload(): Promise<void> {
    const kept = await this.#store.load();
    if (kept?.accessToken !== this.#session?.accessToken) this.#take(kept);
  }

  #take(kept: Session | null): void {
    if (!kept) this.#become(null, "signed-out");
    else this.#become(kept, kept.user.id === this.#session?.user.id ? "refreshed" : "signed-in");
  }

  async #keep(signedIn: SignedIn, why: SessionChange): Promise<Session> {
    const { user, access_token: accessToken, refresh_token: refreshToken, expires_in } = signedIn;
    const session = { user, accessToken, refreshToken, expiresAt: Date.now() + expires_in * 1_000 };
    await this.#store.save(session);
    this.#become(session, why);
    return session;
  }

  #become(session: Session | null, why: SessionChange): void {
    if (session === null && this.#session === null) return;
    this.#session = session;
    if (why !== "refreshed") {
      this.#life.abort(whyOver(why));
      this.#life = new AbortController();
    }
    for (const listener of this.#listeners) listener(session, why);
  }
}

/** Whoever signs out has heard enough; whose session has expired is told so. */
export const isSignOut = (reason: unknown): boolean => reason instanceof Problem && reason.code === "not_signed_in";

function whyOver(why: SessionChange): Problem {
  const fields = { status: 401, title: "The session has ended" };
  if (why === "expired") return new Problem({ ...fields, code: "session_ended", detail: "Sign in again" });
  return new Problem({ ...fields, code: "not_signed_in", detail: "Whoever was signed in has signed out" });
}
