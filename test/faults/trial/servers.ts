import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Postgres, startPostgres } from "../../../src/local/postgres.ts";
import { findRedis, type RedisServer, startRedis } from "../../../src/local/redis.ts";
import { migrateQueue } from "../../../src/shared/backend/postgres-backend.ts";
import { migrate } from "../../../src/shared/db/migrate.ts";
import { createLogger } from "../../../src/shared/logger.ts";
import { freezeFamily } from "../../processes.ts";

/** A Postgres and a Redis that are there to be taken away; set as in production, and each keeps its port for good. */
export class Servers {
  postgres: Postgres;
  redis: RedisServer;
  readonly #folder: string;
  readonly #program: string;

  private constructor(folder: string, program: string, postgres: Postgres, redis: RedisServer) {
    this.#folder = folder;
    this.#program = program;
    this.postgres = postgres;
    this.redis = redis;
  }

  static async start(): Promise<Servers> {
    const { program, missing } = await findRedis();
    if (!program) throw new Error(`Redis is needed: ${missing}`);
    const folder = await mkdtemp(join(tmpdir(), "parley-faults-"));
    const [postgres, redis] = await Promise.all([bringPostgres(folder), bringRedis(folder, program)]);
    await migrate(postgres.url, createLogger({ LOG_LEVEL: "warn" }, "faults"));
    await migrateQueue(postgres.url);
    return new Servers(folder, program, postgres, redis);
  }

  async killPostgres(): Promise<void> {
    process.kill(this.postgres.pid, "SIGKILL");
    await this.postgres.exited;
  }

  async bringPostgres(): Promise<void> {
    this.postgres = await bringPostgres(this.#folder, this.postgres.port);
  }

  async killRedis(): Promise<void> {
    process.kill(this.redis.pid, "SIGKILL");
    await this.redis.exited;
  }

  /** On the append-only file that it left behind. */
  async bringRedis(): Promise<void> {
    this.redis = await bringRedis(this.#folder, this.#program, this.redis.port);
  }

  /** The postmaster and every process that serves a connection stand still until they are let go on. */
  freezePostgres(): Promise<() => void> {
    return freezeFamily(this.postgres.pid);
  }

  freezeRedis(): () => void {
    const { pid } = this.redis;
    process.kill(pid, "SIGSTOP");
    return () => void process.kill(pid, "SIGCONT");
  }

  async stop(): Promise<void> {
    await Promise.all([this.postgres.stop(), this.redis.stop()]);
    await rm(this.#folder, { recursive: true, force: true });
  }
}

const bringPostgres = (folder: string, port?: number): Promise<Postgres> =>
  startPostgres({ dataDir: join(folder, "postgres"), flags: { max_connections: 200 }, port });

const bringRedis = (folder: string, program: string, port?: number): Promise<RedisServer> =>
  startRedis({ program, dataDir: join(folder, "redis"), port });
