import type { ArtifactStore } from "./artifacts.js";

const textOf = async (body: AsyncIterable<Uint8Array>): Promise<string> => {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
};

/** What every artifact store has to do. */
export function artifactsContract(
  name: string,
  make: () => Promise<{ store: ArtifactStore; dispose(): Promise<void> }>,
): void {
  describe(`the ${name} artifact store`, () => {
    let made: Awaited<ReturnType<typeof make>>;
    beforeEach(async () => {
      made = await make();
    });
    afterEach(() => made.dispose());

    it("keeps bytes and streams under their keys", async () => {
      const { store } = made;
      await store.put("shop/release-1/main.log", Buffer.from("hello"));
      await store.put(
        "shop/release-1/a b+c&<d>.txt",
        (async function* () {
          yield Buffer.from("one ");
          yield Buffer.from("two");
        })(),
      );
      expect(await textOf(await store.get("shop/release-1/main.log"))).toBe("hello");
      expect(await textOf(await store.get("shop/release-1/a b+c&<d>.txt"))).toBe("one two");
      expect(await store.list("shop/")).toEqual([
        { key: "shop/release-1/a b+c&<d>.txt", size: 7 },
        { key: "shop/release-1/main.log", size: 5 },
      ]);
    });

    it("says when there is none, and deletes twice without complaint", async () => {
      await made.store.put("a", Buffer.from("x"));
      await made.store.delete("a");
      await made.store.delete("a");
      await expect(made.store.get("a")).rejects.toThrow("artifact a is not there");
    });

    it.each(["../outside", "a/../../outside", "/absolute", "a//b", "", "a/./b", "a\\b", "a\0b"])(
      "refuses the key %j",
      async (key) => {
        await expect(made.store.put(key, Buffer.from("x"))).rejects.toThrow("is not an artifact key");
      },
    );
  });
}
