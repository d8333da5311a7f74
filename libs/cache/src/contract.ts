import type { Cache } from "./cache.js";

const bytes = (text: string) => new Uint8Array(Buffer.from(text));

/** What every cache promises; both implementations pass it. `pass` lets milliseconds of its time go by. */
export function cacheContract(make: () => Promise<{ cache: Cache; pass(milliseconds: number): Promise<void> }>): void {
  let cache: Cache;
  let pass: (milliseconds: number) => Promise<void>;
  beforeEach(async () => {
    ({ cache, pass } = await make());
  });
  afterEach(() => cache.close());

  it("gives back what was set, and nothing for other keys", async () => {
    await cache.set("manifests/a", bytes("one"), 60_000);
    await cache.set("manifests/b", new Uint8Array([0, 255]), 60_000);
    expect(await cache.get("manifests/a")).toEqual(bytes("one"));
    expect(await cache.get("manifests/b")).toEqual(new Uint8Array([0, 255]));
    expect(await cache.get("manifests/c")).toBeUndefined();
  });

  it("replaces and deletes", async () => {
    await cache.set("k", bytes("old"), 60_000);
    await cache.set("k", bytes("new"), 60_000);
    expect(await cache.get("k")).toEqual(bytes("new"));
    await cache.delete("k");
    expect(await cache.get("k")).toBeUndefined();
    await cache.delete("k");
  });

  it("forgets an entry after its time", async () => {
    await cache.set("k", bytes("v"), 100);
    expect(await cache.get("k")).toEqual(bytes("v"));
    await pass(150);
    expect(await cache.get("k")).toBeUndefined();
  });

  it("is not changed by what callers do to their bytes", async () => {
    const value = bytes("abc");
    await cache.set("k", value, 60_000);
    value[0] = 0;
    const got = await cache.get("k");
    got![1] = 0;
    expect(await cache.get("k")).toEqual(bytes("abc"));
  });
}
