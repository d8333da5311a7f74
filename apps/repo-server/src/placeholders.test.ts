import { randomBytes } from "node:crypto";
import type { RenderResponse } from "@tiphys/render";
import type { KubeObject } from "@tiphys/resources";
import { Secret } from "@tiphys/secret";
import type { SecretProvider } from "@tiphys/secret-provider";
import { createPlaceholders } from "./placeholders.js";

const base64 = (text: string) => Buffer.from(text).toString("base64");
const providerSecret = (name: string, projects: string, version = "1"): KubeObject => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name, resourceVersion: version, labels: { "tiphys.dev/secret-type": "secret-provider" } },
  data: { projects: base64(projects), VAULT_ADDR: base64("https://vault") },
});
const DB = "<path:secret/data/db#password>";
const rendered = (...objects: object[]): RenderResponse => ({
  revision: "abc",
  key: `key-${JSON.stringify(objects).length}`,
  sourceType: "Directory",
  manifests: objects.map((object) => ({ json: JSON.stringify(object), path: "a.yaml", line: 1 })),
  commit: undefined,
  warnings: [],
});
const secret = { apiVersion: "v1", kind: "Secret", metadata: { name: "db" }, data: { p: base64(DB) } };
const configMap = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "plain" }, data: { a: "<b>" } };

let secrets: KubeObject[];
let password: string;
let reads: number[];
let opened: string[];
const create = () =>
  createPlaceholders({
    secrets: () => secrets,
    key: new Secret(randomBytes(8).toString("hex")),
    open: (entries, where): SecretProvider => {
      opened.push(`${where} ${entries["VAULT_ADDR"]}`);
      return {
        async read(_, { maxAge }) {
          reads.push(maxAge);
          return { password };
        },
      };
    },
  });
const ask = { project: "team-a", maxAge: 1e9, noCache: false };
beforeEach(() => {
  [secrets, password, reads, opened] = [[providerSecret("vault", "team-*, ops")], "s3cret", [], []];
});

it("fills what was rendered for the projects that a Secret names, with another key for other values", async () => {
  const placeholders = create();
  const first = await placeholders.fill(rendered(configMap, secret), ask);
  expect(JSON.parse(first.manifests[1]?.json ?? "").data.p).toBe(base64("s3cret"));
  expect(first.manifests[0]?.json).toBe(JSON.stringify(configMap));
  const again = await placeholders.fill(rendered(configMap, secret), ask);
  expect(again.key).toBe(first.key);
  password = "changed";
  const other = await placeholders.fill(rendered(configMap, secret), { ...ask, noCache: true });
  expect(other.key).not.toBe(first.key);
  // Neither holds the value, nor a digest of it that others could make.
  expect((await create().fill(rendered(configMap, secret), ask)).key).not.toBe(other.key);
  expect(reads).toEqual([180_000, 180_000, 0, 180_000]);
  expect(opened).toEqual(["Secret vault https://vault", "Secret vault https://vault"]);
});

it("warns of placeholders that nobody fills, and names the objects and the way out", async () => {
  secrets = [providerSecret("vault", "others")];
  const { manifests, warnings } = await create().fill(rendered(configMap, secret), ask);
  expect(manifests).toEqual(rendered(configMap, secret).manifests);
  expect(warnings).toEqual([
    {
      type: "UnresolvedPlaceholderWarning",
      message: expect.stringMatching(/^Secret db: .*tiphys\.dev\/secret-type: secret-provider names project team-a/),
    },
  ]);
  expect((await create().fill(rendered(configMap), ask)).warnings).toEqual([]);
});

it("refuses two providers for one project, and opens one anew when its Secret changes", async () => {
  const placeholders = create();
  await placeholders.fill(rendered(secret), ask);
  secrets = [providerSecret("vault", "*", "2")];
  await placeholders.fill(rendered(secret), ask);
  expect(opened).toHaveLength(2);
  secrets.push(providerSecret("second", "team-a"));
  await expect(placeholders.fill(rendered(secret), ask)).rejects.toThrow("Secrets second and vault are both");
});
