import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { messageOf } from "@tiphys/errors";
import type { Secret } from "@tiphys/secret";
import type { Logger } from "@tiphys/telemetry";
import type { Cache } from "./cache.js";

export interface RedisCacheOptions {
  /** `redis://…` or `rediss://…`. */
  readonly redis: string;
  /** Signs entries: whoever may write to Redis still cannot make us believe an entry. */
  readonly key: Secret;
  /** First part of every Redis key; default `tiphys:cache:`. */
  readonly prefix?: string;
  readonly log: Logger;
}

const SIGNATURE = 32;
/** A slow cache is worse than none. */
const COMMAND_TIMEOUT_MS = 2000;

/** The cache on Redis, shared by processes that have the same key. When Redis is away everything is a miss. */
export async function createRedisCache({
  redis,
  key: secret,
  prefix = "tiphys:cache:",
  log,
}: RedisCacheOptions): Promise<Cache> {
  const { Redis } = await import("ioredis");
  const client = new Redis(redis, { maxRetriesPerRequest: 1, commandTimeout: COMMAND_TIMEOUT_MS, lazyConnect: true });
  client.on("error", (error: Error) => log.warn("the cache's Redis is away", { error: error.message }));
  await client.connect().catch((error: unknown) => log.warn("the cache's Redis is away", { error: messageOf(error) }));

  const nameOf = (key: string) => prefix + createHash("sha256").update(key).digest("hex");
  /** Over the key too, so that an entry cannot be moved to another one. */
  const sign = (key: string, value: Uint8Array) =>
    createHmac("sha256", secret.reveal())
      .update(`${Buffer.byteLength(key)}:${key}:`)
      .update(value)
      .digest();

  const orMiss = async <T>(what: string, work: Promise<T>): Promise<T | undefined> => {
    try {
      return await work;
    } catch (error) {
      log.warn("the cache did not answer", { what, error: messageOf(error) });
      return undefined;
    }
  };

  return {
    async get(key) {
      const stored = await orMiss("get", client.getBuffer(nameOf(key)));
      if (!stored) return undefined;
      const value = stored.subarray(SIGNATURE);
      if (stored.length < SIGNATURE || !timingSafeEqual(stored.subarray(0, SIGNATURE), sign(key, value))) {
        log.warn("refused a cache entry with a wrong signature", { name: nameOf(key) });
        return undefined;
      }
      return Uint8Array.from(value);
    },
    async set(key, value, ttl) {
      const entry = Buffer.concat([sign(key, value), value]);
      await orMiss("set", client.set(nameOf(key), entry, "PX", Math.max(1, Math.round(ttl))));
    },
    async delete(key) {
      await orMiss("delete", client.del(nameOf(key)));
    },
    async close() {
      client.disconnect();
    },
  };
}
