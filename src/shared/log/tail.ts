import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { forKeptPlans, keepPlans } from "../db/kept-plans.ts";
import { messageColumns, messageOf } from "../db/message-row.ts";
import type { Logger } from "../logger.ts";
import { channels, type Entry, type EntryRow, toEntry } from "./entry.ts";
import { Pace } from "./pace.ts";

const PAGE = 500;
/** The NOTIFY of a commit may get lost with its connection; this is how long that can delay anybody. */
const CHECK_EVERY_MS = 1_000;
const RECONNECT_MS = { first: 100, most: 2_000 };

export interface TailEvents {
  /** New entries, in order, each exactly once; with when this process first heard of them. */
  onEntries(entries: readonly Entry[], heardAt: number): void;
  /** A task ended that left no entry. */
  onTask(taskId: string): void;
  /** A user changed; `undefined` when some may have changed unheard. */
  onUser(userId: number | undefined): void;
  /** A credential ended; `undefined` when some may have ended unheard. */
  onCredential(name: string | undefined): void;
  /** Somebody types, comes or goes. */
  onEphemeral(payload: string): void;
  /** The log is another one than before (a restored backup), or part of it went unread: nothing remembered holds. */
  onReset(): void;
}

/**
 * Reads every new log entry exactly once: one connection, one query for each growth of the log, however many readers
 * wait. Survives the loss of its connection, and goes on from where it was.
 */
export class Tail {
  readonly #url: string;
  readonly #events: TailEvents;
  readonly #log: Logger;
  #client: pg.Client | undefined;
  #pos = -1;
  #reconnects = 0;
  #entries = 0;
  /** When growth was announced that no query has been asked for yet. */
  #heardAt: number | undefined;
  readonly #pace = new Pace();
  #epoch = "";
  #reading: Promise<void> | undefined;
  #again = false;
  #stopped = false;
  #timer: NodeJS.Timeout | undefined;
  #retryMs = RECONNECT_MS.first;

  constructor(options: { url: string; events: TailEvents; log: Logger }) {
    this.#url = options.url;
    this.#events = options.events;
    this.#log = options.log;
  }

  /** The last position handed out. */
  get pos(): number {
    return this.#pos;
  }

  get epoch(): string {
    return this.#epoch;
  }

  get connected(): boolean {
    return this.#client !== undefined;
  }

  /** How often it has come back after it had lost its connection. */
  get reconnects(): number {
    return this.#reconnects;
  }

  /** How many entries it has read. */
  get entries(): number {
    return this.#entries;
  }

  /** Resolves once the tail stands at the head of the log. */
  async start(): Promise<void> {
    await this.#connect();
    this.#timer = setInterval(() => this.#read(), CHECK_EVERY_MS);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    const client = this.#client;
    this.#client = undefined;
    await client?.end().catch(() => undefined);
    await this.#reading;
  }

