import { DeadlockException } from "@mikro-orm/core";
import type { Migrator } from "@mikro-orm/migrations";
import { type EntityManager, MikroORM, type PostgreSqlConnection } from "@mikro-orm/postgresql";
import { CompiledQuery, type Kysely } from "kysely";
import type pg from "pg";
import { withHost } from "../address.ts";
import type { Logger } from "../logger.ts";
import { within } from "../within.ts";
import { entities } from "./entities.ts";
import { forKeptPlans } from "./kept-plans.ts";
import { migrations } from "./migrations/index.ts";
import { type PoolManners, preparePool } from "./pool.ts";

export type { EntityManager } from "@mikro-orm/postgresql";
export type Orm = MikroORM;

export interface DatabaseOptions extends PoolManners {
  readonly url: string;
  readonly poolSize: number;
  readonly log: Logger;
  /** 0 for as long as it takes. */
  readonly statementTimeoutMs?: number;
  /** For whoever changes the tables. */
  readonly migrator?: typeof Migrator;
  readonly lockTimeoutMs?: number;
}

export async function openDatabase({
  url,
  poolSize,
  log,
  statementTimeoutMs = 30_000,
  migrator,
  lockTimeoutMs = 0,
  ...manners
}: DatabaseOptions): Promise<Orm> {
  return MikroORM.init({
    // For the name of the database alone.
    clientUrl: withHost(url),
    entities,
    extensions: migrator ? [migrator] : [],
    // Each migration in a transaction of its own, or in none: an index that is made beside the traffic refuses one.
    migrations: {
      migrationsList: migrations,
      tableName: "migrations",
      snapshot: false,
      silent: true,
      allOrNothing: false,
    },
    pool: { min: 0, max: poolSize },
    driverOptions: {
      // Read by the driver, as everywhere else: the ORM takes no notice of what is asked in it, `sslmode` above all.
      connectionString: url,
      onPoolCreated: preparePool(manners),
      // A database that hangs is a database that is away; parked reads do not hold a connection.
      connectionTimeoutMillis: 5_000,
      keepAlive: true,
      statement_timeout: statementTimeoutMs,
      lock_timeout: lockTimeoutMs,
      // Whoever stands still in the middle of a transaction holds up all who need its locks.
      idle_in_transaction_session_timeout: 5_000,
      application_name: "parley",
      ...(manners.keepPlans && forKeptPlans),
    },
    // Loading is explicit everywhere: no request shares another's identity map.
    allowGlobalContext: true,
    logger: (line) => log.warn({ orm: line }, "database"),
    colors: false,
    debug: false,
  });
}

/** A database that hangs is a database that is away: whoever asked is told so, and not left to wait. */
const ANSWER_WITHIN_MS = 5_000;

/** Plain SQL with bound parameters, inside the manager's transaction if it has one. */
export async function rows<Row>(em: EntityManager, text: string, parameters: readonly unknown[] = []): Promise<Row[]> {
  const query = CompiledQuery.raw(text, [...parameters]);
  const transaction = em.getTransactionContext<Kysely<unknown>>();
  // A transaction is not left alone half-done: it waits, however long that is.
  if (transaction) return (await transaction.executeQuery<Row>(query)).rows;
  const client = em.getConnection().getClient<unknown>();
  return (await within(ANSWER_WITHIN_MS, client.executeQuery<Row>(query))).rows;
}

export async function oneRow<Row>(
  em: EntityManager,
  text: string,
  parameters: readonly unknown[] = [],
): Promise<Row | undefined> {
  return (await rows<Row>(em, text, parameters))[0];
}

/** Deadlocks and serialisation failures: Postgres asks for the transaction to be run again. */
const ASKS_AGAIN = new Set(["40001", "40P01"]);

/**
 * The one way to open a transaction: the outermost command opens it, the rest take `tx`. It runs again when Postgres
 * asks, so the callback loads its own rows and touches nothing else.
 */
export const inTransaction = <T>(em: EntityManager, work: Work<T>, attempts = 3): Promise<T> =>
  untilItHolds(transact, em, work, attempts);

/**
 * The same on a pool that keeps its plans, for plain SQL alone: statements that are sent together travel together, and
 * what the callback has not waited for is waited for with the commit.
 */
export const inPipeline = <T>(em: EntityManager, work: Work<T>, attempts = 3): Promise<T> =>
  untilItHolds(transactInPipeline, em, work, attempts);

type Work<T> = (tx: EntityManager) => Promise<T>;

async function untilItHolds<T>(
  attemptIt: (em: EntityManager, work: Work<T>) => Promise<T>,
  em: EntityManager,
  work: Work<T>,
  attempts: number,
): Promise<T> {
  if (em.isInTransaction()) throw new Error("a transaction inside a transaction: pass `tx` down instead");
  for (let attempt = 1; ; attempt++) {
    try {
      return await attemptIt(em, work);
    } catch (error) {
      const asksAgain = error instanceof DeadlockException || ASKS_AGAIN.has(sqlState(error) ?? "");
      if (attempt >= attempts || !asksAgain) throw error;
    }
  }
}

/** Not the manager's own `transactional`: a connection that breaks in the middle it never gives back to the pool. */
function transact<T>(em: EntityManager, work: Work<T>): Promise<T> {
  const client = em.getConnection().getClient<unknown>();
  return client.transaction().execute(async (transaction) => {
    const tx = em.fork({ clear: true });
    tx.setTransactionContext(transaction);
    const result = await work(tx);
    await tx.flush();
    return result;
  });
}

async function transactInPipeline<T>(em: EntityManager, work: Work<T>): Promise<T> {
  const pool = await (em.getConnection() as PostgreSqlConnection).getNativeClient();
  const client = await pool.connect();
  const sent: Promise<unknown>[] = [];
  const send = (sql: string, parameters?: unknown[]): Promise<pg.QueryResult> => {
    const answer = client.query(sql, parameters);
    answer.catch(() => {}); // it is told at the end, whoever waited for it
    sent.push(answer);
    return answer;
  };
  let broken: unknown;
  try {
    void send("begin");
    const tx = em.fork({ clear: true });
    tx.setTransactionContext({ executeQuery: (query: CompiledQuery) => send(query.sql, [...query.parameters]) });
    const result = await work(tx);
    void send("commit");
    await Promise.all(sent);
    return result;
  } catch (error) {
    await client.query("rollback").catch((cause: unknown) => {
      broken = cause;
    });
    throw error;
  } finally {
    client.release(broken !== undefined);
  }
}

/** The SQLSTATE of a driver's error, also where the ORM has wrapped it. */
export function sqlState(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code } = error as { code?: unknown };
  return typeof code === "string" ? code : sqlState(error.cause);
}

/** The constraint that an error names, so that errors are told apart by name and never by words. */
export function violatedConstraint(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { constraint } = error as { constraint?: unknown };
  return typeof constraint === "string" ? constraint : violatedConstraint(error.cause);
}

/** Whether the database could not do its work for the moment, as against having refused this piece of it. */
export function isDatabaseAway(error: unknown): boolean {
  const state = sqlState(error);
  if (state === undefined)
    return (
      error instanceof Error &&
      /timeout exceeded when trying to connect|Connection terminated|not queryable/.test(error.message)
    );
  // 08: connection; 57P: shutdown, crash, starting up; 53: disk full, out of memory, too many connections; 58: the
  // system under it fails; 25006: another server is the primary now; 25P03: we stood still in a transaction; 40…: it
  // asks again; E…: the socket's own errors.
  const passing = /^(08|57P0|53|58|25006|25P03|40001|40P01|ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH)/;
  return passing.test(state);
}
