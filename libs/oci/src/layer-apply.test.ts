import { execFileSync } from "node:child_process";
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import {
  applyLayer,
  buildLayer,
  cloneTree,
  decompressed,
  type LayerEntry,
  newBudget,
  tarEnd,
  tarHeader,
  tarPadding,
} from "./index.js";

let dir: string;
let root: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "tiphys-layer-"));
  root = join(dir, "root");
  mkdirSync(root);
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

async function* pieces(bytes: Uint8Array, size = 700): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
const owners = process.getuid?.() === 0;
const apply = async (entries: LayerEntry[]) => {
  const { content } = await buildLayer(entries);
  await applyLayer(root, decompressed(pieces(content as Uint8Array)), { owners, budget: newBudget() });
};
const raw = (bytes: Uint8Array) => applyLayer(root, pieces(bytes), { owners: false, budget: newBudget() });
const file = (path: string, content = path): LayerEntry => ({ path, type: "file", content });
const tree = () =>
  readdirSync(root, { recursive: true })
    .map(String)
    .filter((path) => !path.startsWith("bin/"))
    .sort();
const read = (path: string) => readFileSync(join(root, path), "utf8");

it("applies whiteouts, opaque folders, links and modes", async () => {
  await apply([
    file("a/gone"),
    file("a/stays"),
    file("b/old/deep"),
    file("c/was-file"),
    { path: "bin", type: "symlink", link: "usr/bin" },
    { path: "usr/bin", type: "directory" },
    { path: "usr/bin/tool", type: "file", mode: 0o755, content: "x" },
    { path: "usr/bin/same", type: "link", link: "usr/bin/tool" },
  ]);
  await apply([
    { path: "a/gone", type: "whiteout" },
    { path: "b", type: "opaque" },
    file("b/new"),
    { path: "c/was-file", type: "directory" },
    file("c/was-file/inner"),
    file("bin/through-link"),
  ]);
  expect(tree()).toEqual(
    [
      "a",
      "a/stays",
      "b",
      "b/new",
      "bin",
      "c",
      "c/was-file",
      "c/was-file/inner",
      "usr",
      "usr/bin",
      "usr/bin/same",
      "usr/bin/through-link",
      "usr/bin/tool",
    ].sort(),
  );
  expect(lstatSync(join(root, "usr/bin/tool")).mode & 0o7777).toBe(0o755);
  expect(lstatSync(join(root, "usr/bin/same")).ino).toBe(lstatSync(join(root, "usr/bin/tool")).ino);
  expect(readlinkSync(join(root, "bin"))).toBe("usr/bin");
});

it("keeps an opaque folder's own files when its marker comes last", async () => {
  await apply([file("d/low/x"), file("d/low2")]);
  await apply([file("d/new"), file("d/low/y"), { path: "d", type: "opaque" }]);
  expect(tree()).toEqual(["d", "d/low", "d/low/y", "d/new"]);
});

it("never writes outside of its root, through whatever links", async () => {
  mkdirSync(join(dir, "outside"));
  writeFileSync(join(dir, "outside/file"), "mine");
  await apply([
    { path: "up", type: "symlink", link: "../outside" },
    { path: "abs", type: "symlink", link: join(dir, "outside") },
    file("up/file", "theirs"),
    file("abs/file", "theirs"),
    { path: "up2", type: "symlink", link: "../../outside/file" },
    file("up2", "replaces the link"),
    { path: "up/file", type: "whiteout" },
  ]);
  expect(readdirSync(join(dir, "outside"))).toEqual(["file"]);
  expect(readFileSync(join(dir, "outside/file"), "utf8")).toBe("mine");
  expect(read("up2")).toBe("replaces the link");
});

const entry = (path: string, more: object = {}) =>
  tarHeader({ path, type: "file", mode: 0o644, uid: 0, gid: 0, size: 0, mtime: 0, ...more });

it.each([
  ["a path that climbs out", entry("a/../../x"), "leaves the image"],
  ["a hard link that climbs out", entry("x", { type: "link", link: "../../etc/passwd" }), "leaves the image"],
  ["a hard link to nothing", entry("x", { type: "link", link: "nothing" }), "not there"],
  [
    "links in a circle",
    Buffer.concat([
      entry("a", { type: "symlink", link: "b" }),
      entry("b", { type: "symlink", link: "a" }),
      entry("a/x"),
    ]),
    "too many links",
  ],
  ["an end in the middle", entry("x", { size: 5000 }), "ends in the middle"],
  ["a wrong checksum", Buffer.from(entry("x")).fill(65, 0, 1), "checksum"],
])("refuses %s", async (_name, bytes, problem) => {
  await expect(raw(bytes)).rejects.toThrow(problem);
});

