import type { Journal, JournalEntry } from "./journal.js";

const at = new Date("2026-01-01T00:00:00Z");
const entry = (subject: string, decision: unknown, more: Partial<JournalEntry> = {}): JournalEntry => ({
  subject,
  at,
  kind: "decision",
  decision,
  reasons: [{ code: "OutOfSync", message: "ConfigMap web differs", about: "ConfigMap shop/web" }],
  ...more,
});

/** What every journal has to do. `open` opens the same journal again after a close. */
export function journalContract(
  name: string,
  make: () => Promise<{ open(): Promise<Journal>; dispose(): Promise<void>; durable: boolean }>,
): void {
  describe(`the ${name} journal`, () => {
    let place: Awaited<ReturnType<typeof make>>;
    let journal: Journal;
    beforeEach(async () => {
      place = await make();
      journal = await place.open();
    });
    afterEach(async () => {
      await journal.close();
      await place.dispose();
    });

    it("gives a subject's entries back, newest first", async () => {
      await journal.record(
        entry("applications/argocd/shop", { actions: ["one"] }, { change: "01J0000000000000000000000A" }),
      );
      await journal.record(entry("applications/argocd/shop", { actions: ["two"] }));
      await journal.record(entry("applications/argocd/other", { actions: ["three"] }));
      const entries = await journal.read("applications/argocd/shop");
      expect(entries.map(({ decision }) => decision)).toEqual([{ actions: ["two"] }, { actions: ["one"] }]);
      expect(entries[1]).toMatchObject({
        at,
        kind: "decision",
        change: "01J0000000000000000000000A",
        reasons: [{ code: "OutOfSync" }],
      });
      expect((await journal.read("applications/argocd/shop", { limit: 1 })).map(({ decision }) => decision)).toEqual([
        { actions: ["two"] },
      ]);
      const before = entries[0]?.position ?? "";
      expect((await journal.read("applications/argocd/shop", { before })).map(({ decision }) => decision)).toEqual([
        { actions: ["one"] },
      ]);
    });

    it("writes nothing for a decision that did not change", async () => {
      expect(await journal.record(entry("a/b/c", { actions: [] }))).toBeDefined();
      expect(await journal.record(entry("a/b/c", { actions: [] }))).toBeUndefined();
      expect(await journal.record(entry("a/b/c", { actions: ["x"] }))).toBeDefined();
      expect(await journal.record(entry("a/b/c", { actions: [] }))).toBeDefined();
      expect(await journal.read("a/b/c")).toHaveLength(3);
    });

    it("writes every audit entry and event: each of them happened", async () => {
      for (const kind of ["audit", "audit", "event", "decision"] as const) {
        await journal.record(entry("a/b/with.dots", 1, { kind }));
      }
      expect(await journal.record(entry("a/b/with.dots", 1))).toBeUndefined();
      const kinds = (await journal.read("a/b/with.dots")).map(({ kind }) => kind);
      expect(kinds).toEqual(["decision", "event", "audit", "audit"]);
    });

    it("takes many records at a time, in order", async () => {
      const numbers = Array.from({ length: 50 }, (_, n) => n);
      const positions = await Promise.all(numbers.map((n) => journal.record(entry("a/b/c", n))));
      expect([...positions].sort()).toEqual(positions);
      expect((await journal.read("a/b/c")).map(({ decision }) => decision)).toEqual([...numbers].reverse());
    });

    it("keeps states under their digest", async () => {
      await journal.record(entry("a/b/c", 1, { state: { live: { b: 2, a: 1 } } }));
      await journal.record(entry("a/b/d", 2, { state: { live: { a: 1, b: 2 } } }));
      const [one] = await journal.read("a/b/c");
      const [two] = await journal.read("a/b/d");
      expect(one?.stateDigest).toBe(two?.stateDigest);
      expect(await journal.state(one?.stateDigest ?? "")).toEqual({ live: { a: 1, b: 2 } });
      expect(await journal.state("0".repeat(64))).toBeUndefined();
    });

    it("goes on after a restart, still knowing the last decision", async () => {
      if (!place.durable) return;
      await journal.record(entry("a/b/c", { actions: ["x"] }, { state: { s: 1 } }));
      await journal.close();
      journal = await place.open();
      expect(await journal.record(entry("a/b/c", { actions: ["x"] }))).toBeUndefined();
      await journal.record(entry("a/b/c", { actions: ["y"] }));
      const entries = await journal.read("a/b/c");
      expect(entries.map(({ decision }) => decision)).toEqual([{ actions: ["y"] }, { actions: ["x"] }]);
      expect(await journal.state(entries[1]?.stateDigest ?? "")).toEqual({ s: 1 });
    });
  });
}
