import type { Archive, ArchiveRecord } from "./archive.js";

const record = (uid: string, more: Partial<ArchiveRecord> = {}): ArchiveRecord => ({
  uid,
  kind: "Workflow",
  namespace: "shop",
  name: `release-${uid}`,
  phase: "Succeeded",
  startedAt: new Date("2026-01-01T00:00:00Z"),
  finishedAt: new Date(`2026-01-01T00:00:${uid.padStart(2, "0")}Z`),
  labels: { team: "blue" },
  change: "01J0000000000000000000000A",
  object: { kind: "Workflow", metadata: { uid } },
  ...more,
});

/** What every archive has to do. */
export function archiveContract(
  name: string,
  make: () => Promise<{ archive: Archive; dispose(): Promise<void> }>,
): void {
  describe(`the ${name} archive`, () => {
    let made: Awaited<ReturnType<typeof make>>;
    beforeEach(async () => {
      made = await make();
    });
    afterEach(() => made.dispose());

    it("gives a record back whole, and replaces it under its uid", async () => {
      await made.archive.put(record("1", { phase: "Failed" }));
      await made.archive.put(record("1", { labels: { team: "red" } }));
      expect(await made.archive.get("1")).toEqual(record("1", { labels: { team: "red" } }));
      expect(await made.archive.get("2")).toBeUndefined();
    });

    it("lists newest first, page by page", async () => {
      for (const uid of ["1", "2", "3", "4", "5"]) await made.archive.put(record(uid));
      const seen: string[] = [];
      let token: string | undefined;
      do {
        const page = await made.archive.list({ limit: 2, ...(token ? { continue: token } : {}) });
        seen.push(...page.items.map(({ uid }) => uid));
        token = page.continue;
      } while (token);
      expect(seen).toEqual(["5", "4", "3", "2", "1"]);
    });

    it.each([
      { query: { phase: "Failed" }, want: ["2"] },
      { query: { namespace: "other" }, want: ["3"] },
      { query: { labels: { team: "red" } }, want: ["3", "2"] },
      { query: { namePrefix: "build-" }, want: ["4"] },
      { query: { change: "none" }, want: [] },
      { query: { kind: "Workflow", labels: { team: "red" }, namespace: "shop" }, want: ["2"] },
      { query: { namePrefix: "%" }, want: [] },
      { query: { phase: "' OR 1=1 --" }, want: [] },
    ])("finds $query", async ({ query, want }) => {
      await made.archive.put(record("1"));
      await made.archive.put(record("2", { phase: "Failed", labels: { team: "red" } }));
      await made.archive.put(record("3", { namespace: "other", labels: { team: "red" } }));
      await made.archive.put(record("4", { name: "build-4" }));
      expect((await made.archive.list(query)).items.map(({ uid }) => uid)).toEqual(want);
    });

    it("deletes", async () => {
      await made.archive.put(record("1"));
      expect(await made.archive.delete("1")).toBe(true);
      expect(await made.archive.delete("1")).toBe(false);
      expect(await made.archive.get("1")).toBeUndefined();
    });

    it("refuses a page without end", async () => {
      await expect(made.archive.list({ limit: 1_000_000 })).rejects.toThrow("limit: must be a whole number");
    });
  });
}
