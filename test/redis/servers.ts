import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { freePort } from "../../src/local/free-port.ts";
import { findRedis } from "../../src/local/redis.ts";

/** One process of Redis, or of a Sentinel, that is there to be taken away. */
export interface Server {
  readonly port: number;
  /** A connection of the test's own. */
  readonly redis: Redis;
  /** As the machine's failing would: nothing is said, nothing is written any more. */
  kill(): Promise<void>;
  freeze(): () => void;
}

const PASSWORD = "as-secret-as-it-gets";
const HOST = "127.0.0.1";

/** The processes of one file's tests, with their data in a folder that goes away with them. */
export class Servers {
  readonly #program: string;
  readonly #folder: string;
  readonly #children: ChildProcess[] = [];
  readonly #clients: Redis[] = [];

  private constructor(program: string, folder: string) {
    this.#program = program;
    this.#folder = folder;
  }

  /** Undefined where there is no Redis: such tests are pending. */
  static async prepare(): Promise<Servers | undefined> {
    const { program } = await findRedis();
    return program === undefined ? undefined : new Servers(program, await mkdtemp(join(tmpdir(), "parley-redis-")));
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.disconnect();
    for (const child of this.#children) child.kill("SIGKILL");
    await Promise.all(this.#children.map((child) => child.exitCode ?? child.signalCode ?? once(child, "exit")));
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** Set as production should be; `replicaof` begins at once. */
  async startRedis(settings: Readonly<Record<string, string>> = {}): Promise<Server> {
    return this.#start([], {
      save: '""',
      appendonly: "yes",
      "maxmemory-policy": "noeviction",
      requirepass: PASSWORD,
      masterauth: PASSWORD,
      // So that a replica is there as soon as it has asked.
      "repl-diskless-sync-delay": "0",
      // A replica that has heard nothing yet is not told of.
      "repl-ping-replica-period": "1",
      ...settings,
    });
  }

  /** Three masters with a third of the slots each, and a replica for each of them. */
  async startCluster(): Promise<Server[]> {
    const servers = await Promise.all(Array.from({ length: 6 }, () => this.#startNode()));
    const ids = await Promise.all(servers.map(({ redis }) => redis.cluster("MYID")));
    const masters = servers.slice(0, 3);
    for (const [i, { redis }] of masters.entries()) {
      await redis.call("CLUSTER", "SET-CONFIG-EPOCH", i + 1);
      await redis.call("CLUSTER", "ADDSLOTSRANGE", Math.ceil((16_384 * i) / 3), Math.ceil((16_384 * (i + 1)) / 3) - 1);
    }
    // Each meets each: gossip alone would take its time.
    const ports = await Promise.all(
      servers.map(async ({ redis, port }) => [HOST, port, await busPort(redis)] as const),
    );
    await Promise.all(
      servers.flatMap(({ redis }, i) => ports.slice(i + 1).map((port) => redis.call("CLUSTER", "MEET", ...port))),
    );
    for (const { redis } of servers)
      await until(async () => /cluster_known_nodes:6\r/.test(await redis.cluster("INFO")));
    for (const [i, { redis }] of servers.slice(3).entries()) {
      await until(() =>
        redis.call("CLUSTER", "REPLICATE", ids[i] as string).then(
          () => true,
          () => false,
        ),
      );
    }
    for (const { redis } of servers) await until(async () => /cluster_state:ok\r/.test(await redis.cluster("INFO")));
    for (const { redis } of masters) await until(() => hasReplicas(redis, 1));
    // Every node must have heard who replicates whom, or a client is told of masters only.
    for (const { redis } of servers)
      await until(async () => ((await redis.cluster("SLOTS")) as unknown[][]).every((range) => range.length === 4));
    return servers;
  }

  async #startNode(): Promise<Server> {
    return this.startRedis({
      "cluster-enabled": "yes",
      "cluster-port": String(await freePort()),
      "cluster-node-timeout": "1500",
      // With one master away the others answer all the same.
      "cluster-require-full-coverage": "no",
    });
  }

  /** A master, two replicas, and three Sentinels that watch over them. */
  async startSentinels(name: string): Promise<{ servers: Server[]; sentinels: Server[] }> {
    const master = await this.startRedis();
    const replica = () => this.startRedis({ replicaof: `${HOST} ${master.port}` });
    const servers = [master, ...(await Promise.all([replica(), replica()]))];
    await until(() => hasReplicas(master.redis, 2));
    const sentinel = () =>
      this.#start(["--sentinel"], {
        "sentinel monitor": `${name} ${HOST} ${master.port} 2`,
        "sentinel auth-pass": `${name} ${PASSWORD}`,
        "sentinel down-after-milliseconds": `${name} 1000`,
        // Twice as long passes before one and the same master is given up again.
        "sentinel failover-timeout": `${name} 3000`,
      });
    const sentinels = await Promise.all([sentinel(), sentinel(), sentinel()]);
    for (const { redis } of sentinels) {
      await until(async () => {
        const [, , , , , ...rest] = (await redis.call("SENTINEL", "MASTER", name)) as string[];
        const about = rest.join(" ");
        return about.includes("num-slaves 2") && about.includes("num-other-sentinels 2");
      });
    }
    return { servers, sentinels };
  }

