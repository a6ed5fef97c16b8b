import pg from "pg";
import { ask } from "../../../bench/load/ask.ts";
import { freePort } from "../../../src/local/free-port.ts";
import { demoSettings, type Settings, type Started, startApi, startWorkerProcess } from "../../processes.ts";
import { freshDatabase, numbersForInt8 } from "../../services.ts";
import { type Nginx, startNginx } from "./nginx.ts";

/** A process that is ended and started again in the same place: an API keeps its port. */
export interface Place {
  readonly name: string;
  /** Ends it by this signal, waits until it is gone, starts it again and waits until it is ready. */
  restart(signal?: "SIGTERM" | "SIGKILL"): Promise<number | string>;
}

/** nginx before two APIs, two workers, and a database and queue of their own. */
export interface Cluster {
  readonly nginx: Nginx;
  readonly apis: readonly Place[];
  readonly workers: readonly Place[];
  withDatabase<T>(work: (client: pg.Client) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export async function startCluster(): Promise<Cluster> {
  const database = await freshDatabase();
  const settings: Settings = demoSettings(database.url, { TRUST_PROXY: "true" });
  const running = new Map<string, Started>();
  const place = async (name: string, start: () => Promise<Started>): Promise<Place> => {
    running.set(name, await start());
    return {
      name,
      async restart(signal = "SIGTERM") {
        const before = running.get(name)!;
        before.signal(signal);
        const how = await before.exited;
        const after = await start();
        running.set(name, after);
        if (after.url !== "") await isReady(after.url);
        return how;
      },
    };
  };
  const ports = [await freePort(), await freePort()];
  const [apis, workers] = await Promise.all([
    Promise.all(ports.map((port, i) => place(`API ${i + 1}`, () => startApi({ ...settings, PORT: String(port) })))),
    Promise.all([1, 2].map((i) => place(`worker ${i}`, () => startWorkerProcess(settings)))),
  ]);
  const nginx = await startNginx(ports);
  const withDatabase: Cluster["withDatabase"] = async (work) => {
    const client = new pg.Client({ connectionString: database.url, types: numbersForInt8() });
    await client.connect();
    try {
      return await work(client);
    } finally {
      await client.end();
    }
  };
  return {
    nginx,
    apis,
    workers,
    withDatabase,
    async close() {
      await nginx.stop();
      await Promise.all([...running.values()].map((process) => process.end()));
      await database.drop();
    },
  };
}

async function isReady(url: string): Promise<void> {
  while ((await ask(`${url}/readyz`, { withinMs: 5_000 })).status !== 200);
}
