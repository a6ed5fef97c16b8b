import { randomBytes } from "node:crypto";
import pg from "pg";
import { freePort } from "../../../src/local/free-port.ts";
import { type Settings, type Started, startApi, startWorkerProcess } from "../../processes.ts";
import { freshDatabase, numbersForInt8 } from "../../services.ts";
import { Relay } from "./relay.ts";
import type { Servers } from "./servers.ts";

export type Carrier = "redis" | "postgres";

export interface StageOptions {
  readonly servers: Servers;
  /** What carries the queue. */
  readonly carrier: Carrier;
  /** Whether the processes reach their servers through relays, which can cut the connections. */
  readonly relayed: boolean;
}

/** A process that can be taken away and started again in the same place: an API keeps its port. */
export class Place {
  process: Started;
  readonly #start: () => Promise<Started>;

  private constructor(process: Started, start: () => Promise<Started>) {
    this.process = process;
    this.#start = start;
  }

  static async of(start: () => Promise<Started>): Promise<Place> {
    return new Place(await start(), start);
  }

  async kill(): Promise<void> {
    this.process.signal("SIGKILL");
    await this.process.exited;
  }

  /** As a supervisor does it. */
  async start(): Promise<void> {
    this.process = await this.#start();
  }

  /** It neither hears nor sees until it is let go on. */
  freeze(): () => void {
    const { process } = this;
    process.signal("SIGSTOP");
    return () => process.signal("SIGCONT");
  }
}

/** Two APIs and two workers on a database and a queue of their own: what a fault is let loose on. */
export class Stage {
  readonly servers: Servers;
  readonly carrier: Carrier;
  readonly databaseUrl: string;
  readonly apis: readonly Place[];
  readonly workers: readonly Place[];
  readonly relays: readonly Relay[];
  readonly #drop: () => Promise<void>;

  private constructor(
    { servers, carrier }: StageOptions,
    made: Pick<Stage, "databaseUrl" | "apis" | "workers" | "relays">,
    drop: () => Promise<void>,
  ) {
    this.servers = servers;
    this.carrier = carrier;
    this.databaseUrl = made.databaseUrl;
    this.apis = made.apis;
    this.workers = made.workers;
    this.relays = made.relays;
    this.#drop = drop;
  }

  static async set(options: StageOptions): Promise<Stage> {
    const { servers, carrier, relayed } = options;
    const database = await freshDatabase(servers.postgres.url);
    const urls = [database.url, ...(carrier === "redis" ? [servers.redis.url] : [])];
    const relays = relayed ? await Promise.all(urls.map((url) => Relay.before(url))) : [];
    const [DATABASE_URL, REDIS_URL] = relayed ? relays.map(({ url }) => url) : urls;
    const settings: Settings = {
      DATABASE_URL,
      REDIS_URL,
      QUEUE_NAME: `faults-${randomBytes(6).toString("hex")}`,
      AUTH_MODE: "demo",
      HOST: "127.0.0.1",
      LOG_LEVEL: "fatal",
      // Counted as in production, and never reached.
      RATE_LIMITS: "on",
      RATE_SENDS: "1000000",
      RATE_READS: "1000000",
      NODE_OPTIONS: `--import=${new URL("step-clock.ts", import.meta.url).href}`,
    };
    const api = async () => {
      const PORT = String(await freePort());
      return Place.of(() => startApi({ ...settings, PORT }));
    };
    const worker = () => Place.of(() => startWorkerProcess(settings));
    const [apis, workers] = await Promise.all([Promise.all([api(), api()]), Promise.all([worker(), worker()])]);
    return new Stage(options, { databaseUrl: database.url, apis, workers, relays }, database.drop);
  }

  get places(): readonly Place[] {
    return [...this.apis, ...this.workers];
  }

  get urls(): string[] {
    return this.apis.map(({ process }) => process.url);
  }

  /** A connection of our own to the database, for as long as the work takes; never through a relay. */
  async withDatabase<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    const client = new pg.Client({
      connectionString: this.databaseUrl,
      types: numbersForInt8(),
      application_name: OURS,
    });
    client.on("error", () => {}); // whoever asks next is told
    await client.connect();
    try {
      return await work(client);
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  async clear(): Promise<void> {
    await Promise.all(this.places.map(({ process }) => process.end()));
    await Promise.all(this.relays.map((relay) => relay.close()));
    await this.#drop();
  }
}

/** By which a fault tells our own connections from those of the product. */
export const OURS = "faults";
