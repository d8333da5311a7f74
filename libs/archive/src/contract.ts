import type { Archive, ArchiveRecord } from "./archive.js";

const record = (uid: string, more: Partial<ArchiveRecord> = {}): ArchiveRecord => ({
  uid,
  kind: "Workflow",
  namespace: "ci",
  name: `build-${uid}`,
  phase: "Succeeded",
  startedAt: new Date("2026-01-01T00:00:00Z"),
  finishedAt: new Date("2026-01-01T00:01:00Z"),
  labels: { app: "web", "a.b/c": `it's "${uid}"` },
  object: { metadata: { uid }, list: [1, null, { text: "ünïcode" }] },
  ...more,
});

/** What every archive promises; both implementations pass it. */
export function archiveContract(make: () => Promise<Archive>): void {
  let archive: Archive;
  beforeEach(async () => {
    archive = await make();
  });
  afterEach(() => archive.close());
  const uids = async (query: Parameters<Archive["list"]>[0]) => (await archive.list(query)).items.map(({ uid }) => uid);

  it("gives back what was put, whole", async () => {
    const full = record("a", { change: "01ARZ3NDEKTSV4RRFFQ69G5FAV" });
    await archive.put(full);
    expect(await archive.get("a")).toEqual(full);
    const { startedAt: _, finishedAt: __, ...bare } = record("b");
    await archive.put(bare);
    expect(await archive.get("b")).toEqual(bare);
    expect(await archive.get("c")).toBeUndefined();
  });

  it("replaces the record of a uid", async () => {
    await archive.put(record("a", { phase: "Running" }));
    await archive.put(record("a", { phase: "Failed" }));
    expect(await uids({})).toEqual(["a"]);
    expect((await archive.get("a"))!.phase).toBe("Failed");
  });

  it("finds by each field and by all of them together", async () => {
    await archive.put(record("a", { change: "C1" }));
    await archive.put(
      record("b", { kind: "Rollout", namespace: "shop", phase: "Failed", name: "web_1", labels: { app: "api" } }),
    );
    await archive.put(record("c", { name: "build%", labels: { app: "web", tier: "front" } }));
    expect(await uids({ kind: "Rollout" })).toEqual(["b"]);
    expect(await uids({ namespace: "ci" })).toEqual(["c", "a"]);
    expect(await uids({ phase: "Failed" })).toEqual(["b"]);
    expect(await uids({ change: "C1" })).toEqual(["a"]);
    expect(await uids({ namePrefix: "build-" })).toEqual(["a"]);
    expect(await uids({ namePrefix: "build%" })).toEqual(["c"]);
    expect(await uids({ labels: { app: "web" } })).toEqual(["c", "a"]);
    expect(await uids({ labels: { app: "web", tier: "front" } })).toEqual(["c"]);
    expect(await uids({ labels: { "a.b/c": `it's "a"` } })).toEqual(["a"]);
    expect(await uids({ kind: "Workflow", namespace: "ci", labels: { tier: "front" }, namePrefix: "b" })).toEqual([
      "c",
    ]);
    expect(await uids({ namespace: "'; DROP TABLE archive; --" })).toEqual([]);
    expect(await uids({})).toHaveLength(3);
  });

  it("lists newest first, in pages that neither repeat nor lose a record", async () => {
    for (let index = 0; index < 7; index++) {
      // Equal times too: the uid decides then.
      await archive.put(record(`r${index}`, { startedAt: new Date(Date.UTC(2026, 0, 1 + Math.floor(index / 2))) }));
    }
    const seen: string[] = [];
    let token: string | undefined;
    do {
      const page = await archive.list({ limit: 3, ...(token ? { continue: token } : {}) });
      seen.push(...page.items.map(({ uid }) => uid));
      token = page.continue;
    } while (token);
    expect(seen).toEqual(["r6", "r5", "r4", "r3", "r2", "r1", "r0"]);
    await expect(archive.list({ continue: "nonsense" })).rejects.toMatchObject({ code: "InvalidArgument" });
  });

  it("deletes once", async () => {
    await archive.put(record("a"));
    expect(await archive.delete("a")).toBe(true);
    expect(await archive.delete("a")).toBe(false);
    expect(await uids({})).toEqual([]);
  });
}
