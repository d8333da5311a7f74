import { createHmac, timingSafeEqual } from "node:crypto";
import type { Secret } from "@tiphys/secret";
import type { Logger } from "@tiphys/telemetry";
import type { Cache } from "./cache.js";

export interface RedisCacheOptions {
  /** `redis://…` */
  readonly redis: string;
  /** Signs entries: whoever can only write to Redis cannot make us believe manifests. */
  readonly key: Secret;
  readonly prefix?: string;
  readonly log: Logger;
}

const SIGNATURE = 32;

/** Entries in Redis, shared by all replicas. An unreachable Redis is a miss. Loads its library on first use. */
export async function createRedisCache({ redis, key, prefix = "tiphys:", log }: RedisCacheOptions): Promise<Cache> {
  const { Redis } = await import("ioredis");
  const client = new Redis(redis, { maxRetriesPerRequest: 1, enableOfflineQueue: true, commandTimeout: 5_000 });
  client.on("error", (error) => log.warn("cache connection failed", { error }));
  const sign = (name: string, value: Uint8Array) =>
    createHmac("sha256", key.reveal()).update(String(name.length)).update(name).update(value).digest();
  const missOnFailure = async <T>(work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      log.warn("cache is away", { error });
      return undefined;
    }
  };
  return {
    async get(name) {
      const bytes = await missOnFailure(() => client.getBuffer(prefix + name));
      if (!bytes || bytes.length < SIGNATURE) return undefined;
      const value = bytes.subarray(SIGNATURE);
      if (timingSafeEqual(bytes.subarray(0, SIGNATURE), sign(name, value))) return value;
      log.warn("forged cache entry refused", { key: name });
      return undefined;
    },
    async set(name, value, ttl) {
      const bytes = Buffer.concat([sign(name, value), value]);
      await missOnFailure(() => client.set(prefix + name, bytes, "PX", Math.max(1, Math.round(ttl))));
    },
    async delete(name) {
      await missOnFailure(() => client.del(prefix + name));
    },
    async close() {
      client.disconnect();
    },
  };
}
