import { type EntityManager, rows } from "../db/database.ts";
import { append, type PlacedMessage } from "./append.ts";
import { channels, type NewEntry } from "./entry.ts";
import { closeMemberships, openMemberships } from "./memberships.ts";

interface Turn {
  readonly roomId: number;
  readonly userId: number;
  /** The index of the entry that makes it true. */
  readonly entry: number;
}

/**
 * What a transaction wants in the log, collected while it works and written once, at its end: the lock on the log's
 * head is the last one taken and the shortest held.
 */
export class LogWrites {
  readonly messages: PlacedMessage[] = [];
  readonly entries: NewEntry[] = [];
  readonly #joins: Turn[] = [];
  readonly #leaves: Turn[] = [];
  /** Tasks that end without an entry of their own. */
  readonly silentTasks: string[] = [];

  add(entry: NewEntry): void {
    this.entries.push(entry);
  }

  /** Their reading of the room begins with the entry added last. */
  joined(roomId: number, userId: number): void {
    this.#joins.push({ roomId, userId, entry: this.entries.length - 1 });
  }

  /** Their reading of the room ends with the entry added last. */
  left(roomId: number, userId: number): void {
    this.#leaves.push({ roomId, userId, entry: this.entries.length - 1 });
  }

  /** Whether something else is written once the entries have their positions. */
  get needsPositions(): boolean {
    return this.#joins.length + this.#leaves.length > 0;
  }

  /** @returns the position of the first entry, if there is any. */
  async flush(tx: EntityManager): Promise<number | undefined> {
    // Sent together, and both waited for: with a connection that breaks both fail.
    const [first] = await Promise.all([this.#write(tx), this.#tellSilentTasks(tx)]);
    return first;
  }

  async #write(tx: EntityManager): Promise<number | undefined> {
    if (this.entries.length + this.messages.length === 0) return undefined;
    const first = (await append(tx, this)) + 1;
    const at = ({ roomId, userId, entry }: Turn) => ({ roomId, userId, pos: first + entry });
    await openMemberships(tx, this.#joins.map(at));
    await closeMemberships(tx, this.#leaves.map(at));
    return first;
  }

  async #tellSilentTasks(tx: EntityManager): Promise<void> {
    if (this.silentTasks.length === 0) return;
    await rows(tx, `select pg_notify('${channels.task}', id) from unnest($1::text[]) as t (id)`, [this.silentTasks]);
  }
}
