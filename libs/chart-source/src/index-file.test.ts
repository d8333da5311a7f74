import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TiphysError } from "@tiphys/errors";
import { mutations } from "@tiphys/testing";
import { openIndex } from "./index-file.js";

const folder = mkdtempSync(join(tmpdir(), "tiphys-index-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;
const open = (text: string) => {
  const file = join(folder, `${count++}.yaml`);
  writeFileSync(file, text);
  return openIndex(file, "the index");
};
const all = async (text: string) => {
  const index = await open(text);
  return Object.fromEntries(
    await Promise.all(index.names.map(async (name) => [name, await index.entries(name)] as const)),
  );
};
const digest = "ab".repeat(32);

const usual = `apiVersion: v1
entries:
  alpine:
  - apiVersion: v2
    annotations:
      text: |
        - version: 9.9.9
        urls:
    created: "2026-01-02T03:04:05Z"
    dependencies:
    - name: common
      repository: https://charts.example
      version: 1.x
    description: "many
      lines: of text"
    digest: ${digest}
    name: alpine
    urls:
    - alpine-1.2.0.tgz
    - https://mirror.example/alpine-1.2.0.tgz
    version: 1.2.0
  - name: alpine
    version: 1.10.0
    urls: [alpine-1.10.0.tgz]
  - name: alpine
    version: not-a-version
    urls: [x.tgz]
  "web.server":
  - name: web.server
    version: 0.1.0-rc.1
    digest: sha256:${digest.toUpperCase()}
    appVersion: 1.0
    urls:
      - a.tgz
  empty: []
generated: "2026-01-02T03:04:05Z"
`;
const want = {
  alpine: [
    { version: "1.10.0", urls: ["alpine-1.10.0.tgz"] },
    {
      version: "1.2.0",
      urls: ["alpine-1.2.0.tgz", "https://mirror.example/alpine-1.2.0.tgz"],
      digest,
      created: "2026-01-02T03:04:05Z",
    },
  ],
  "web.server": [{ version: "0.1.0-rc.1", urls: ["a.tgz"], digest, appVersion: "1" }],
  empty: [],
};

it.each([
  { why: "the layout that helm writes", text: usual },
  { why: "line ends of Windows", text: usual.replaceAll("\n", "\r\n") },
  { why: "a byte order mark", text: `\ufeff${usual}` },
  { why: "deeper indentation", text: usual.replace(/^( +)/gm, "$1  ") },
  { why: "comments and empty lines", text: usual.replaceAll("\n  - ", "\n\n# next\n  - ") },
  { why: "a document's beginning", text: `---\n${usual}` },
  { why: "entries as a flow: read whole", text: usual.replace("generated:", "more: {a: [1]}\ngenerated:") },
  {
    why: "an alias: read whole",
    text: usual.replace("- alpine-1.2.0.tgz", "- &u alpine-1.2.0.tgz").replace("generated:", "again: *u\ngenerated:"),
  },
])("reads $why", async ({ text }) => expect(await all(text)).toEqual(want));

it("reads JSON", async () => {
  const text = JSON.stringify({ apiVersion: "v1", entries: { a: [{ name: "a", version: "1.0.0", urls: ["a.tgz"] }] } });
  expect(await all(text)).toEqual({ a: [{ version: "1.0.0", urls: ["a.tgz"] }] });
});

it.each([
  { why: "nothing", text: "", error: "the index is empty" },
  { why: "no apiVersion", text: "entries: {}\n", error: "it has no apiVersion" },
  { why: "a page of HTML", text: "<!DOCTYPE html><html><body>Log in</body></html>", error: "not an index of charts" },
  { why: "no YAML", text: "apiVersion: v1\nentries:\n  a: [\n", error: "not an index of charts" },
])("refuses $why", async ({ text, error }) => expect(all(text)).rejects.toThrow(error));

it("names the chart whose list is broken, and reads the others", async () => {
  const index = await open(
    `apiVersion: v1\nentries:\n  bad:\n  - version: "1\n  good:\n  - name: good\n    version: 1.0.0\n`,
  );
  await expect(index.entries("bad")).rejects.toThrow('cannot be read at chart "bad"');
  expect(await index.entries("good")).toEqual([{ version: "1.0.0", urls: [] }]);
});

it("takes any bytes for what they are, or refuses them", async () => {
  for (const text of mutations([usual], 300)) {
    await all(text).catch((error: unknown) => {
      if (!(error instanceof TiphysError)) throw new Error(`${error} on ${JSON.stringify(text)}`);
    });
  }
});