  async #start(flags: readonly string[], settings: Readonly<Record<string, string>>): Promise<Server> {
    const port = await freePort();
    const dir = join(this.#folder, String(port));
    await mkdir(dir);
    const all = { bind: HOST, port: String(port), dir, ...settings };
    const file = join(dir, "redis.conf");
    await writeFile(
      file,
      Object.entries(all)
        .map(([name, value]) => `${name} ${value}\n`)
        .join(""),
    );
    const child = spawn(this.#program, [file, ...flags], { stdio: "ignore" });
    this.#children.push(child);
    const isSentinel = flags.length > 0;
    const redis = new Redis({ port, host: HOST, ...(!isSentinel && { password: PASSWORD }), retryStrategy: () => 20 });
    redis.on("error", () => {});
    this.#clients.push(redis);
    await redis.ping();
    return {
      port,
      redis,
      async kill() {
        redis.disconnect();
        child.kill("SIGKILL");
        await once(child, "exit");
      },
      freeze() {
        child.kill("SIGSTOP");
        return () => void child.kill("SIGCONT");
      },
    };
  }
}

export const clusterUrl = (servers: readonly Server[]): string => `redis+cluster://:${PASSWORD}@${list(servers)}`;
export const sentinelUrl = (sentinels: readonly Server[], name: string): string =>
  `redis+sentinel://:${PASSWORD}@${list(sentinels)}/${name}`;

const list = (servers: readonly Server[]): string => servers.map(({ port }) => `${HOST}:${port}`).join(",");

const busPort = async (redis: Redis): Promise<string> => ((await redis.config("GET", "cluster-port")) as string[])[1]!;

const hasReplicas = async (master: Redis, count: number): Promise<boolean> =>
  ((await master.info("replication")).match(/state=online/g) ?? []).length === count;

/** The master that has this key. */
export async function masterOf(servers: readonly Server[], key: string): Promise<Server> {
  const slot = (await servers[0]!.redis.cluster("KEYSLOT", key)) as number;
  const ranges = await servers[0]!.redis.cluster("SLOTS");
  const [, , master] = ranges.find(([from, to]) => from <= slot && slot <= to)!;
  return servers.find(({ port }) => port === Number(master![1]))!;
}

/** All that this server has taken so far is on a replica as well, once this resolves. */
export async function reachReplica({ redis }: Server, key: string): Promise<void> {
  await redis.set(key, "", "PX", 60_000);
  const replicas = (await redis.wait(1, 5_000)) as number;
  if (replicas < 1) throw new Error("no replica has heard of it");
}

export async function until(holds: () => Promise<boolean>): Promise<void> {
  // A moment for those who are waited for: they share the machine.
  while (!(await holds())) await sleep(10);
}
