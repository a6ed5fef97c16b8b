import { setTimeout as sleep } from "node:timers/promises";
import { type Migration, MigrationRunner, Migrator as PlainMigrator } from "@mikro-orm/migrations";
import type { MikroORM } from "@mikro-orm/postgresql";
import type { Logger } from "../logger.ts";
import { sqlState } from "./database.ts";

/** A change that waits for a table holds up everybody who comes after it: it waits for a moment only. */
export const LOCK_WITHIN_MS = 250;
/** And then lets them through before it asks again. */
const ASK_AGAIN_MS = 500;
const TELL_EVERY = 40;

/** Lock not to be had in time; deadlock with whoever was in the middle of something. */
const IN_THE_WAY = new Set(["55P03", "40P01"]);

/** Changes the tables beside the traffic: asks for their locks again and again instead of queueing for them. */
export function patientMigrator(log: Logger): typeof PlainMigrator {
  // Under this name: the ORM brings its own unless it finds one that is called so.
  return class Migrator extends PlainMigrator {
    static override register(orm: MikroORM): void {
      orm.config.registerExtension("@mikro-orm/migrator", () => new Migrator(orm.em));
    }

    protected override createRunner(): MigrationRunner {
      return new PatientRunner(this.driver, this.options, this.config, log);
    }
  };
}

type RunnerArguments = ConstructorParameters<typeof MigrationRunner>;

class PatientRunner extends MigrationRunner {
  readonly #log: Logger;

  constructor(...[driver, options, config, log]: [...RunnerArguments, Logger]) {
    super(driver, options, config);
    this.#log = log;
  }

  override async run(...[migration, method, afterRun]: Parameters<MigrationRunner["run"]>): Promise<void> {
    const whole = (): Promise<void> => super.run(migration, method, afterRun);
    if (migration.isTransactional()) return this.#patiently(migration, whole);
    migration.reset();
    await migration[method]();
    // Statement by statement: an index that is made need not be made again because the next one had to wait.
    for (const sql of migration.getQueries()) await this.#alone(migration, String(sql));
    await afterRun?.();
  }

  async #alone(migration: Migration, sql: string): Promise<void> {
    // What is made beside the traffic waits for whoever was there before it, and nobody waits for it.
    const waitMs = /\bconcurrently\b/i.test(sql) ? 0 : LOCK_WITHIN_MS;
    await this.#patiently(migration, async () => void (await this.driver.execute(sql)), waitMs);
  }

  async #patiently(migration: Migration, work: () => Promise<void>, waitMs = LOCK_WITHIN_MS): Promise<void> {
    await this.driver.execute(`set lock_timeout = ${waitMs}`);
    for (let attempt = 0; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        if (!IN_THE_WAY.has(sqlState(error) ?? "")) throw error;
        const told = { migration: migration.name, reason: String(error) };
        if (attempt % TELL_EVERY === 0) this.#log.warn(told, "another transaction is in the way: waiting for its end");
        await sleep(ASK_AGAIN_MS);
      }
    }
  }
}
