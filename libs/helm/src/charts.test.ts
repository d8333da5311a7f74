import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describeWith, programPath } from "@tiphys/testing";
import { compare, type HelmCase } from "../../../tools/oracle/helm.js";

type Files = Readonly<Record<string, string>>;
interface Case extends Omit<HelmCase, "chart" | "values"> {
  readonly name: string;
  readonly files: Files;
  /** Texts of values files, in order. */
  readonly values?: readonly string[];
  /** Both have to fail. */
  readonly fails?: true;
}

const chart = (extra: string, files: Files = {}): Files => ({
  "Chart.yaml": `apiVersion: v2\nname: top\nversion: 0.1.0\n${extra}`,
  ...files,
});
const inner = (name: string, files: Files = {}, extra = ""): Files =>
  Object.fromEntries(
    Object.entries({ "Chart.yaml": `apiVersion: v2\nname: ${name}\nversion: 1.2.3\n${extra}`, ...files }).map(
      ([path, text]) => [`charts/${name}/${path}`, text],
    ),
  );
const show = (name = "show") =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}-{{ .Chart.Name }}\ndata:\n  values: {{ .Values | toJson | toJson }}\n`;
const object = (kind: string, name: string, more = "") =>
  `apiVersion: v1\nkind: ${kind}\nmetadata:\n  name: ${name}\n${more}`;
const dependency = (text: string) => `dependencies:\n- ${text}\n`;
const withSub = (dep: string, values: string, sub: Files = {}): Files => ({
  ...chart(dependency(dep), { "values.yaml": values, "templates/show.yaml": show() }),
  ...inner("sub", {
    "values.yaml": "a: 1\nb: {c: 2, d: 3}\nexports: {data: {e: 5}}\nnested: {x: {y: 1}}\n",
    "templates/show.yaml": show("sub"),
    ...sub,
  }),
});

const cases: readonly Case[] = [
  {
    name: "values over defaults, null deletes",
    files: chart("", { "values.yaml": "a: 1\nb: {c: 2, d: {e: 3}}\nl: [1, 2]\n", "templates/show.yaml": show() }),
    values: ["b: {c: null, n: 1}\nl: [3]\n", "a: null\nb: {d: {e: null}}\nz: null\n"],
  },
  {
    name: "set in all its forms",
    files: chart("", { "values.yaml": "a: {b: 1}\nl: [1, 2, 3]\n", "templates/show.yaml": show() }),
    set: [
      "a.b=2,c=x\\,y,d={1,two,true}",
      "l[1]=z,m[2].n=5,o[0][1]=q",
      "e=null,f=,g=0,h=007,i=1.5,j\\.k=1",
      "a.new=true",
    ],
    setString: ["s=1,t=true"],
    setJson: ['x={"y":[1,{"z":null}]},w=[1,2]', '{"whole": {"a": 1}}'],
    setLiteral: ["lit=a,b=c{d}"],
  },
  {
    name: "set on a value that is no map",
    files: chart("", { "values.yaml": "a: 1\n", "templates/show.yaml": show() }),
    set: ["a.b=1", "a=x,a.b=2"],
    fails: true,
  },
  { name: "set without a value", files: chart("", { "templates/show.yaml": show() }), set: ["a"], fails: true },
  { name: "set list not closed", files: chart("", { "templates/show.yaml": show() }), set: ["a={b"], fails: true },
  {
    name: "set with a negative index",
    files: chart("", { "templates/show.yaml": show() }),
    set: ["a[-1]=b"],
    fails: true,
  },
  {
    name: "values of several documents",
    files: chart("", { "values.yaml": "a: 1\n---\nb: 2\n---\na: {c: 3}\n", "templates/show.yaml": show() }),
  },
  {
    name: "values that are no map",
    files: chart("", { "values.yaml": "- a\n", "templates/show.yaml": show() }),
    fails: true,
  },
  {
    name: "subchart values and globals",
    files: withSub('{name: sub, version: "1.x"}', "sub: {a: 9, b: {c: null}}\nglobal: {g: {h: 1}, i: 2}\n"),
    values: ["global: {g: {j: 2}}\nsub: {global: {k: 1}}\n"],
  },
  {
    name: "subchart switched off by condition",
    files: withSub('{name: sub, version: "1.x", condition: "sub.enabled,other.on"}', "sub: {enabled: false}\n"),
  },
  {
    name: "second path of a condition",
    files: withSub('{name: sub, version: "1.x", condition: "sub.enabled,other.on"}', "other: {on: false}\n"),
  },
  { name: "tags", files: withSub('{name: sub, version: "1.x", tags: [front, back]}', "tags: {front: false}\n") },
  {
    name: "tags, one of two on",
    files: withSub('{name: sub, version: "1.x", tags: [front, back]}', "tags: {front: false, back: true}\n"),
  },
  {
    name: "alias",
    files: {
      ...withSub(
        '{name: sub, version: "1.x", alias: one}\n- {name: sub, version: "1.x", alias: two, condition: two.enabled}',
        "one: {a: 5}\ntwo: {enabled: true, b: {c: 7}}\n",
      ),
    },
  },
  {
    name: "import-values, both forms",
    files: withSub(
      '{name: sub, version: "1.x", import-values: [data, {child: nested.x, parent: imported.here}, {child: missing, parent: q}]}',
      "imported: {own: 1, here: {y: 9}}\n",
    ),
  },
  {
    name: "constraint that does not fit",
    files: withSub('{name: sub, version: ">2", condition: sub.enabled}', "sub: {enabled: false}\n"),
  },
  {
    name: "subchart that nobody lists",
    files: {
      ...chart("", { "templates/show.yaml": show() }),
      ...inner("loose", { "templates/show.yaml": show(), "values.yaml": "v: 1\n" }),
    },
  },
  {
    name: "charts three deep with conditions",
    files: {
      ...chart(dependency("{name: mid, version: 1.2.3}"), {
        "values.yaml": "mid: {low: {on: true, z: null}}\n",
        "templates/show.yaml": show(),
      }),
      ...inner(
        "mid",
        { "templates/show.yaml": show(), "values.yaml": "low: {on: false, z: 1}\n" },
        dependency("{name: low, version: 1.2.3, condition: low.on}"),
      ),
      ...Object.fromEntries(
        Object.entries(inner("low", { "templates/show.yaml": show(), "values.yaml": "z: 2\nw: 3\n" })).map(
          ([path, text]) => [`charts/mid/${path}`, text],
        ),
      ),
    },
  },
  {
    name: "missing dependency",
    files: chart(dependency("{name: gone, version: 1.0.0}"), { "templates/show.yaml": show() }),
    fails: true,
  },
  { name: "subchart values that are no table", files: withSub('{name: sub, version: "1.x"}', "sub: 5\n"), fails: true },
  {
    name: "library chart as dependency",
    files: {
      ...chart(dependency("{name: lib, version: 1.2.3}"), {
        "templates/a.yaml": '{{ include "lib.cm" (dict "name" "x" "ctx" .) }}',
      }),
      ...inner(
        "lib",
        {
          "templates/_cm.tpl": `{{ define "lib.cm" }}${object("ConfigMap", "{{ .name }}-{{ .ctx.Chart.Name }}")}{{ end }}`,
          "templates/ignored.yaml": '{{ fail "never" }}',
        },
        "type: library\n",
      ),
    },
  },
  { name: "library chart by itself", files: chart("type: library\n", { "templates/_a.tpl": "x" }), fails: true },
  {
    name: "same define in parent and child",
    files: {
      ...chart("", {
        "templates/_h.tpl": '{{ define "who" }}parent{{ end }}',
        "templates/a.yaml": object("ConfigMap", 'a-{{ include "who" . }}'),
      }),
      ...inner("sub", {
        "templates/_h.tpl": '{{ define "who" }}child{{ end }}',
        "templates/a.yaml": object("ConfigMap", 'b-{{ include "who" . }}'),
      }),
    },
  },
  {
    name: "set on values seen by the next template",
    files: {
      ...chart("", {
        "templates/b.yaml": `{{ $_ := set .Values "late" "yes" }}${show("b")}`,
        "templates/a.yaml": show("a"),
      }),
      ...inner("sub", { "values.yaml": "q: 1\n", "templates/z.yaml": `{{ $_ := set .Values "added" 1 }}${show("z")}` }),
    },
  },
  {
    name: "install order and hooks",
    files: chart("", {
      "templates/all.yaml": [
        "Deployment",
        "Service",
        "Widget",
        "Namespace",
        "Secret",
        "Apple",
        "ConfigMap",
        "Ingress",
        "ClusterRole",
      ]
        .map((kind) => object(kind, `n-${kind.toLowerCase()}`))
        .join("---\n"),
      "templates/hooks.yaml": ["pre-install, post-upgrade", "test", "test-success", "unknown", "post-delete"]
        .map((hook, i) =>
          object(
            i % 2 ? "Pod" : "Job",
            `h${i}`,
            `  annotations:\n    helm.sh/hook: "${hook}"\n    helm.sh/hook-weight: "${5 - i}"\n    helm.sh/hook-delete-policy: hook-succeeded,before-hook-creation\n`,
          ),
        )
        .join("---\n"),
    }),
  },
  {
    name: "documents and separators",
    files: chart("", {
      "templates/a.yaml": `# only a comment\n---\n---\n${object("ConfigMap", "a")}---\n\n--- # named\n${object("ConfigMap", "b")}\n---   \n${object("ConfigMap", "c")}---`,
      "templates/empty.yaml": "{{- if false }}x{{ end }}\n",
      "templates/text.txt": object("ConfigMap", "from-txt"),
      "templates/deep/er/x.yaml": object("ConfigMap", "deep"),
    }),
  },
  {
    name: "NOTES and partials",
    files: chart("", {
      "templates/NOTES.txt": "Thanks for {{ .Release.Name }}: {",
      "templates/_p.yaml": "not: [valid",
      "templates/sub/_q.tpl": "",
      "templates/a.yaml": object("ConfigMap", "a"),
    }),
  },
  {
    name: "crds",
    files: {
      ...chart("", {
        "crds/a.yaml": `${object("CustomResourceDefinition", "a.x")}---\n${object("CustomResourceDefinition", "b.x")}`,
        "crds/readme.md": "no",
        "templates/a.yaml": object("ConfigMap", "a"),
      }),
      ...inner("sub", {
        "crds/c.yaml": object("CustomResourceDefinition", "{{ not a template }}".replace(/[{} ]/g, "")),
      }),
    },
  },
  {
    name: "helmignore",
    files: chart("", {
      ".helmignore": "# comment\n*.bak\n/secret/\ntemplates/skip*.yaml\nconf/[ab].txt\n",
      "a.bak": "x",
      "secret/s.txt": "s",
      "conf/a.txt": "a",
      "conf/c.txt": "c",
      "templates/skip1.yaml": '{{ fail "no" }}',
      "templates/.hidden.yaml": '{{ fail "no" }}',
      "templates/a.yaml": `${object("ConfigMap", "a")}data:\n  files: {{ range $p, $_ := .Files }}{{ $p }};{{ end }}\n`,
    }),
  },
  {
    name: "files in all ways",
    files: chart("", {
      "f/a.txt": "one\ntwo\n",
      "f/b.conf": "é: 1\n",
      "templates/a.yaml": `${object("ConfigMap", "a")}data:\n{{ (.Files.Glob "f/*").AsConfig | indent 2 }}\n  lines: {{ .Files.Lines "f/a.txt" | toJson }}\nbinary:\n{{ (.Files.Glob "**").AsSecrets | indent 2 }}\n`,
    }),
  },
  {
    name: "capabilities",
    files: chart("", {
      "templates/a.yaml": `${object("ConfigMap", "a")}data:\n  k: {{ .Capabilities.KubeVersion.Version }} {{ .Capabilities.KubeVersion.Minor }} {{ .Capabilities.KubeVersion }}\n  h: "{{ .Capabilities.APIVersions.Has "x.io/v1" }} {{ .Capabilities.APIVersions.Has "x.io/v1/Kind" }}"\n  u: "{{ .Release.IsUpgrade }} {{ semverCompare ">=1.29-0" .Capabilities.KubeVersion.Version }}"\n`,
    }),
    apiVersions: ["x.io/v1", "x.io/v1/Kind"],
    kubeVersion: "1.29.3-gke.100",
    isUpgrade: true,
  },
  {
    name: "kubeVersion that fits",
    files: chart('kubeVersion: ">=1.25.0-0"\n', { "templates/a.yaml": object("ConfigMap", "a") }),
    kubeVersion: "v1.29.3-gke.100",
  },
  {
    name: "kubeVersion that does not fit",
    files: chart('kubeVersion: "<1.20"\n', { "templates/a.yaml": object("ConfigMap", "a") }),
    fails: true,
  },
  {
    name: "kube version that is none",
    files: chart("", { "templates/a.yaml": object("ConfigMap", "a") }),
    kubeVersion: "one",
    fails: true,
  },
  {
    name: "schema that fits",
    files: chart("", {
      "values.schema.json":
        '{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","required":["port"],"properties":{"port":{"type":"integer","minimum":1},"name":{"type":"string","pattern":"^[a-z]+$"}},"additionalProperties":false}',
      "values.yaml": "port: 80\nname: web\n",
      "templates/show.yaml": show(),
    }),
  },
  {
    name: "schema with wrong values",
    files: chart("", {
      "values.schema.json":
        '{"type":"object","required":["a","b"],"properties":{"port":{"type":"integer"},"l":{"type":"array","minItems":2},"e":{"enum":["x","y"]}}}',
      "values.yaml": "port: eighty\nl: [1]\ne: z\n",
      "templates/show.yaml": show(),
    }),
    fails: true,
  },
  {
    name: "schema of a subchart",
    files: withSub('{name: sub, version: "1.x"}', "sub: {a: text}\n", {
      "values.schema.json": '{"properties":{"a":{"type":"number"}}}',
    }),
    fails: true,
  },
  {
    name: "schema with references inside, 2020",
    files: chart("", {
      "values.schema.json":
        '{"$schema":"https://json-schema.org/draft/2020-12/schema","$defs":{"p":{"type":"integer","maximum":5}},"properties":{"x":{"$ref":"#/$defs/p"},"t":{"prefixItems":[{"type":"string"}],"items":false}},"dependentRequired":{"x":["t"]},"unevaluatedProperties":false}',
      "values.yaml": "x: 5\nt: [a]\n",
      "templates/show.yaml": show(),
    }),
    set: ["x=5"],
  },
  {
    name: "chart of v1 with requirements",
    files: {
      "Chart.yaml": "name: old\nversion: 1.0\n",
      "requirements.yaml": "dependencies:\n- name: sub\n  version: 1.2.3\n  condition: sub.on\n",
      "templates/show.yaml": show(),
      ...inner("sub", { "templates/show.yaml": show() }),
    },
    set: ["sub.on=true"],
  },
  {
    name: "numbers in Chart.yaml",
    files: {
      "Chart.yaml":
        "apiVersion: v2\nname: num\nversion: 1.2.3\nappVersion: 1.10\nkeywords: [1, true]\nannotations: {a: 5, b: true}\nappversion: ignored\n",
      "templates/a.yaml": `${object("ConfigMap", "a")}data:\n  c: {{ .Chart | toJson | toJson }}\n`,
    },
  },
  ...[
    "",
    "name: x\n",
    "name: x\nversion: not-a-version\n",
    "name: ../x\nversion: 1.0.0\n",
    "name: x\nversion: 1.0.0\ntype: thing\n",
    "name: [x]\nversion: 1.0.0\n",
    "a: [\n",
    "name: x\nversion: 1.0.0\ndependencies:\n- null\n",
    "name: x\nversion: 1.0.0\ndependencies:\n- {name: a, version: 1.0.0}\n- {name: a, version: 1.0.0}\n",
    "name: x\nversion: 1.0.0\ndependencies:\n- {name: a, version: 1.0.0, alias: b/c}\n",
  ].map(
    (text, index): Case => ({
      name: `Chart.yaml that is wrong (${index})`,
      files: { "Chart.yaml": `apiVersion: v2\n${text}`, "templates/a.yaml": object("ConfigMap", "a") },
      fails: true,
    }),
  ),
  {
    name: "release name that is none",
    files: chart("", { "templates/a.yaml": object("ConfigMap", "a") }),
    releaseName: "Not_A_Name",
    fails: true,
  },
  { name: "manifest that is no YAML", files: chart("", { "templates/a.yaml": "a: [\n" }), fails: true },
  { name: "manifest that is no map", files: chart("", { "templates/a.yaml": "just text\n" }), fails: true },
  {
    name: "annotation that is no text",
    files: chart("", { "templates/a.yaml": object("ConfigMap", "a", "  annotations:\n    x: {y: 1}\n") }),
    fails: true,
  },
  {
    name: "numbers and booleans where texts belong",
    files: chart("", {
      "templates/a.yaml":
        "apiVersion: 1\nkind: true\nmetadata:\n  name: 5\n  annotations:\n    helm.sh/hook-weight: 5\n    x: yes\n",
    }),
  },
  {
    name: "error deep in helpers",
    files: chart("", {
      "templates/_h.tpl":
        '{{ define "a" }}{{ include "b" . }}{{ end }}\n{{ define "b" }}\n  {{ .Values.x.y.z }}{{ end }}',
      "templates/a.yaml": 'x: {{ include "a" . }}',
    }),
    fails: true,
  },
  {
    name: "required and fail",
    files: chart("", { "templates/a.yaml": 'x: {{ required "x is needed: \\"really\\"" .Values.x }}' }),
    fails: true,
  },
  {
    name: "octal, dates and words of YAML",
    files: chart("", {
      "values.yaml":
        "mode: 0644\noct: 0o17\nday: 2020-01-01\nword: yes\nbig: 12345678901234567890\nexp: 1e3\nhex: 0x1F\nus: 1_000\nempty:\ntilde: ~\n",
      "templates/show.yaml": `${show()}  mode: {{ .Values.mode }}\n  big: "{{ .Values.big }}"\n`,
    }),
  },
  {
    name: "anchors and merge keys",
    files: chart("", {
      "values.yaml": "base: &b {a: 1, l: [1]}\none:\n  <<: *b\n  c: 2\ntwo: *b\n",
      "templates/show.yaml": show(),
    }),
  },
];

describeWith(["helm"], "charts as helm renders them", () => {
  const helm = programPath("helm") ?? "";
  let folder = "";
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "tiphys-charts-"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const write = (path: string, text: string) => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  };

  it.each(cases)("$name", async ({ name, files, values = [], fails, ...rest }) => {
    const place = join(folder, name.replace(/[^a-z0-9]+/gi, "-"));
    for (const [path, text] of Object.entries(files)) write(join(place, "chart", path), text);
    values.forEach((text, index) => {
      write(join(place, `values-${index}.yaml`), text);
    });
    const outcome = await compare(helm, {
      ...rest,
      chart: join(place, "chart"),
      values: values.map((_, index) => join(place, `values-${index}.yaml`)),
    });
    expect(outcome).toMatchObject({ kind: fails ? "both fail" : "equal" });
  });
});