  async #connect(): Promise<void> {
    const client = new pg.Client({
      connectionString: this.#url,
      application_name: "parley tail",
      keepAlive: true,
      connectionTimeoutMillis: 5_000,
      // A statement that hangs would hold up every reader: better to start over on a new connection.
      query_timeout: 10_000,
      types: numbersForInt8(),
      ...forKeptPlans,
    });
    keepPlans(client);
    client.on("error", () => this.#lost(client));
    client.on("end", () => this.#lost(client));
    client.on("notification", ({ channel, payload }) => this.#notified(channel, payload ?? ""));
    try {
      await client.connect();
      // Listening comes first: what commits from here on is announced, what committed before is read.
      for (const channel of Object.values(channels)) await client.query(`listen ${channel}`);
      await this.#findHead(client);
    } catch (error) {
      void client.end().catch(() => undefined);
      throw error;
    }
    if (this.#stopped) return void client.end().catch(() => undefined);
    this.#client = client;
    this.#retryMs = RECONNECT_MS.first;
    // Whoever waits is told late of what came meanwhile, but this process hears of it now.
    this.#heardAt = undefined;
    this.#read();
  }

  async #findHead(client: pg.Client): Promise<void> {
    const { rows } = await client.query<Head>("select epoch, head, kept_after from log_head");
    const [row] = rows;
    if (!row) throw new Error("log_head has no row: the database is not migrated");
    const another = row.epoch !== this.#epoch || row.head < this.#pos || row.kept_after > this.#pos;
    if (another) this.#pos = row.head;
    if (another && this.#epoch !== "") this.#events.onReset();
    this.#epoch = row.epoch;
    this.#events.onUser(undefined);
    this.#events.onCredential(undefined);
  }

  #notified(channel: string, payload: string): void {
    if (channel === channels.task) this.#events.onTask(payload);
    else if (channel === channels.users) this.#events.onUser(Number(payload));
    else if (channel === channels.ephemeral) this.#events.onEphemeral(payload);
    else if (channel === channels.credentials) this.#events.onCredential(payload);
    else this.#read();
  }

  /** One query at a time; growth that is announced meanwhile is read right after. */
  #read(): void {
    this.#heardAt ??= performance.now();
    if (this.#reading) {
      this.#again = true;
      return;
    }
    this.#reading = this.#gather().finally(() => {
      this.#reading = undefined;
      if (this.#again) {
        this.#again = false;
        this.#read();
      }
    });
  }

  async #gather(): Promise<void> {
    const { waitMs } = this.#pace;
    if (waitMs > 0) await sleep(waitMs);
    this.#pace.read();
    await this.#readToHead();
  }

  async #readToHead(): Promise<void> {
    for (;;) {
      const client = this.#client;
      if (!client) return;
      const heardAt = this.#heardAt ?? performance.now();
      this.#heardAt = undefined;
      try {
        const { rows } = await client.query<EntryRow>(tailSql, [this.#pos, PAGE]);
        if (rows.length > 0) this.#handOut(rows.map(toEntry), heardAt);
        if (rows.length < PAGE) return;
      } catch (error) {
        this.#log.warn({ error }, "the tail could not read the log");
        return this.#lost(client);
      }
    }
  }

  #handOut(entries: readonly Entry[], heardAt: number): void {
    // Who stood still for longer than the log is kept goes on behind a gap: nothing that was remembered leads up to it.
    if (entries[0]!.pos !== this.#pos + 1) this.#events.onReset();
    this.#pos = entries.at(-1)!.pos;
    this.#entries += entries.length;
    this.#events.onEntries(entries, heardAt);
  }

  #lost(client: pg.Client): void {
    if (client !== this.#client) return;
    this.#client = undefined;
    void client.end().catch(() => undefined);
    this.#log.warn("the tail lost its connection");
    this.#reconnectLater();
  }

  #reconnectLater(): void {
    if (this.#stopped) return;
    setTimeout(() => {
      if (this.#stopped) return;
      this.#connect().then(
        () => {
          this.#reconnects++;
          this.#log.info("the tail is connected again");
        },
        () => this.#reconnectLater(),
      );
    }, this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, RECONNECT_MS.most);
  }
}

interface Head {
  readonly epoch: string;
  readonly head: number;
  readonly kept_after: number;
}

/**
 * Written so that no statistics can spoil it: the range is cut off on the primary key first, then each message is
 * looked up by its key.
 */
export const tailSql = `
  select l.*, x.message
  from (select * from log where pos > $1 order by pos limit $2) l
  left join lateral (
    select to_jsonb(one) as message
    from (
      select ${messageColumns}, 0 as seen_by_count from ${messageOf("l.message_id")}
    ) one
    limit 1
  ) x on true
  order by l.pos`;

function numbersForInt8(): pg.CustomTypesConfig {
  const types = new pg.TypeOverrides();
  types.setTypeParser(pg.types.builtins.INT8, Number);
  return types as pg.CustomTypesConfig;
}
