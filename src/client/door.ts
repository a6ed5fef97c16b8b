import { Problem } from "./problem.ts";
import type { Sessions } from "./sessions.ts";
import type { Session } from "./store.ts";
import type { Answer, Method, RequestOptions, Wire } from "./wire.ts";

/** Another way to say who asks than a session: a bot's token, or in demo mode a user's id. */
export type Identity = { readonly apiToken: string } | { readonly userId: number };

/** The one door to the API: says who asks, and renews the token when it must. */
export class Door {
  readonly wire: Wire;
  readonly sessions: Sessions;
  readonly identity: Identity | undefined;

  constructor(wire: Wire, sessions: Sessions, identity: Identity | undefined) {
    this.wire = wire;
    this.sessions = sessions;
    this.identity = identity;
  }

  ask<T>(method: Method, path: string, options: RequestOptions = {}): Promise<Answer<T>> {
    return this.#through(options, (all) => this.wire.ask<T>(method, path, all));
  }

  /** For streams: the answer as soon as it begins. */
  open(method: Method, path: string, options: RequestOptions = {}): Promise<Response> {
    return this.#through(options, (all) => this.wire.open(method, path, all));
  }

  async #through<T>(options: RequestOptions, work: (options: RequestOptions) => Promise<T>): Promise<T> {
    if (this.identity) return work(withHeaders(options, headersOf(this.identity)));
    const session = await this.sessions.fresh();
    try {
      return await work(withHeaders(options, bearer(session)));
    } catch (error) {
      if (!session || !(error instanceof Problem) || error.status !== 401) throw error;
      await this.sessions.refresh(session);
      const { current } = this.sessions;
      if (!current || current.user.id !== session.user.id) throw error;
      return work(withHeaders(options, bearer(current)));
    }
  }
}

const headersOf = (identity: Identity): Record<string, string> =>
  "apiToken" in identity ? { authorization: `Bearer ${identity.apiToken}` } : { "x-user-id": String(identity.userId) };

const bearer = (session: Session | null): Record<string, string> =>
  session ? { authorization: `Bearer ${session.accessToken}` } : {};

const withHeaders = (options: RequestOptions, headers: Record<string, string>): RequestOptions => ({
  ...options,
  headers: { ...options.headers, ...headers },
});
