import type { RandomBytes } from "@tiphys/identity";

const SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789";
const SUFFIX_LENGTH = 5;
/** Longest base of a generated name, so that base and suffix fit a DNS label. */
const BASE_LENGTH = 58;

export function uuid(random: RandomBytes): string {
  const bytes = Buffer.from(random(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** The name that stands for a `generateName`. */
export function generatedName(base: string, random: RandomBytes): string {
  let suffix = "";
  for (const byte of random(SUFFIX_LENGTH)) suffix += SUFFIX_ALPHABET[byte % SUFFIX_ALPHABET.length];
  return base.slice(0, BASE_LENGTH) + suffix;
}

/** RFC 3339 with whole seconds, as metav1.Time. */
export const timestamp = (now: Date): string => `${now.toISOString().slice(0, 19)}Z`;