it("leaves out devices and pipes", async () => {
  await raw(
    Buffer.concat([
      entry("null", { type: "character" }),
      entry("sda", { type: "block" }),
      entry("p", { type: "fifo" }),
      entry("x"),
      tarEnd(),
    ]),
  );
  expect(tree()).toEqual(["x"]);
});

it("stops a layer that unpacks to far more than it was", async () => {
  const size = 300 * 1024 * 1024;
  const budget = { ...newBudget(), packed: 100_000 };
  const bomb = applyLayer(root, pieces(entry("zeros", { size })), { owners: false, budget });
  await expect(bomb).rejects.toThrow("times its size");
});

it("is read by tar and reads what tar writes, long names and others' alphabets too", async () => {
  const long = `${"d".repeat(90)}/${"e".repeat(90)}/${"f".repeat(120)}`;
  const layer = await buildLayer([file(long), file("größe/ü"), { path: "l", type: "symlink", link: "x".repeat(150) }]);
  writeFileSync(join(dir, "a.tar"), gunzipSync(layer.content as Uint8Array));
  const listed = execFileSync("tar", ["--quoting-style=literal", "-tf", join(dir, "a.tar")], {
    encoding: "utf8",
    env: { LC_ALL: "C.UTF-8", PATH: process.env["PATH"] },
  });
  expect(listed.trim().split("\n")).toEqual([long, "größe/ü", "l"]);
  mkdirSync(join(dir, "in"));
  execFileSync("tar", ["-xf", join(dir, "a.tar"), "-C", join(dir, "in")]);
  for (const format of ["gnu", "pax", "ustar"]) {
    // ustar cannot hold the longest of them.
    const names = format === "ustar" ? ["größe"] : ["."];
    const tar = execFileSync("tar", [`--format=${format}`, "-cf", "-", "-C", join(dir, "in"), ...names]);
    rmSync(root, { recursive: true });
    mkdirSync(root);
    await raw(tar);
    expect(read("größe/ü")).toBe("größe/ü");
    if (format !== "ustar") expect([read(long), readlinkSync(join(root, "l"))]).toEqual([long, "x".repeat(150)]);
  }
});

it("reads zstd, and says when it is damaged", async () => {
  const plain = Buffer.concat([entry("z", { size: 3 }), Buffer.from("abc"), tarPadding(3), tarEnd()]);
  writeFileSync(join(dir, "z.tar"), plain);
  const packed = zstd(join(dir, "z.tar"));
  if (!packed) return;
  await applyLayer(root, decompressed(pieces(packed, 11)), { owners: false, budget: newBudget() });
  expect(read("z")).toBe("abc");
  const damaged = packed.subarray(0, packed.length - 12);
  await expect(
    applyLayer(root, decompressed(pieces(damaged)), { owners: false, budget: newBudget() }),
  ).rejects.toThrow();
});

/** Undefined where the machine has no zstd: nothing of ours packs it. */
function zstd(path: string): Buffer | undefined {
  try {
    return execFileSync("zstd", ["-q", "-c", path], { stdio: ["ignore", "pipe", "ignore"] });
  } catch {
    return undefined;
  }
}

it("makes the same layer of the same entries, and clones a tree without sharing folders", async () => {
  const entries = [file("a/b"), { path: "e", type: "directory" as const, mode: 0o700 }];
  const [one, two] = [await buildLayer(entries), await buildLayer(entries)];
  expect(one.descriptor).toEqual(two.descriptor);
  await apply(entries);
  await cloneTree(root, join(dir, "copy"), owners);
  expect(lstatSync(join(dir, "copy/a/b")).ino).toBe(lstatSync(join(root, "a/b")).ino);
  expect(lstatSync(join(dir, "copy/e")).mode & 0o777).toBe(0o700);
  expect(lstatSync(join(dir, "copy/e")).ino).not.toBe(lstatSync(join(root, "e")).ino);
});
