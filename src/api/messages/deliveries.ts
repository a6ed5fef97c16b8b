import { type EntityManager, rows } from "../../shared/db/database.ts";
import type { MessageRow } from "../../shared/db/message-row.ts";
import type { Entry } from "../../shared/log/entry.ts";
import type { Logger } from "../../shared/logger.ts";

/** One statement for all that was delivered in between: no answer waits for it. */
const WRITE_EVERY_MS = 250;
const MOST_AT_ONCE = 5_000;
/** What waits for a database that is away; beyond it is forgotten, which is told. */
const MOST_WAITING = 20_000;
/** Those that were delivered lately are mostly delivered again, to others: so many are remembered, twice over. */
const REMEMBERED = 10_000;

interface DeliveriesDeps {
  readonly em: EntityManager;
  readonly log: Logger;
  readonly now: () => number;
}

/** When each message was first handed to somebody else than its sender, by whatever way they read. */
export class Deliveries {
  readonly #deps: DeliveriesDeps;
  #ids: string[] = [];
  #times: number[] = [];
  #lately = new Set<string>();
  #before = new Set<string>();
  #forgotten = 0;
  #isAway = false;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;

  constructor(deps: DeliveriesDeps) {
    this.#deps = deps;
  }

  /** Entries of the log, as they go out to this user. */
  ofEntries(entries: readonly Entry[], userId: number): void {
    for (const { message } of entries) if (message && message.sender_id !== userId) this.add(message.id);
  }

  /** A page of messages. Of what was seen before it is known that it was delivered. */
  ofPage(messages: readonly MessageRow[], userId: number): void {
    for (const { id, sender_id, seen_by_count } of messages) {
      if (sender_id !== userId && seen_by_count === 0) this.add(id);
    }
  }

  add(messageId: string): void {
    if (this.#lately.has(messageId) || this.#before.has(messageId)) return;
    if (this.#ids.length >= MOST_WAITING) return void this.#forgotten++;
    if (this.#lately.size >= REMEMBERED) [this.#before, this.#lately] = [this.#lately, new Set()];
    this.#lately.add(messageId);
    this.#ids.push(messageId);
    this.#times.push(this.#deps.now());
    this.#timer ??= setTimeout(() => void this.#writeAll(), WRITE_EVERY_MS).unref();
  }

  /** What is still held is written, if the database is there. */
  async stop(): Promise<void> {
    await this.#writing;
    clearTimeout(this.#timer);
    await this.#writeAll();
    clearTimeout(this.#timer);
  }

  #writeAll(): Promise<void> {
    this.#writing = this.#write().finally(() => {
      this.#timer = this.#ids.length > 0 ? setTimeout(() => void this.#writeAll(), WRITE_EVERY_MS).unref() : undefined;
    });
    return this.#writing;
  }

  async #write(): Promise<void> {
    while (this.#ids.length > 0) {
      const ids = this.#ids.slice(0, MOST_AT_ONCE);
      try {
        await rows(this.#deps.em, recordSql, [ids, this.#times.slice(0, MOST_AT_ONCE)]);
      } catch (error) {
        if (!this.#isAway) this.#deps.log.warn({ reason: String(error) }, "deliveries can't be recorded");
        this.#isAway = true;
        return;
      }
      this.#ids.splice(0, ids.length);
      this.#times.splice(0, ids.length);
      this.#isHere();
    }
  }

  #isHere(): void {
    if (this.#isAway) this.#deps.log.info({ forgotten: this.#forgotten }, "deliveries are recorded again");
    this.#isAway = false;
    this.#forgotten = 0;
  }
}

/** In the order of their ids: two processes that record the same messages wait for each other, and never for ever. */
const recordSql = `
  insert into deliveries (message_id, at)
  select id, to_timestamp(ms / 1000) from unnest($1::uuid[], $2::float8[]) as t (id, ms) order by id
  on conflict do nothing`;
