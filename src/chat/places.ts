import type { ParleyClient, RoomInList, Target } from "../client/index.ts";
import { clean } from "./clean.ts";
import { findUser } from "./sign-in.ts";

/** Where one may speak: a room, or a person to whom nobody has spoken yet. */
export interface Place {
  readonly name: string;
  readonly target: Target;
  readonly roomId: number | undefined;
}

/** My rooms, and what they are called. */
export class Places {
  readonly #client: ParleyClient;
  readonly #myId: number;
  #rooms: RoomInList[] = [];
  /** From where events go on. */
  nextOffset = "now";

  constructor(client: ParleyClient, myId: number) {
    this.#client = client;
    this.#myId = myId;
  }

  get rooms(): readonly RoomInList[] {
    return this.#rooms;
  }

  async load(): Promise<void> {
    const rooms: RoomInList[] = [];
    let first: string | undefined;
    for (let after: string | null | undefined; after !== null; ) {
      const page = await this.#client.rooms.list({ after });
      first ??= page.nextOffset;
      rooms.push(...page.rooms);
      after = page.next;
    }
    this.#rooms = rooms;
    this.nextOffset = first!;
  }

  nameOf(roomId: number): string {
    const room = this.#rooms.find(({ id }) => id === roomId);
    return room ? this.nameOfRoom(room) : `room ${roomId}`;
  }

  nameOfRoom({ name, members }: RoomInList): string {
    if (name !== null) return clean(name);
    return clean(members.find(({ id }) => id !== this.#myId)?.username ?? "nobody");
  }

  usernameOf(userId: number): string {
    const all = this.#rooms.flatMap(({ members }) => members);
    return clean(all.find(({ id }) => id === userId)?.username ?? `user ${userId}`);
  }

  /** Whether this is the room of the two of us. */
  isWith(roomId: number, userId: number | undefined): boolean {
    const room = this.#rooms.find(({ id }) => id === roomId);
    return room?.kind === "direct" && room.members.some(({ id }) => id === userId);
  }

  room(nameOrId: string): Place {
    const wanted = nameOrId.toLowerCase();
    const groups = this.#rooms.filter(({ kind }) => kind === "group");
    const found =
      groups.find(({ name }) => name?.toLowerCase() === wanted) ?? this.#rooms.find(({ id }) => String(id) === wanted);
    if (!found) throw new Error(`You are in no room called ${clean(nameOrId)}`);
    return this.#placeOf(found);
  }

  async person(nameOrId: string): Promise<Place> {
    const user =
      (await findUser(nameOrId, this.#client)) ??
      (/^\d{1,15}$/.test(nameOrId) ? await this.#client.users.get(Number(nameOrId)) : undefined);
    if (!user) throw new Error(`Nobody is called ${clean(nameOrId)}`);
    const shared = this.#rooms.find(
      ({ kind, members }) => kind === "direct" && members.some(({ id }) => id === user.id),
    );
    if (shared && user.id !== this.#myId) return this.#placeOf(shared);
    return { name: clean(user.username), target: { to: user.id }, roomId: undefined };
  }

  #placeOf(room: RoomInList): Place {
    return { name: this.nameOfRoom(room), target: { room: room.id }, roomId: room.id };
  }
}
