import type { SecretProvider } from "./secret-provider.js";

/** What every provider promises. `make` gives one that holds `{ password: "s3cret", port: 5432 }` at `path`, and nothing at `nothing`. */
export function secretProviderContract(
  make: () => Promise<{ provider: SecretProvider; path: string; nothing: string; change(values: object): void }>,
): void {
  it("gives all that a secret holds, with the types it has", async () => {
    const { provider, path } = await make();
    expect(await provider.read({ path }, { maxAge: 0 })).toEqual({ password: "s3cret", port: 5432 });
  });

  it("gives what it read before to who takes it that old, and asks anew else", async () => {
    const { provider, path, change } = await make();
    const read = async (maxAge: number) => (await provider.read({ path }, { maxAge }))["password"];
    expect(await read(0)).toBe("s3cret");
    change({ password: "changed" });
    expect(await read(60_000)).toBe("s3cret");
    expect(await read(0)).toBe("changed");
    expect(await read(60_000)).toBe("changed");
  });

  it("is not changed by what callers do to the values", async () => {
    const { provider, path } = await make();
    ((await provider.read({ path }, { maxAge: 0 })) as Record<string, unknown>)["password"] = "mine";
    expect((await provider.read({ path }, { maxAge: 60_000 }))["password"]).toBe("s3cret");
  });

  it("says what is not there, by its path", async () => {
    const { provider, nothing } = await make();
    await expect(provider.read({ path: nothing }, { maxAge: 0 })).rejects.toMatchObject({
      code: "NotFound",
      message: expect.stringContaining(nothing),
    });
  });

  it("reads nothing for who has gone", async () => {
    const { provider, path } = await make();
    const signal = AbortSignal.abort(new Error("gone"));
    await expect(provider.read({ path }, { maxAge: 0, signal })).rejects.toThrow("gone");
  });
}
