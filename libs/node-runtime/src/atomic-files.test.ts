import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeAtomic } from "./atomic-files.js";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "tiphys-atomic-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const now = new Date("2026-01-02T03:04:05.678Z");
const file = (path: string, text: string, mode = 0o644) => ({ path, data: Buffer.from(text), mode });
const read = (path: string) => readFileSync(join(dir, path), "utf8");

it("shows files through one link that changes all of them at once", async () => {
  expect(await writeAtomic(dir, [file("a", "1"), file("deep/b", "1", 0o600)], now)).toBe(true);
  const first = readlinkSync(join(dir, "..data"));
  expect(first).toMatch(/^\.\.2026_01_02_03_04_05\.678/);
  expect([readlinkSync(join(dir, "a")), readlinkSync(join(dir, "deep"))]).toEqual(["..data/a", "..data/deep"]);
  expect(statSync(join(dir, "deep/b")).mode & 0o777).toBe(0o600);
  expect(await writeAtomic(dir, [file("a", "2"), file("c", "2")], now)).toBe(true);
  expect([read("a"), read("c")]).toEqual(["2", "2"]);
  expect(readdirSync(dir).sort()).toEqual([readlinkSync(join(dir, "..data")), "..data", "a", "c"].sort());
});

it("leaves what is the same as it is", async () => {
  await writeAtomic(dir, [file("a", "1")], now);
  const before = readlinkSync(join(dir, "..data"));
  expect(await writeAtomic(dir, [file("a", "1")], now)).toBe(false);
  expect(readlinkSync(join(dir, "..data"))).toBe(before);
});
