import type { Door } from "./door.ts";
import type { NewRoom, PublicRooms, Room, RoomChange, Rooms } from "./views.ts";

export interface PageOptions {
  readonly after?: string | undefined;
  readonly limit?: number | undefined;
}

/** What was read, and the offset from which events go on without gap or overlap. */
export type Snapshot<T> = T & { nextOffset: string };

export class RoomsDoor {
  readonly #door: Door;

  constructor(door: Door) {
    this.#door = door;
  }

  /** Mine, those with the latest message first. */
  async list(options: PageOptions = {}): Promise<Snapshot<Rooms>> {
    return snapshotOf(await this.#door.ask<Rooms>("GET", "/v1/rooms", { query: { ...options } }));
  }

  /** All that anybody may join. */
  async listPublic(options: PageOptions = {}): Promise<PublicRooms> {
    const query = { ...options, scope: "public" };
    return (await this.#door.ask<PublicRooms>("GET", "/v1/rooms", { query })).body;
  }

  async get(id: number): Promise<Room> {
    return (await this.#door.ask<Room>("GET", `/v1/rooms/${id}`)).body;
  }

  async create(room: NewRoom): Promise<Room> {
    return (await this.#door.ask<Room>("POST", "/v1/rooms", { body: room })).body;
  }

  async update(id: number, change: RoomChange): Promise<Room> {
    return (await this.#door.ask<Room>("PATCH", `/v1/rooms/${id}`, { body: change })).body;
  }

  async delete(id: number): Promise<void> {
    await this.#door.ask("DELETE", `/v1/rooms/${id}`);
  }

  async join(id: number): Promise<Room> {
    return this.addMember(id, await myId(this.#door));
  }

  async leave(id: number): Promise<void> {
    await this.removeMember(id, await myId(this.#door));
  }

  async addMember(id: number, userId: number): Promise<Room> {
    return (await this.#door.ask<Room>("PUT", `/v1/rooms/${id}/members/${userId}`)).body;
  }

  async removeMember(id: number, userId: number): Promise<void> {
    await this.#door.ask("DELETE", `/v1/rooms/${id}/members/${userId}`);
  }
}

export const snapshotOf = <T extends object>({ body, headers }: { body: T; headers: Headers }): Snapshot<T> => ({
  ...body,
  nextOffset: headers.get("stream-next-offset") ?? "now",
});

export async function myId(door: Door): Promise<number> {
  if (door.identity && "userId" in door.identity) return door.identity.userId;
  const session = await door.sessions.fresh();
  return session?.user.id ?? (await door.ask<{ id: number }>("GET", "/v1/me")).body.id;
}
