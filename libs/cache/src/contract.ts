import type { Cache } from "./cache.js";

/** What every cache has to do. */
export function cacheContract(name: string, make: () => Promise<{ cache: Cache; dispose(): Promise<void> }>): void {
  describe(`the ${name} cache`, () => {
    let made: Awaited<ReturnType<typeof make>>;
    beforeEach(async () => {
      made = await make();
    });
    afterEach(() => made.dispose());
    const bytes = (text: string) => new TextEncoder().encode(text);
    const get = async (key: string) => {
      const value = await made.cache.get(key);
      return value === undefined ? undefined : new TextDecoder().decode(value);
    };

    it("gives back what was set, until it is deleted", async () => {
      expect(await get("manifests|a")).toBeUndefined();
      await made.cache.set("manifests|a", bytes("one"), 60_000);
      await made.cache.set("manifests|a", bytes("two"), 60_000);
      expect(await get("manifests|a")).toBe("two");
      await made.cache.delete("manifests|a");
      expect(await get("manifests|a")).toBeUndefined();
    });

    it("keeps keys apart, and empty values as values", async () => {
      await made.cache.set("a", bytes(""), 60_000);
      expect(await get("a")).toBe("");
      expect(await get("b")).toBeUndefined();
    });

    it("keeps a megabyte whole", async () => {
      const large = new Uint8Array(1_000_000).map((_, i) => i % 251);
      await made.cache.set("large", large, 60_000);
      expect(Buffer.from((await made.cache.get("large")) ?? []).equals(Buffer.from(large))).toBe(true);
    });
  });
}
