import { type EntityManager, oneRow } from "../shared/db/database.ts";
import type { Entry } from "../shared/log/entry.ts";
import type { Role, RoomKind, RoomStanding } from "../shared/policies.ts";
import type { Account } from "./http/route.ts";
import { Memory } from "./memory.ts";
import { accountBanned } from "./users/banned.ts";

/** Somebody whose account is there; whoever is banned may not ask, but is still who they are to others. */
export interface KnownUser extends Account {
  readonly isBanned: boolean;
}

interface KnownRoom {
  readonly kind: RoomKind;
  readonly is_public: boolean;
  readonly roles: Readonly<Record<string, Role>>;
  /** The number that keeps its messages in order: that of the two people, if it is theirs. */
  readonly line: number;
}

/**
 * Who is who and who is where, remembered so that a send asks no database, and is accepted while the database is
 * away. The tail tells what has changed; the worker checks again in its transaction.
 */
export class Directory {
  readonly #users: Memory<number, KnownUser>;
  readonly #rooms: Memory<number, KnownRoom>;

  constructor(em: EntityManager) {
    this.#users = new Memory((id) => oneRow<KnownUser>(em, userSql, [id]));
    this.#rooms = new Memory((id) => oneRow<KnownRoom>(em, roomSql, [id]));
  }

  get lookups() {
    return { directory_users: this.#users.lookups, directory_rooms: this.#rooms.lookups };
  }

  /** Undefined for somebody unknown or deactivated. */
  user(id: number): Promise<KnownUser | undefined> {
    return this.#users.get(id);
  }

  /** Who may ask in this user's name: undefined for nobody, and a refusal for whoever is banned. */
  async account(id: number): Promise<Account | undefined> {
    const user = await this.user(id);
    if (user?.isBanned) throw accountBanned();
    return user;
  }

  async standing(roomId: number, userId: number): Promise<(RoomStanding & Pick<KnownRoom, "line">) | undefined> {
    const room = await this.#rooms.get(roomId);
    return room && { kind: room.kind, isPublic: room.is_public, role: room.roles[userId], line: room.line };
  }

  forgetUser(id: number | undefined): void {
    if (id === undefined) this.#users.clear();
    else this.#users.forget(id);
  }

  forgetRoom(id: number): void {
    this.#rooms.forget(id);
  }

  forgetRooms(entries: readonly Entry[]): void {
    for (const { type, roomId } of entries) {
      if (roomId !== null && changesRooms.has(type)) this.#rooms.forget(roomId);
    }
  }

  forgetAll(): void {
    this.#users.clear();
    this.#rooms.clear();
  }
}

const changesRooms = new Set(["room.created", "room.updated", "room.deleted", "member.joined", "member.left"]);

const userSql = `
  select id, username, is_admin as "isAdmin", banned_at is not null as "isBanned" from users
  where id = $1 and deactivated_at is null`;

export const roomSql = `
  select r.kind, r.is_public,
    coalesce(split_part(r.direct_key, ':', 1)::bigint + split_part(r.direct_key, ':', 2)::bigint, r.id) as line,
    (select coalesce(jsonb_object_agg(m.user_id, m.role), '{}') from members m where m.room_id = r.id) as roles
  from rooms r where r.id = $1`;
