import { nodeFlags } from "../api/node-flags.ts";
import { type Env, isLoopback } from "../shared/env.ts";
import { forgetServers, tellServers } from "../shared/running-servers.ts";
import { PART_STOP_MS, type Part, runScript, startPart } from "./part.ts";
import type { Screen } from "./screen.ts";
import { providePostgres, provideRedis, type Server } from "./servers.ts";
import { type Kept, supervise } from "./supervise.ts";
import { settlesWithin, together } from "./within.ts";

/** The files that the parts of the system are started from. */
export interface Scripts {
  readonly migrate: string;
  readonly worker: string;
  readonly api: string;
  readonly seeds: string;
  readonly page: string;
}

export interface SystemOptions {
  readonly env: Env;
  /** What the parts inherit, with our own choices laid over it. */
  readonly source: NodeJS.ProcessEnv;
  readonly scripts: Scripts;
  readonly screen: Screen;
  /** Calls the start off. */
  readonly signal: AbortSignal;
}

// What Redis and Postgres still get when the parts have used up all their time; 10 s is what all of it may take.
const SERVER_STOP_MS = 1_500;

/** Everything on one machine. Rejects with nothing left running. */
export async function startSystem(options: SystemOptions): Promise<System> {
  const system = new System(options);
  try {
    await system.start();
    return system;
  } catch (error) {
    await system.stop();
    throw error;
  }
}

export class System {
  url = "";
  seeded = false;
  readonly #options: SystemOptions;
  readonly #servers: Kept[] = [];
  #worker: Kept | undefined;
  #api: Kept | undefined;

  constructor(options: SystemOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const env = await this.#startServers();
    const { scripts, signal } = this.#options;
    await this.#tellServers(env);
    const migrate = (): Promise<void> => runScript({ name: "migrate", path: scripts.migrate, env, signal });
    await this.#step(migrate, () => "tables up to date");
    await together(signal, [
      (either) => this.#buildPage(env, either),
      (either) => this.#startWorker(env, either),
      (either) => this.#startApi(env, either),
    ]);
    await this.#seed(env);
  }

  /** Takes at most 10 s, whatever hangs. */
  async stop(): Promise<void> {
    // What ends before its turn (a second Ctrl-C ends all at once) must not come back.
    for (const kept of [this.#api, this.#worker, ...this.#servers]) kept?.letGo();
    const until = performance.now() + PART_STOP_MS;
    const left = (): number => Math.max(until - performance.now(), 0);
    const api = this.#api?.stop(PART_STOP_MS) ?? Promise.resolve();
    // First, so that nothing new is accepted; but a slow one must not use up the worker's time as well.
    await settlesWithin(PART_STOP_MS / 2, api);
    await Promise.all([api, this.#worker?.stop(left())]);
    await Promise.all(this.#servers.map((server) => server.stop(left() + SERVER_STOP_MS)));
    await forgetServers(this.#options.env.DATA_DIR);
  }

  /** Returns the environment of the parts. */
  async #startServers(): Promise<NodeJS.ProcessEnv> {
    const { env, source, signal, screen } = this.#options;
    const context = { env, signal, tell: screen.warn };
    const postgres = await this.#server(() => providePostgres(context));
    const redis = await this.#server(() => provideRedis(context));
    const { HOST, AUTH_MODE, LOG_LEVEL } = env;
    const ours = { PORT: String(env.PORT), HOST, AUTH_MODE, LOG_LEVEL, DATABASE_URL: postgres.url };
    // Empty is unset (readEnv): what a file said is said by the address itself from here on.
    return { ...source, ...ours, REDIS_URL: redis.url ?? "", DATABASE_URL_FILE: "", REDIS_URL_FILE: "" };
  }

  #tellServers({ DATABASE_URL = "", REDIS_URL = "" }: NodeJS.ProcessEnv): Promise<void> {
    const { DATA_DIR, QUEUE_NAME, QUEUE_SHARDS } = this.#options.env;
    return tellServers(DATA_DIR, { DATABASE_URL, REDIS_URL, QUEUE_NAME, QUEUE_SHARDS: String(QUEUE_SHARDS) });
  }

  async #server(provide: () => Promise<Server>): Promise<Server> {
    const server = await this.#step(provide, ({ about }) => about);
    if (server.ours) this.#servers.push(server.ours);
    return server;
  }

  async #buildPage(env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<void> {
    const build = (): Promise<void> => runScript({ name: "page", path: this.#options.scripts.page, env, signal });
    await this.#step(build, () => "chat page up to date");
  }

  async #startWorker(env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<void> {
    const { scripts, screen } = this.#options;
    this.#worker = await this.#step(
      () => keepPart("worker", scripts.worker, { env, signal, tell: screen.warn }),
      () => "worker",
    );
  }

  async #startApi(env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<void> {
    const { scripts, screen } = this.#options;
    const api = await this.#step(
      () => keepPart("API", scripts.api, { env, flags: nodeFlags, signal, tell: screen.warn }),
      ({ current }) => `API (${current.url ?? "no address told"})`,
    );
    this.#api = api;
    this.url = api.current.url ?? `http://${this.#options.env.HOST}:${this.#options.env.PORT}`;
  }

  /** Its users have a password that everybody knows, so they are only made where nobody else comes. */
  async #seed(env: NodeJS.ProcessEnv): Promise<void> {
    const { scripts, signal, screen } = this.#options;
    const { HOST, NODE_ENV } = this.#options.env;
    if (NODE_ENV === "production" || !isLoopback(HOST)) {
      screen.note("no demo data where others may come (NODE_ENV=production, or not loopback): all know its password");
      return;
    }
    await this.#step(
      () => runScript({ name: "seeds", path: scripts.seeds, env, signal }),
      () => "demo data",
    );
    this.seeded = true;
  }

  async #step<T>(work: () => Promise<T>, about: (result: T) => string): Promise<T> {
    this.#options.signal.throwIfAborted();
    const since = performance.now();
    const result = await work();
    this.#options.screen.done(about(result), performance.now() - since);
    return result;
  }
}

const keepPart = (name: string, path: string, { env, flags, signal, tell }: Context) =>
  supervise<Part>({ name, signal, tell, start: (over) => startPart({ name, path, flags, env, signal: over }) });

interface Context {
  readonly env: NodeJS.ProcessEnv;
  readonly flags?: readonly string[] | undefined;
  readonly signal: AbortSignal;
  readonly tell: (line: string) => void;
}
