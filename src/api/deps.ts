import type { Closers } from "../shared/closers.ts";
import { type Deps, type DepsOptions, openDeps } from "../shared/deps.ts";
import { Tail } from "../shared/log/tail.ts";
import { AccessTokens } from "./auth/access-tokens.ts";
import { Credentials } from "./auth/credentials.ts";
import { readSigningKeys } from "./auth/signing-keys.ts";
import { Backlog } from "./backlog.ts";
import { Directory } from "./directory.ts";
import { Limits } from "./http/limits.ts";
import { Lookups } from "./memory.ts";
import { Deliveries } from "./messages/deliveries.ts";
import { SendGroups } from "./messages/send-groups.ts";
import { tellApi } from "./metrics/api-figures.ts";
import { Traffic } from "./metrics/traffic.ts";
import { Ephemerals } from "./realtime/ephemeral.ts";
import { Hub } from "./realtime/hub.ts";
import { Parking } from "./realtime/parking.ts";
import { Waits } from "./realtime/waits.ts";
import { Replicas } from "./replicas/replicas.ts";
import { TaskWaiters } from "./tasks/task-waiters.ts";

/** What the API has besides what every process has: the tail, and who is fed by it. */
export interface ApiDeps extends Deps {
  readonly tail: Tail;
  readonly hub: Hub;
  readonly parking: Parking;
  readonly ephemeral: Ephemerals;
  readonly directory: Directory;
  readonly taskWaiters: TaskWaiters;
  readonly sends: SendGroups;
  readonly deliveries: Deliveries;
  readonly backlog: Backlog;
  readonly credentials: Credentials;
  readonly accessTokens: AccessTokens;
  readonly limits: Limits;
  /** What is counted of requests, of those who wait, and of two caches that are no objects of their own. */
  readonly traffic: Traffic;
  readonly waits: Waits;
  readonly usersPages: Lookups;
  readonly recalls: Lookups;
  /** Undefined where there are none. */
  readonly replicas: Replicas | undefined;
}

export async function openApiDeps(options: DepsOptions): Promise<ApiDeps> {
  const deps = await openDeps({ ...options, service: "parley-api" });
  const hub = new Hub(deps.now);
  const ephemeral = new Ephemerals({ ...deps, hub }, deps.newId());
  const directory = new Directory(deps.em);
  const taskWaiters = new TaskWaiters();
  const credentials = new Credentials(deps);
  const accessTokens = new AccessTokens(await readSigningKeys(deps.env), deps.now);
  const tail = new Tail({
    url: deps.env.DATABASE_URL!,
    log: deps.log,
    events: {
      onEntries(entries, heardAt) {
        directory.forgetRooms(entries);
        taskWaiters.settle(entries);
        hub.handOut(entries, heardAt);
      },
      onTask: (taskId) => taskWaiters.settleSilently(taskId),
      onUser: (userId) => directory.forgetUser(userId),
      onCredential: (announced) => credentials.hear(announced),
      onEphemeral: (payload) => ephemeral.hear(payload),
      onReset() {
        directory.forgetAll();
        hub.reset();
      },
    },
  });
  await tail.start();
  options.closers.add("tail", () => tail.stop());
  const replicas = openReplicas(deps, tail, options);
  const deliveries = new Deliveries(deps);
  options.closers.add("deliveries", () => deliveries.stop());
  const sends = new SendGroups(deps);
  const backlog = new Backlog({ ...deps, sends });
  closeBacklog(options.closers, backlog);
  const limits = new Limits(deps);
  const waits = new Waits();
  const parking = new Parking({ hub, ephemeral, waits });
  options.closers.add("presence", async () => ephemeral.stop());
  const api: ApiDeps = {
    ...deps,
    tail,
    hub,
    parking,
    ephemeral,
    directory,
    taskWaiters,
    sends,
    deliveries,
    backlog,
    credentials,
    accessTokens,
    limits,
    traffic: new Traffic(waits),
    waits,
    usersPages: new Lookups(),
    recalls: new Lookups(),
    replicas,
  };
  tellApi(api);
  return api;
}

/** They need not be there: until they answer the primary does. */
function openReplicas({ env, log }: Deps, tail: Tail, { closers, onStatement }: DepsOptions): Replicas | undefined {
  if (!env.DATABASE_REPLICA_URL) return undefined;
  const replicas = new Replicas(env.DATABASE_REPLICA_URL, { poolSize: env.DATABASE_POOL, log, tail, onStatement });
  closers.add("replicas", () => replicas.close());
  return replicas;
}

const closeBacklog = (closers: Closers, backlog: Backlog): void =>
  closers.add("backlog", async () => {
    backlog.stop();
  });
