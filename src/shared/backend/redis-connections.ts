import { Cluster, Redis, type RedisOptions } from "ioredis";
import type { RedisPlace } from "./redis-url.ts";

/** One server and a cluster take the same commands; only those that name several keys may not cross its nodes. */
export type RedisClient = Redis | Cluster;

type ServerOptions = Pick<
  RedisOptions,
  "maxRetriesPerRequest" | "commandTimeout" | "socketTimeout" | "connectTimeout" | "username" | "password" | "tls"
>;

export interface Manners {
  /** For each server there is a connection to. */
  readonly node: ServerOptions;
  readonly enableOfflineQueue: boolean;
  /** Else it waits to be told to connect, and tries once. */
  readonly comesBack: boolean;
  /** How often a command is tried again while a cluster changes, with `RETRY_MS` between. */
  readonly clusterTries: number;
}

const RETRY_MS = 100;

/**
 * A request must get its answer now: while Redis is away a command fails at once, and one that hangs fails soon. After
 * the first that hung the connection is given up, so that the next ones do not wait as well.
 */
export const forRequests: Manners = {
  node: { maxRetriesPerRequest: 1, commandTimeout: 1_200, socketTimeout: 1_000, connectTimeout: 2_000 },
  enableOfflineQueue: false,
  comesBack: true,
  clusterTries: 4,
};
/**
 * A worker has nobody waiting: it stays until Redis is back. A connection that has silently gone dead it gives up; what
 * waits for a job is silent by itself, but not for half of this.
 */
export const forWorkers: Manners = {
  node: { maxRetriesPerRequest: null, socketTimeout: 20_000 },
  enableOfflineQueue: true,
  comesBack: true,
  clusterTries: Number.MAX_SAFE_INTEGER,
};

/** For a look whether it is there. */
export const forOnce = (connectTimeout: number): Manners => ({
  node: { connectTimeout },
  enableOfflineQueue: true,
  comesBack: false,
  clusterTries: 1,
});

/** Unless it is for once, it comes back by itself, whatever becomes of the servers. */
export function connectRedis(place: RedisPlace, manners: Manners): RedisClient {
  if (place.kind === "one") return new Redis(place.url, { ...manners.node, ...lasting(manners) });
  return place.kind === "cluster" ? connectCluster(place, manners) : connectBySentinel(place, manners);
}

const lasting = ({ enableOfflineQueue, comesBack }: Manners) => ({
  enableOfflineQueue,
  lazyConnect: !comesBack,
  retryStrategy: retryStrategyOf(comesBack),
});

const retryStrategyOf =
  (comesBack: boolean) =>
  (times: number): number | null =>
    comesBack ? Math.min(times * 100, 1_000) : null;

/**
 * The library gives a connection up for good where word of a new master comes while it is being made. Ours ends when it
 * is ended. Answers how.
 */
export function keepConnected(redis: RedisClient): () => void {
  let ended = false;
  redis.on("end", () => {
    if (!ended) setTimeout(() => !ended && redis.connect().catch(() => {}), RETRY_MS).unref();
  });
  return () => {
    ended = true;
    redis.disconnect();
  };
}

type PlaceOf<Kind extends RedisPlace["kind"]> = Extract<RedisPlace, { kind: Kind }>;

const accessTo = ({ username, password, tls }: PlaceOf<"cluster" | "sentinel">): ServerOptions => ({
  ...(username && { username }),
  ...(password && { password }),
  ...(tls && { tls: {} }),
});

function connectCluster(place: PlaceOf<"cluster">, manners: Manners): Cluster {
  return new Cluster([...place.nodes], {
    redisOptions: { ...manners.node, ...accessTo(place) },
    enableOfflineQueue: manners.enableOfflineQueue,
    lazyConnect: !manners.comesBack,
    clusterRetryStrategy: retryStrategyOf(manners.comesBack),
    maxRedirections: manners.clusterTries,
    retryDelayOnFailover: RETRY_MS,
    retryDelayOnClusterDown: RETRY_MS,
    retryDelayOnTryAgain: RETRY_MS,
    // How long it may take until what nobody has asked about is noticed: a master that hangs, a worker that only waits.
    slotsRefreshInterval: 2_000,
    // A certificate is made out to a name, which must not have become an address.
    ...(place.tls && { dnsLookup: (host, found) => found(null, host) }),
  });
}

function connectBySentinel(place: PlaceOf<"sentinel">, manners: Manners): Redis {
  const retryStrategy = retryStrategyOf(manners.comesBack);
  const { sentinelUsername, sentinelPassword, tls } = place;
  return new Redis({
    ...manners.node,
    ...accessTo(place),
    ...lasting(manners),
    sentinels: [...place.sentinels],
    name: place.master,
    sentinelRetryStrategy: retryStrategy,
    sentinelReconnectStrategy: retryStrategy,
    sentinelCommandTimeout: 1_000,
    ...(sentinelUsername && { sentinelUsername }),
    ...(sentinelPassword && { sentinelPassword }),
    ...(tls && { enableTLSForSentinelMode: true, sentinelTLS: {} }),
    // Hears of a new master at once: the old one may hang, and would be waited for.
    failoverDetector: true,
    // The old master, come back as a replica, takes no writes: another connection leads to the new one.
    reconnectOnError: ({ message }) => (/^(READONLY|UNBLOCKED)/.test(message) ? 2 : false),
  });
}
