import type { Door } from "./door.ts";
import { type Snapshot, snapshotOf } from "./rooms.ts";
import type { History, Message, Presence, Receipts, Unseen } from "./views.ts";

export type HistoryOf = (
  | { readonly room: number; readonly user?: never }
  | { readonly user: number; readonly room?: never }
) & {
  /** The `next` of a page: what is older. */
  readonly before?: string | undefined;
  /** The `prev` of a page: what has come since. */
  readonly after?: string | undefined;
  readonly limit?: number | undefined;
};

export interface UnseenOptions {
  /** Seconds to wait if there is nothing, 55 at most. */
  readonly wait?: number | undefined;
  readonly limit?: number | undefined;
  readonly room?: number | undefined;
  /** The `ack` of the answer before. */
  readonly ack?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Typing is told once in two seconds; to say it more often only costs. */
const TYPING_EVERY_MS = 2_000;

/** What there is to read, and to mark as read. */
export class Messages {
  readonly #door: Door;
  readonly #typed = new Map<number, number>();

  constructor(door: Door) {
    this.#door = door;
  }

  /** The newest page first; the newest message of a page first. */
  async history({ room, user, ...query }: HistoryOf): Promise<Snapshot<History>> {
    const path = room === undefined ? `/v1/users/${user}/messages` : `/v1/rooms/${room}/messages`;
    return snapshotOf(await this.#door.ask<History>("GET", path, { query }));
  }

  /** What I have not seen; waits for it if asked to. */
  async unseen({ room, signal, ...query }: UnseenOptions = {}): Promise<Unseen> {
    const timeoutMs = (query.wait ?? 0) * 1_000 + this.#door.wire.patience.requestMs;
    const options = { query: { ...query, room_id: room }, signal, timeoutMs };
    return (await this.#door.ask<Unseen>("GET", "/v1/messages/unseen", options)).body;
  }

  async message(id: string): Promise<Message> {
    return (await this.#door.ask<Message>("GET", `/v1/messages/${id}`)).body;
  }

  /** One of mine; an admin deletes anybody's. To delete it again changes nothing. */
  async deleteMessage(id: string): Promise<void> {
    await this.#door.ask("DELETE", `/v1/messages/${id}`);
  }

  /** Everything up to a message, or to a `seq` of a room, was seen. */
  async markSeen(what: { room: number; upTo: string | number } | { message: string }): Promise<void> {
    const body = "message" in what ? { message_ids: [what.message] } : { room_id: what.room, up_to: what.upTo };
    await this.#door.ask("POST", "/v1/messages/seen", { body });
  }

  /** Call it on every key; it never fails, and asks only now and then. */
  typing(room: number): void {
    const now = Date.now();
    if (now - (this.#typed.get(room) ?? 0) < TYPING_EVERY_MS) return;
    this.#typed.set(room, now);
    this.#door.ask("POST", `/v1/rooms/${room}/typing`).catch(() => {});
  }

  /** Who has seen a message, and who has not. */
  async receipts(messageId: string): Promise<Receipts> {
    return (await this.#door.ask<Receipts>("GET", `/v1/messages/${messageId}/receipts`)).body;
  }

  /** Who is online. */
  async presence(userIds: readonly number[]): Promise<Presence["presence"]> {
    const query = { user_ids: userIds.join(",") };
    return (await this.#door.ask<Presence>("GET", "/v1/presence", { query })).body.presence;
  }
}
