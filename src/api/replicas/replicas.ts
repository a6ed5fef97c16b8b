import { type EntityManager, oneRow } from "../../shared/db/database.ts";
import type { Newest } from "./newest.ts";
import { Replica, type ReplicaOptions, type Standing } from "./replica.ts";

/** A list that a replica may answer, in one row or none; whoever may not see it gets none. */
export interface ListQuery {
  readonly sql: string;
  readonly parameters: readonly unknown[];
  readonly newest: Newest;
}

interface Needed extends Omit<Standing, "follows"> {
  readonly newest: number;
}

/** What history and lists are read from where `DATABASE_REPLICA_URL` is set. */
export class Replicas {
  readonly all: readonly Replica[];
  #turn = 0;
  /** Lists that a replica has answered; that none was asked for; and that one was asked for in vain. */
  readonly reads = { replica: 0, primary: 0, fallback: 0 };

  constructor(urls: readonly string[], options: Omit<ReplicaOptions, "url">) {
    this.all = urls.map((url) => new Replica({ ...options, url }));
  }

  /** What whoever runs this should know of. */
  get warnings(): string[] {
    return this.all.flatMap(({ name, why }) => (why === undefined ? [] : [`replica ${name} is left alone: ${why}`]));
  }

  /**
   * The list from a replica; undefined if the primary has to be asked for it.
   *
   * The primary is asked at the same time, by key, how far the log had come and where the list changed last. A replica
   * that has come as far as that change has the list as it is on the primary, so that nobody is shown less than what
   * they were told before, by whichever process; and the list is the state at the later of the two heads.
   */
  async read<Row extends object>(list: ListQuery, em: EntityManager): Promise<Row | undefined> {
    const replica = this.#next();
    if (!replica) {
      this.reads.primary++;
      return undefined;
    }
    const [answer, needed] = await Promise.all([
      replica.ask<Row>(list.sql, list.parameters),
      oneRow<Needed>(em, neededSql(list.newest.sql), list.newest.parameters),
    ]);
    if (!answer?.row || !needed || !hasAll(answer.standing, needed)) {
      this.reads.fallback++;
      return undefined;
    }
    this.reads.replica++;
    return { ...answer.row, head: Math.max(answer.standing.head, needed.head) };
  }

  async close(): Promise<void> {
    await Promise.all(this.all.map((replica) => replica.close()));
  }

  /** In turns, of those that are used. */
  #next(): Replica | undefined {
    const used = this.all.filter(({ why }) => why === undefined);
    return used[this.#turn++ % used.length];
  }
}

const hasAll = ({ follows, epoch, head, renames }: Standing, needed: Needed): boolean =>
  follows && epoch === needed.epoch && head >= needed.newest && renames >= needed.renames;

/** What was swept from the log may have been of this list. */
export const neededSql = (newestSql: string): string => `
  select h.epoch, h.head, h.renames, greatest(list.newest, h.kept_after) as newest
  from log_head h cross join (${newestSql}) list`;
