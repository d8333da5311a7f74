import { createCipheriv, createDecipheriv, createHash } from "node:crypto";
import type { Secret } from "@tiphys/secret";
import type { Cache } from "./cache.js";

const NONCE = 12;
const TAG = 16;

/**
 * A cache whose entries only holders of the key can read; an entry of another key is a miss. `prefix` keeps them apart from others.
 * Closing it leaves the cache below open.
 */
export function createEncryptedCache(
  below: Cache,
  options: { readonly key: Secret; readonly prefix: string; readonly random: (bytes: number) => Uint8Array },
): Cache {
  const { prefix, random } = options;
  const key = createHash("sha256").update(options.key.reveal()).digest();
  return {
    async get(name) {
      const stored = await below.get(prefix + name);
      if (!stored || stored.length < NONCE + TAG) return undefined;
      const bytes = Buffer.from(stored.buffer, stored.byteOffset, stored.length);
      try {
        const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, NONCE), { authTagLength: TAG });
        // An entry that was moved to another name is none of that name.
        decipher.setAAD(Buffer.from(name));
        decipher.setAuthTag(bytes.subarray(NONCE, NONCE + TAG));
        return Buffer.concat([decipher.update(bytes.subarray(NONCE + TAG)), decipher.final()]);
      } catch {
        return undefined;
      }
    },
    async set(name, value, ttl) {
      const nonce = random(NONCE);
      const cipher = createCipheriv("aes-256-gcm", key, nonce, { authTagLength: TAG });
      cipher.setAAD(Buffer.from(name));
      const sealed = Buffer.concat([cipher.update(value), cipher.final()]);
      await below.set(prefix + name, Buffer.concat([nonce, cipher.getAuthTag(), sealed]), ttl);
    },
    delete: (name) => below.delete(prefix + name),
    close: async () => {},
  };
}
