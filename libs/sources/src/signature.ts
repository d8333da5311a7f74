import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { Secret } from "@tiphys/secret";

/** Checks `sha256=<hex>`, the HMAC-SHA256 of the raw body, in constant time. */
export function hmacMatches(secret: Secret, body: Uint8Array, given: string | undefined): boolean {
  const hex = /^sha256=([0-9a-f]{64})$/i.exec(given ?? "")?.[1];
  if (!hex) return false;
  return timingSafeEqual(createHmac("sha256", secret.reveal()).update(body).digest(), Buffer.from(hex, "hex"));
}

/** The value that {@link hmacMatches} accepts. */
export const hmacSignature = (secret: Secret, body: Uint8Array | string): string =>
  `sha256=${createHmac("sha256", secret.reveal()).update(body).digest("hex")}`;

/** An event id of 32 hex characters, always the same for the same parts. */
export function eventId(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash("sha256");
  for (const part of parts) {
    const bytes = typeof part === "string" ? Buffer.from(part) : part;
    // Lengths keep the parts apart.
    hash.update(`${bytes.length}:`).update(bytes);
  }
  return hash.digest("hex").slice(0, 32);
}
