import { printed } from "./print.js";

/** The characters that Kubernetes makes hashes of: no vowels, so that no words come out. */
const SAFE = "bcdfghjklmnpqrstvwxz2456789";

/** `text` in the characters of Kubernetes' generated names. */
export const encodeSafely = (text: string): string =>
  [...text].map((character) => SAFE[character.charCodeAt(0) % SAFE.length]).join("");

/**
 * What Kubernetes calls `template`, a core/v1 PodTemplateSpec as an API server stores it. `collisionCount` is that of the
 * owner's status: absent and 0 are different.
 */
export function podTemplateHash(template: unknown, collisionCount: number | undefined): string {
  let hash = 0x811c9dc5;
  const add = (byte: number) => {
    hash = Math.imul(hash ^ byte, 0x01000193);
  };
  for (const byte of Buffer.from(printed("v1.PodTemplateSpec", template))) add(byte);
  if (collisionCount !== undefined) {
    const bytes = Buffer.alloc(8);
    bytes.writeUInt32LE(collisionCount >>> 0);
    for (const byte of bytes) add(byte);
  }
  return encodeSafely(String(hash >>> 0));
}
