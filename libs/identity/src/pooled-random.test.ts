import { randomBytes } from "node:crypto";
import { pooledRandom } from "./index.js";

it("gives every byte of its source once, in pieces of any size", () => {
  let next = 0;
  let calls = 0;
  const counted = (size: number) => {
    calls++;
    const bytes = new Uint8Array(size);
    new DataView(bytes.buffer).setUint32(0, next++);
    for (let at = 4; at + 4 <= size; at += 4) new DataView(bytes.buffer).setUint32(at, next++);
    return bytes;
  };
  const random = pooledRandom(counted);
  const seen = new Set<number>();
  for (let n = 0; n < 5_000; n++) {
    const bytes = random(4);
    seen.add(new DataView(bytes.buffer, bytes.byteOffset).getUint32(0));
  }
  expect(seen.size).toBe(5_000);
  expect(calls).toBe(5);
  expect(random(10_000)).toHaveLength(10_000);
});

it("gives what crypto gives, which is a Buffer, and not the zeros that it leaves in its pool", () => {
  const random = pooledRandom(randomBytes);
  const texts = new Set(Array.from({ length: 1_000 }, () => Buffer.from(random(16)).toString("hex")));
  expect(texts.size).toBe(1_000);
  expect(texts).not.toContain("00".repeat(16));
});

it("leaves what it has given to its owner", () => {
  const random = pooledRandom(randomBytes);
  const first = random(16);
  const copy = Uint8Array.from(first);
  first.fill(7);
  random(16).fill(9);
  expect(Buffer.from(random(16)).equals(Buffer.alloc(16, 9))).toBe(false);
  expect(copy).toHaveLength(16);
});
