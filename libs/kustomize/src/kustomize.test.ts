import { describeWith, programPath, seeded } from "@tiphys/testing";
import { build, isRemote, MissingRemoteError } from "./index.js";
import { bad, good } from "./testing/corpus.js";
import { ours, theirs, treeOf } from "./testing/run.js";

describeWith(["kubectl"], "kubectl kustomize", () => {
  const kubectl = programPath("kubectl") as string;

  it.each(Object.entries(good).map(([name, files]) => ({ name, files })))(
    "gives the same objects: $name",
    ({ files }) => {
      const [mine, other] = [ours(files), theirs(kubectl, files)];
      expect(other).toHaveProperty("objects");
      expect(mine).toEqual(other);
    },
  );

  it.each(Object.entries(bad).map(([name, files]) => ({ name, files })))("fails where we fail: $name", ({ files }) => {
    const [mine, other] = [ours(files), theirs(kubectl, files)];
    expect(other).toHaveProperty("error");
    expect(mine).toHaveProperty("error");
    expect((mine as { error: string }).error).toMatch(/^(KustomizeError|LimitExceededError): /);
  });
});

describe("coverage of the corpus", () => {
  it("has every field of a kustomization", () => {
    const fields = [
      ...[
        "resources",
        "components",
        "crds",
        "configurations",
        "generators",
        "transformers",
        "validators",
        "openapi",
        "bases",
      ],
      ...[
        "namePrefix",
        "nameSuffix",
        "namespace",
        "commonLabels",
        "labels",
        "commonAnnotations",
        "images",
        "imageTags",
      ],
      ...["patchesStrategicMerge", "patchesJson6902", "patches", "replicas", "replacements", "vars", "sortOptions"],
      ...["configMapGenerator", "secretGenerator", "generatorOptions", "buildMetadata", "metadata"],
    ];
    const texts = Object.values(good).flatMap((files) => Object.values(files));
    const missing = fields.filter((field) => !texts.some((text) => new RegExp(`^${field}:`, "m").test(text)));
    console.log(
      `kustomize corpus: ${fields.length - missing.length} of ${fields.length} fields, ${Object.keys(good).length + Object.keys(bad).length} cases`,
    );
    expect(missing).toEqual([]);
  });
});

describe("bases elsewhere", () => {
  it("are known by their address", () => {
    for (const address of [
      "https://example.com/a.yaml",
      "github.com/org/repo//folder?ref=v1",
      "git@example.com:org/repo.git",
      "git::https://example.com/repo",
      "ssh://git@example.com/repo",
      "example.com/org/repo.git",
    ]) {
      expect({ address, remote: isRemote(address) }).toEqual({ address, remote: true });
    }
    for (const path of ["base", "../base", "a.yaml", "base.d/x", "./github.com.yaml"]) {
      expect({ path, remote: isRemote(path) }).toEqual({ path, remote: false });
    }
  });

  it("are asked for, and built when they are given", () => {
    const files = treeOf({ "app/kustomization.yaml": "resources: [https://example.com/repo//x]\nnamePrefix: a-\n" });
    expect(() => build({ files, folder: "app" })).toThrow(MissingRemoteError);
    const other = treeOf({
      "x/kustomization.yaml": "resources: [s.yaml]\n",
      "x/s.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: s}\n",
    });
    const objects = build({ files, folder: "app", remote: () => ({ files: other, folder: "x" }) });
    expect(objects).toEqual([{ apiVersion: "v1", kind: "Service", metadata: { name: "a-s" } }]);
  });
});

describe("charts", () => {
  it("are inflated by whom the caller says", () => {
    const files = treeOf({ "app/kustomization.yaml": "helmCharts: [{name: c, releaseName: r}]\nnamespace: ns\n" });
    const inflate = () => "apiVersion: v1\nkind: Service\nmetadata: {name: c}\n";
    expect(build({ files, folder: "app", inflate })).toEqual([
      { apiVersion: "v1", kind: "Service", metadata: { name: "c", namespace: "ns" } },
    ]);
  });
});

describe("hostile sources end within limits", () => {
  it("names of members of all objects are names like others", () => {
    const files = treeOf({
      "app/kustomization.yaml": "resources: [a.yaml]\ncommonAnnotations: {constructor: x}\n",
      "app/a.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n__proto__: {polluted: true}\n",
    });
    build({ files, folder: "app" });
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  it("whatever stands in the file, the answer is objects or a reason", () => {
    const random = seeded(11);
    const texts = Object.values(good).map((files) => files["app/kustomization.yaml"] as string);
    const known = Object.values(good)[0] as Record<string, string>;
    for (let count = 0; count < 300; count++) {
      let text = texts[Math.floor(random() * texts.length)] as string;
      for (let change = 0; change < 3; change++) {
        const at = Math.floor(random() * (text.length + 1));
        text =
          text.slice(0, at) +
          (random() < 0.5 ? "" : ":-[]{}\n '\"/"[Math.floor(random() * 12)]) +
          text.slice(at + Math.floor(random() * 4));
      }
      const result = ours({ ...known, "app/kustomization.yaml": text });
      if ("error" in result && !/^(Kustomize|LimitExceeded|MissingRemote)Error/.test(result.error)) {
        throw new Error(`${JSON.stringify(text)}: ${result.error}`);
      }
    }
  });
});
