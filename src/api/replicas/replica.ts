import pg from "pg";
import { type PoolManners, preparePool } from "../../shared/db/pool.ts";
import type { Logger } from "../../shared/logger.ts";
import { within } from "../../shared/within.ts";

/** Who is not answered in this time asks the primary. */
const ANSWER_WITHIN_MS = 1_000;
/** How often it is looked at, whether it is used or left alone. */
const LOOK_EVERY_MS = 1_000;
const CLOSED = "it is closed";

/** How far a server had come when it answered. */
export interface Standing {
  /** Whether it follows another; one that was promoted goes its own way from then on. */
  readonly follows: boolean;
  readonly epoch: string;
  readonly head: number;
  /** How often somebody was given another name. */
  readonly renames: number;
}

export interface Answer<Row> {
  readonly row: Row | undefined;
  readonly standing: Standing;
}

export interface ReplicaOptions extends Pick<PoolManners, "onStatement"> {
  readonly url: string;
  readonly poolSize: number;
  readonly log: Logger;
  /** What this process has heard of the primary's log. */
  readonly tail: { readonly epoch: string; readonly pos: number };
}

/** One streaming replica: asked while it answers and keeps up, else left alone and looked at again every second. */
export class Replica {
  /** For people: without user and password. */
  readonly name: string;
  readonly #pool: pg.Pool;
  readonly #log: Logger;
  readonly #tail: ReplicaOptions["tail"];
  readonly #timer: NodeJS.Timeout;
  #why: string | undefined = "it has not answered yet";
  #isToldOf = false;
  /** What was heard of the log when it was looked at the time before. */
  #heardBefore = -1;

  constructor({ url, poolSize, log, tail, onStatement }: ReplicaOptions) {
    this.name = URL.parse(url)?.host || "(of DATABASE_REPLICA_URL)";
    this.#log = log;
    this.#tail = tail;
    this.#pool = new pg.Pool({
      connectionString: url,
      types: new pg.TypeOverrides(),
      max: poolSize,
      connectionTimeoutMillis: ANSWER_WITHIN_MS,
      // What has not answered in time may never do so: its connection is given up.
      query_timeout: ANSWER_WITHIN_MS,
      statement_timeout: ANSWER_WITHIN_MS,
      keepAlive: true,
      application_name: "parley replica",
    });
    preparePool({ onStatement })(this.#pool);
    this.#pool.on("error", (error) => this.#leave(error.message));
    this.#timer = setInterval(() => void this.#look(), LOOK_EVERY_MS).unref();
    void this.#look();
  }

  /** Why it is left alone; undefined while it is used. */
  get why(): string | undefined {
    return this.#why;
  }

  /** For a statement that answers one row or none. Undefined if the replica could not say. */
  async ask<Row>(sql: string, parameters: readonly unknown[]): Promise<Answer<Row> | undefined> {
    try {
      const query = this.#pool.query(withStanding(sql), [...parameters]);
      const { standing, found, ...row } = (await within(ANSWER_WITHIN_MS, query)).rows[0];
      return { standing, row: found ? row : undefined };
    } catch (error) {
      this.#leave(error instanceof Error ? error.message : String(error));
      return undefined;
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#why = CLOSED;
    // One that hangs ends with the process.
    await within(ANSWER_WITHIN_MS, this.#pool.end()).catch(() => {});
  }

  async #look(): Promise<void> {
    const { pos } = this.#tail;
    const answer = await this.ask("select", []);
    if (answer) {
      const why = this.#whyNot(answer.standing);
      if (why === undefined) this.#use();
      else this.#leave(why);
    }
    this.#heardBefore = pos;
  }

  #whyNot({ follows, epoch, head }: Standing): string | undefined {
    if (!follows) return "it follows no other server";
    if (epoch !== this.#tail.epoch) return "its log is another one";
    return head < this.#heardBefore ? "it is more than a second behind" : undefined;
  }

  #use(): void {
    if (this.#why === undefined || this.#why === CLOSED) return;
    this.#why = undefined;
    this.#isToldOf = false;
    this.#log.info({ replica: this.name }, "history and lists are read from the replica");
  }

  #leave(why: string): void {
    if (this.#why === CLOSED) return;
    this.#why = why;
    if (this.#isToldOf) return;
    this.#isToldOf = true;
    this.#log.warn({ replica: this.name, reason: why }, "the replica is left alone; the primary answers for it");
  }
}

/** In one statement, so that the answer is the state at the standing. */
const withStanding = (sql: string): string => `
  select jsonb_build_object(
      'follows', pg_is_in_recovery(), 'epoch', h.epoch, 'head', h.head, 'renames', h.renames) as standing, answer.*
  from log_head h left join (select true as found, one.* from (${sql}) one) answer on true`;
