import type { RandomBytes } from "./ulid.js";

const POOL_BYTES = 4096;

/**
 * The same randomness, fetched in large pieces: a call for few bytes costs the system as much as one for many. No byte is
 * given twice. For sources without a count of their own, such as crypto's.
 */
export function pooledRandom(source: RandomBytes): RandomBytes {
  let pool: Uint8Array = new Uint8Array(0);
  let at = 0;
  return (size) => {
    if (size > POOL_BYTES / 8) return source(size);
    if (at + size > pool.length) {
      pool = source(POOL_BYTES);
      at = 0;
    }
    // A copy, as the pool's bytes are not the caller's to see or change; `slice` of a Buffer would be none.
    const bytes = Uint8Array.from(pool.subarray(at, at + size));
    pool.fill(0, at, at + size);
    at += size;
    return bytes;
  };
}
