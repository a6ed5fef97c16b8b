import pg from "pg";
import { type Answer, type CallOptions, call } from "../../calls.ts";
import { demoSettings, type Settings, type Started, startApi, startWorkerProcess } from "../../processes.ts";
import { freshDatabase, numbersForInt8 } from "../../services.ts";
import type { Which } from "./script.ts";

/** One API as it was when somebody turned to it. */
export interface Reached {
  readonly which: Which;
  readonly url: string;
  /** Whether it has been killed since: then a broken connection is what one must expect. */
  wasKilled(): boolean;
}

/** An answer, and whether an earlier try got none: that one may have been done all the same. */
export type Told = Answer & { readonly again: boolean };

interface Place {
  process: Started;
  kills: number;
  isDown: boolean;
}

/** Two APIs and two workers on one database and one queue; never both APIs are down. */
export class Cluster {
  readonly sql: pg.Pool;
  readonly #settings: Settings;
  readonly #places: readonly [Place, Place];
  readonly #workers: readonly Started[];
  readonly #drop: () => Promise<void>;
  #kills: Promise<void> = Promise.resolve();

  private constructor(
    settings: Settings,
    apis: readonly Started[],
    workers: readonly Started[],
    drop: () => Promise<void>,
  ) {
    this.#settings = settings;
    this.#places = apis.map((process) => ({ process, kills: 0, isDown: false })) as unknown as readonly [Place, Place];
    this.#workers = workers;
    this.#drop = drop;
    this.sql = new pg.Pool({ connectionString: settings["DATABASE_URL"], max: 20, types: numbersForInt8() });
    // A connection that is still saying goodbye when the database is dropped is cut off; that is all it can fail by.
    this.sql.on("error", () => undefined);
  }

  static async start(): Promise<Cluster> {
    const database = await freshDatabase();
    const settings = demoSettings(database.url);
    const [apis, workers] = await Promise.all([
      Promise.all([startApi(settings), startApi(settings)]),
      Promise.all([startWorkerProcess(settings), startWorkerProcess(settings)]),
    ]);
    return new Cluster(settings, apis, workers, database.drop);
  }

  /** The API that is wanted, or the other one while that one is down. */
  reach(wanted: Which): Reached {
    const which = this.#places[wanted].isDown ? other(wanted) : wanted;
    const place = this.#places[which];
    const { kills } = place;
    return { which, url: place.process.url, wasKilled: () => place.kills !== kills };
  }

  /** Asks until there is an answer; only the kill of the API that was asked excuses that there is none. */
  async ask(wanted: Which, method: string, path: string, options: CallOptions): Promise<Told> {
    for (let again = false; ; again = true) {
      const api = this.reach(wanted);
      try {
        return { ...(await call(api, method, path, options)), again };
      } catch (error) {
        if (!(error instanceof TypeError) || !api.wasKilled()) throw error;
      }
    }
  }

  /** One after the other: the next is killed when the one before is back. */
  kill(which: Which): Promise<void> {
    this.#kills = this.#kills.then(async () => {
      const place = this.#places[which];
      place.isDown = true;
      place.kills++;
      await place.process.end();
      place.process = await startApi(this.#settings);
      place.isDown = false;
    });
    return this.#kills;
  }

  /** It neither hears nor sees until it is let go again. */
  freeze(which: Which): () => void {
    const { process } = this.#places[which];
    process.signal("SIGSTOP");
    return () => process.signal("SIGCONT");
  }

  async rows<Row extends pg.QueryResultRow>(text: string, parameters: readonly unknown[] = []): Promise<Row[]> {
    return (await this.sql.query<Row>(text, [...parameters])).rows;
  }

  async close(): Promise<void> {
    await this.#kills.catch(() => undefined);
    await Promise.all(
      [...this.#places.map(({ process }) => process), ...this.#workers].map((process) => process.end()),
    );
    await this.sql.end();
    await this.#drop();
  }
}

const other = (which: Which): Which => (which === 0 ? 1 : 0);
