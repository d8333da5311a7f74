import { renderDirectory } from "./index.js";

const configMap = (name: string) => `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\n`;
const names = (...texts: string[]) =>
  renderDirectory(texts.map((text, index) => ({ path: `f${index}.yaml`, text }))).map(
    (manifest) => JSON.parse(manifest.json).metadata.name,
  );

it("reads many documents, JSON and lists, in order", () => {
  const list = `apiVersion: v1\nkind: List\nitems:\n- ${configMap("c").trim().replaceAll("\n", "\n  ")}\n`;
  expect(
    names(
      `${configMap("a")}---\n---\n${configMap("b")}`,
      list,
      JSON.stringify({ apiVersion: "v1", kind: "Secret", metadata: { name: "d" } }),
    ),
  ).toEqual(["a", "b", "c", "d"]);
});

it("says where each object comes from", () => {
  const [, second] = renderDirectory([{ path: "apps/x.yaml", text: `${configMap("a")}---\n${configMap("b")}` }]);
  expect(second).toMatchObject({ path: "apps/x.yaml", line: 6 });
});

it.each([
  { name: "broken YAML", text: `${configMap("a")}data: {a: [}\n`, want: /^f0\.yaml:5/ },
  {
    name: "no name",
    text: "apiVersion: v1\nkind: ConfigMap\nmetadata: {}\n",
    want: /f0\.yaml:1: metadata\.name of this ConfigMap is missing/,
  },
  {
    name: "one good, one without a kind",
    text: `${configMap("a")}---\nfoo: bar\n`,
    want: /f0\.yaml:6: apiVersion is missing/,
  },
  {
    name: "a broken item of a list",
    text: "apiVersion: v1\nkind: List\nmetadata: {}\nitems: [7]\n",
    want: /items\[0\]: the document is not an object/,
  },
])("refuses $name with file and line", ({ text, want }) => expect(() => names(text)).toThrow(want));

it("leaves out files that are no manifests, as Argo CD does", () => {
  expect(
    names("just: values\n", "{{ template }}: [\n", "# +argocd:skip-file-rendering\n" + configMap("x"), configMap("a")),
  ).toEqual(["a"]);
});
