const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** Random bytes as a port: `main.ts` passes crypto's, tests pass counted ones. */
export type RandomBytes = (size: number) => Uint8Array;

/** A ULID: 48 bits of milliseconds, 80 random bits, 26 characters that sort by time. */
export function ulid(now: Date, random: RandomBytes): string {
  let time = now.getTime();
  let head = "";
  for (let i = 0; i < 10; i++) {
    head = ALPHABET[time % 32] + head;
    time = Math.floor(time / 32);
  }
  let tail = "";
  for (const byte of random(16)) tail += ALPHABET[byte % 32];
  return head + tail;
}

export const isUlid = (text: string): boolean => /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/.test(text);
