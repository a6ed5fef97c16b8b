import type { Door } from "./door.ts";
import type { PageOptions } from "./rooms.ts";
import type { User, Users } from "./views.ts";

export interface UserSearch extends PageOptions {
  /** Part of a username or a name. */
  readonly search?: string | undefined;
  /** Exactly this username, in whatever case. */
  readonly username?: string | undefined;
}

export class UsersDoor {
  readonly #door: Door;

  constructor(door: Door) {
    this.#door = door;
  }

  async list({ search, ...query }: UserSearch = {}): Promise<Users> {
    return (await this.#door.ask<Users>("GET", "/v1/users", { query: { ...query, q: search } })).body;
  }

  async get(id: number): Promise<User> {
    return (await this.#door.ask<User>("GET", `/v1/users/${id}`)).body;
  }
}
