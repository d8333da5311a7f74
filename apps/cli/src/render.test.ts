import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describeWith, programPath } from "@tiphys/testing";
import { parseYamlDocuments } from "@tiphys/yaml";
import { main } from "./main.js";

const files: Readonly<Record<string, string>> = {
  "chart/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.2.3\n",
  "chart/values.yaml": "replicas: 1\nlabels: {}\n",
  "chart/templates/_names.tpl": '{{ define "full" }}{{ .Release.Name }}-{{ .Chart.Name }}{{ end }}',
  "chart/templates/deployment.yaml":
    'apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {{ include "full" . }}\n  namespace: {{ .Release.Namespace }}\n  labels: {{- toYaml .Values.labels | nindent 4 }}\nspec:\n  replicas: {{ .Values.replicas }}\n  paused: {{ .Capabilities.APIVersions.Has "example.com/v1" }}\n',
  "chart/templates/test.yaml":
    "apiVersion: v1\nkind: Pod\nmetadata: {name: t, annotations: {helm.sh/hook: test}}\nspec: {}\n",
  "chart/crds/thing.yaml":
    "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: things.example.com}\nspec: {}\n",
  "prod.yaml": "replicas: 4\nlabels: {tier: front}\n",
  "broken/Chart.yaml": "apiVersion: v2\nname: broken\nversion: 1.0.0\n",
  "broken/templates/a.yaml": "a: 1\nb: {{ .Values.none.deeper }}\n",
  "overlay/kustomization.yaml": "resources: [../base]\nnamePrefix: x-\n",
  "base/kustomization.yaml":
    "resources: [b.yaml]\nhelmCharts:\n- {name: chart, releaseName: inner, valuesInline: {replicas: 2}}\nhelmGlobals: {chartHome: ..}\n",
  "base/b.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n",
  "outside/kustomization.yaml": "resources: [../plain/a.yaml]\n",
  "plain/a.yaml":
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a2}\n",
  "plain/sub/c.json": '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}',
  "plain/d.jsonnet":
    "local lib = import 'lib.libsonnet'; [{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: lib.name + std.extVar('n') } }]",
  "plain/lib.libsonnet": "{ name: 'd' }",
  "plain/README.md": "# not a manifest\n",
};

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "tiphys-render-"));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function tiphys(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ["", ""];
  const code = await main(args, {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    env: {},
    folder,
    now: () => new Date("2026-01-02T03:04:05Z"),
    signal: new AbortController().signal,
  });
  return { code, out, err };
}
const objects = (text: string) => parseYamlDocuments(text).map(({ value }) => value as { metadata: { name: string } });
const names = (text: string) => objects(text).map(({ metadata }) => metadata.name);

describeWith(["helm"], "tiphys render of a chart", () => {
  const helm = programPath("helm") as string;
  it.each([
    { flags: [] },
    { flags: ["-f", "prod.yaml", "-n", "shop", "--set", "labels.a=b,replicas=7"] },
    { flags: ["--include-crds", "--skip-tests", "--api-versions", "example.com/v1", "--set-string", "labels.n=1"] },
    { flags: ["--no-hooks", "--set-json", 'labels={"x":"y"}', "--kube-version", "1.30.0"] },
  ])("gives what helm gives: $flags", async ({ flags }) => {
    const given = flags.map((flag) => (flag.endsWith("prod.yaml") ? join(folder, flag) : flag));
    const theirs = spawnSync(helm, ["template", "web1", join(folder, "chart"), ...given], { encoding: "utf8" });
    expect(theirs.stderr).toBe("");
    const mine = await tiphys("render", join(folder, "chart"), "--name", "web1", ...given);
    expect(mine).toMatchObject({ code: 0, err: "" });
    expect(objects(mine.out)).toEqual(objects(theirs.stdout));
  });

  it("names file, line and value of a template that fails", async () => {
    const { code, err, out } = await tiphys("render", join(folder, "broken"));
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toContain("broken/templates/a.yaml:2:");
    expect(err).toContain("nil pointer evaluating interface {}.deeper");
  });
});

describe("tiphys render of other sources", () => {
  it("builds a kustomization with bases beside it and a chart inside", async () => {
    const { code, out, err } = await tiphys("render", join(folder, "overlay"));
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(names(out)).toEqual(["x-b", "x-inner-web", "x-t"]);
  });

  it("reads plain files and Jsonnet, below the folder only when asked", async () => {
    const flat = await tiphys("render", join(folder, "plain"), "--ext-str", "n=1");
    expect(flat).toMatchObject({ code: 0, err: "" });
    expect(names(flat.out)).toEqual(["a", "a2", "d1"]);
    const deep = await tiphys("render", join(folder, "plain"), "--recurse", "--exclude", "*.jsonnet", "-o", "json");
    expect(JSON.parse(deep.out).map(({ metadata }: { metadata: { name: string } }) => metadata.name)).toEqual([
      "a",
      "a2",
      "c",
    ]);
  });

  it("reads one file", async () => {
    expect(names((await tiphys("render", join(folder, "base/b.yaml"))).out)).toEqual(["b"]);
    const { out } = await tiphys("render", join(folder, "plain/d.jsonnet"), "--ext-code", "n='x'");
    expect(names(out)).toEqual(["dx"]);
  });

  it.each([
    { args: ["absent"], says: "there is no such file or folder" },
    { args: ["plain/a.yaml", "-o", "xml"], says: "--output: xml is no format", code: 2 },
    { args: ["outside"], says: "is not in or below" },
    { args: ["plain/d.jsonnet"], says: "undefined external variable: n" },
  ])("refuses $args with the reason", async ({ args: [path = "", ...rest], says, code = 1 }) => {
    const result = await tiphys("render", join(folder, path), ...rest);
    expect(result.code).toBe(code);
    expect(result.err).toContain(says);
    expect(result.out).toBe("");
  });
});
