import { Door, type Identity } from "./door.ts";
import type { ClientEvent } from "./entries.ts";
import { type EventsOptions, Run } from "./events/run.ts";
import { Messages } from "./messages.ts";
import { type Patience, patience } from "./patience.ts";
import { cancelled } from "./problem.ts";
import { RoomsDoor } from "./rooms.ts";
import type { Target } from "./sends/deliver.ts";
import { Send, type SendHandle, type SendOptions } from "./sends/send.ts";
import { Slots, Turns } from "./sends/turns.ts";
import { Witness } from "./sends/witness.ts";
import { type SessionListener, Sessions } from "./sessions.ts";
import type { Session, SessionStore } from "./store.ts";
import { UsersDoor } from "./users.ts";
import type { NewUser, OwnUser, SignedIn, UserChange } from "./views.ts";
import { type Answer, type Method, type RequestOptions, Wire } from "./wire.ts";

export interface ClientOptions {
  /** Origin of the API; a page's own if not said. */
  readonly url?: string | undefined;
  /** Instead of signing in: a bot's token, or in demo mode a user's id. */
  readonly auth?: Identity | undefined;
  /** Where the session is kept; in memory if not said. */
  readonly store?: SessionStore | undefined;
  readonly fetch?: typeof globalThis.fetch | undefined;
  /** Null: none, so that other transports are used. */
  readonly WebSocket?: typeof globalThis.WebSocket | null | undefined;
  readonly patience?: Partial<Patience> | undefined;
}

export type Login = { readonly password: string } & (
  | { readonly username: string; readonly email?: never }
  | { readonly email: string; readonly username?: never }
);

/** How many tasks are asked for at once. */
const TASKS_AT_ONCE = 3;

export class ParleyClient extends Messages {
  readonly users: UsersDoor;
  readonly rooms: RoomsDoor;
  readonly #door: Door;
  readonly #patience: Patience;
  readonly #WebSocket: typeof globalThis.WebSocket | undefined;
  readonly #witness = new Witness();
  readonly #turns = new Turns();
  readonly #slots = new Slots(TASKS_AT_ONCE);
  readonly #closed = new AbortController();

  constructor({ url = "", auth, store, fetch, WebSocket, patience: given = {} }: ClientOptions = {}) {
    const all = { ...patience, ...given };
    // Called as a function of nobody's: browsers refuse a fetch that has another `this` than the window.
    const wire = new Wire(url, fetch ?? ((input, init) => globalThis.fetch(input, init)), all);
    const door = new Door(wire, new Sessions(wire, store), auth);
    super(door);
    this.#door = door;
    this.#patience = all;
    this.#WebSocket = WebSocket === null ? undefined : (WebSocket ?? globalThis.WebSocket);
    this.users = new UsersDoor(door);
    this.rooms = new RoomsDoor(door);
  }

  /** Who is signed in. */
  get session(): Session | null {
    return this.#door.sessions.current;
  }

  /** @returns how to stop listening. */
  onSession(listener: SessionListener): () => void {
    return this.#door.sessions.listen(listener);
  }

  /** Makes an account, and signs in with it. */
  async signUp(user: NewUser): Promise<OwnUser> {
    await this.#door.wire.ask("POST", "/v1/users", { body: user });
    return this.logIn({ username: user.username, password: user.password });
  }

  async logIn(login: Login): Promise<OwnUser> {
    const { body } = await this.#door.wire.ask<SignedIn>("POST", "/v1/auth/login", { body: login });
    return (await this.#door.sessions.begin(body)).user;
  }

  /** Here at once; on the server, if it can be reached. */
  async logOut(): Promise<void> {
    const { wire, sessions } = this.#door;
    const session = await sessions.loaded();
    await sessions.end("signed-out");
    if (!session) return;
    const headers = { authorization: `Bearer ${session.accessToken}` };
    await wire.ask("POST", "/v1/auth/logout", { headers }).catch(() => {});
  }

  async me(): Promise<OwnUser> {
    const { body } = await this.#door.ask<OwnUser>("GET", "/v1/me");
    await this.#door.sessions.update(body);
    return body;
  }

  async updateMe(change: UserChange): Promise<OwnUser> {
    const { id } = await this.me();
    const { body } = await this.#door.ask<OwnUser>("PATCH", `/v1/users/${id}`, { body: change });
    await this.#door.sessions.update(body);
    return body;
  }

  /** Sends to a room or to a person. What was sent first to either is accepted first. */
  send(target: Target, text: string, options: SendOptions = {}): SendHandle {
    return new Send(target, text, options, {
      door: this.#door,
      patience: this.#patience,
      witness: this.#witness,
      turns: this.#turns,
      slots: this.#slots,
      closed: this.#closed.signal,
    });
  }

  /** Everything that changes for me, each entry once and in order, however often the connection breaks. */
  events(options: EventsOptions = {}): AsyncIterable<ClientEvent, undefined> {
    const deps = {
      door: this.#door,
      patience: this.#patience,
      WebSocket: this.#WebSocket,
      witness: this.#witness,
      closed: this.#closed.signal,
    };
    return { [Symbol.asyncIterator]: () => new Run(options, deps) };
  }

  /** Everything else of the API. Throws a Problem for whatever is not a good answer. */
  request<T = unknown>(method: Method, path: string, options: RequestOptions = {}): Promise<Answer<T>> {
    return this.#door.ask<T>(method, path, options);
  }

  /** Ends what is under way: events end, sends that are not stored yet fail, nothing is listened to any more. */
  close(): void {
    this.#closed.abort(cancelled("The client was closed"));
    this.#door.sessions.close();
  }
}
