import type { RedisClient } from "../backend/redis-connections.ts";
import type { Store } from "./store.ts";

/** The store where Redis is; one prefix, so that several systems can share one Redis. */
export function createRedisStore(redis: RedisClient, prefix: string): Store {
  const full = (key: string): string => `${prefix}:${key}`;
  return {
    get: (key) => redis.get(full(key)),
    getMany(list) {
      // The nodes of a cluster have some of the keys each: one question for each key, all at once.
      if (redis.isCluster) return Promise.all(list.map((key) => redis.get(full(key))));
      return list.length === 0 ? Promise.resolve([]) : redis.mget(list.map(full));
    },
    take: (key) => redis.getdel(full(key)),
    async set(key, value, ttlMs) {
      await redis.set(full(key), value, "PX", ttlMs);
    },
    async setIfAbsent(key, value, ttlMs) {
      // NX with GET answers the old value and sets the new one only where there was none.
      return (await redis.set(full(key), value, "PX", ttlMs, "NX", "GET")) ?? value;
    },
    async delete(key) {
      await redis.del(full(key));
    },
    async clear() {
      // Each node of a cluster tells of its own keys only.
      for (const node of "nodes" in redis ? redis.nodes("master") : [redis]) {
        for await (const keys of node.scanStream({ match: full("*"), count: 1_000 }) as AsyncIterable<string[]>)
          await Promise.all(keys.map((key) => redis.del(key)));
      }
    },
  };
}
