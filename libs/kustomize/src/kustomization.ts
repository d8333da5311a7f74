import { messageOf } from "@tiphys/errors";
import { parseYaml } from "@tiphys/yaml";
import { type Data, isMap, textOf } from "./data.js";
import { fail, KustomizeError } from "./errors.js";
import type { GeneratorArgs, GeneratorOptions } from "./generators.js";
import type { Selector } from "./selector.js";
import type { ImageRule } from "./transformers/images.js";
import type { LabelRule } from "./transformers/metadata.js";
import type { Replacement } from "./transformers/replacements.js";
import type { ReplicaRule } from "./transformers/replicas.js";
import type { SortOptions } from "./transformers/sort.js";
import type { Var } from "./transformers/vars.js";

export const FILE_NAMES = ["kustomization.yaml", "kustomization.yml", "Kustomization"] as const;

export interface PatchEntry {
  readonly path?: string;
  readonly patch?: string;
  readonly target?: Selector;
  readonly options?: { readonly allowNameChange?: boolean; readonly allowKindChange?: boolean };
}

/** A chart that a kustomization inflates. */
export interface HelmChart {
  readonly name?: string;
  readonly version?: string;
  readonly repo?: string;
  readonly releaseName?: string;
  readonly namespace?: string;
  readonly nameTemplate?: string;
  readonly valuesFile?: string;
  readonly additionalValuesFiles?: readonly string[];
  readonly valuesInline?: Data;
  readonly valuesMerge?: string;
  readonly includeCRDs?: boolean;
  readonly skipHooks?: boolean;
  readonly skipTests?: boolean;
  readonly apiVersions?: readonly string[];
  readonly kubeVersion?: string;
}

export interface Kustomization {
  readonly kind: string;
  readonly resources: readonly string[];
  readonly components: readonly string[];
  readonly crds: readonly string[];
  readonly configurations: readonly string[];
  readonly generators: readonly string[];
  readonly transformers: readonly string[];
  readonly validators: readonly string[];
  readonly openapi: Readonly<Record<string, string>>;
  readonly namePrefix: string;
  readonly nameSuffix: string;
  readonly namespace: string;
  readonly commonLabels: Readonly<Record<string, string>>;
  readonly labels: readonly LabelRule[];
  readonly commonAnnotations: Readonly<Record<string, string>>;
  readonly patchesStrategicMerge: readonly string[];
  readonly patchesJson6902: readonly PatchEntry[];
  readonly patches: readonly PatchEntry[];
  readonly images: readonly ImageRule[];
  readonly replicas: readonly ReplicaRule[];
  readonly replacements: readonly (Replacement & { readonly path?: string })[];
  readonly vars: readonly Var[];
  readonly sortOptions?: SortOptions;
  readonly configMapGenerator: readonly GeneratorArgs[];
  readonly secretGenerator: readonly GeneratorArgs[];
  readonly generatorOptions?: GeneratorOptions;
  readonly helmCharts: readonly HelmChart[];
  readonly helmGlobals: { readonly chartHome?: string; readonly configHome?: string };
  readonly buildMetadata: readonly string[];
}

/** The shape of a value: a scalar's type, a list of a shape, a map of a shape, or an object of named fields. */
type Shape = "text" | "texts" | "bool" | "number" | "any" | readonly [Shape] | { readonly [field: string]: Shape };

const selector: Shape = {
  group: "text",
  version: "text",
  kind: "text",
  name: "text",
  namespace: "text",
  labelSelector: "text",
  annotationSelector: "text",
};
const fieldSpec: Shape = { group: "text", version: "text", kind: "text", path: "text", create: "bool" };
const patch: Shape = { path: "text", patch: "text", target: selector, options: "any" };
const fieldOptions: Shape = { delimiter: "text", index: "number", encoding: "text", create: "bool" };
const generatorOptions: Shape = {
  labels: "texts",
  annotations: "texts",
  disableNameSuffixHash: "bool",
  immutable: "bool",
};
const generator: Shape = {
  name: "text",
  namespace: "text",
  behavior: "text",
  env: "text",
  envs: ["text"],
  literals: ["text"],
  files: ["text"],
  options: generatorOptions,
};
const chart: Shape = {
  name: "text",
  version: "text",
  repo: "text",
  releaseName: "text",
  namespace: "text",
  nameTemplate: "text",
  valuesFile: "text",
  additionalValuesFiles: ["text"],
  valuesInline: "any",
  valuesMerge: "text",
  includeCRDs: "bool",
  skipHooks: "bool",
  skipTests: "bool",
  apiVersions: ["text"],
  kubeVersion: "text",
  debug: "bool",
  devel: "bool",
};
const image: Shape = { name: "text", newName: "text", newTag: "text", tagSuffix: "text", digest: "text" };
const replacement: Shape = {
  path: "text",
  source: { ...(selector as object), fieldPath: "text", options: fieldOptions },
  sourceValue: "text",
  targets: [{ select: selector, reject: [selector], fieldPaths: ["text"], options: fieldOptions }],
};

const SHAPE: { readonly [field: string]: Shape } = {
  apiVersion: "text",
  kind: "text",
  metadata: "any",
  openapi: "texts",
  namePrefix: "text",
  nameSuffix: "text",
  namespace: "text",
  commonLabels: "texts",
  labels: [{ pairs: "texts", includeSelectors: "bool", includeTemplates: "bool", fields: [fieldSpec] }],
  commonAnnotations: "texts",
  patchesStrategicMerge: ["text"],
  patchesJson6902: [patch],
  patches: [patch],
  images: [image],
  imageTags: [image],
  replacements: [replacement],
  replicas: [{ name: "text", count: "number" }],
  vars: [
    {
      name: "text",
      objref: { apiVersion: "text", group: "text", version: "text", kind: "text", name: "text", namespace: "text" },
      fieldref: { fieldpath: "text", fieldPath: "text" },
    },
  ],
  sortOptions: { order: "text", legacySortOptions: { orderFirst: ["text"], orderLast: ["text"] } },
  resources: ["text"],
  components: ["text"],
  crds: ["text"],
  bases: ["text"],
  configMapGenerator: [generator],
  secretGenerator: [{ ...(generator as object), type: "text" }],
  helmGlobals: { chartHome: "text", configHome: "text" },
  helmCharts: [chart],
  helmChartInflationGenerator: ["any"],
  generatorOptions,
  configurations: ["text"],
  generators: ["text"],
  transformers: ["text"],
  validators: ["text"],
  buildMetadata: ["text"],
};

/** A value in a shape: null is nothing; what does not fit is refused with its path. Field names count without case, as Go reads them. */
export function shaped(value: unknown, shape: Shape, path: string): unknown {
  if (value === null || value === undefined) return undefined;
  const wrong = (wanted: string): never => fail(`${path} must be ${wanted}`);
  if (shape === "any") return value;
  if (shape === "text") return typeof value === "string" ? value : wrong("a text");
  if (shape === "bool") return typeof value === "boolean" ? value : wrong("true or false");
  if (shape === "number") return typeof value === "number" && Number.isInteger(value) ? value : wrong("a whole number");
  if (Array.isArray(shape)) {
    if (!Array.isArray(value)) return wrong("a list");
    return value.map((item, at) => shaped(item, shape[0] as Shape, `${path}[${at}]`) ?? emptyOf(shape[0] as Shape));
  }
  if (!isMap(value)) return wrong("an object");
  if (shape === "texts") {
    const texts = Object.entries(value).map(([key, member]) => {
      if (member !== null && typeof member !== "string") fail(`${path}.${key} must be a text`);
      return [key, textOf(member)] as const;
    });
    return Object.fromEntries(texts);
  }
  const fields = shape as { readonly [field: string]: Shape };
  const result: Data = {};
  for (const [key, member] of Object.entries(value)) {
    const name = Object.hasOwn(fields, key)
      ? key
      : Object.keys(fields).find((field) => field.toLowerCase() === key.toLowerCase());
    if (!name) return fail(`unknown field ${JSON.stringify(key)}${path ? ` in ${path}` : ""}`);
    const given = shaped(member, fields[name] as Shape, path ? `${path}.${name}` : name);
    if (given !== undefined) result[name] = given;
  }
  return result;
}

const emptyOf = (shape: Shape): unknown =>
  shape === "text" ? "" : typeof shape === "object" && !Array.isArray(shape) ? {} : null;

/** Reads a kustomization file; unknown fields and wrong types are refused by name. */
export function parseKustomization(text: string, file: string): Kustomization {
  let document: unknown;
  try {
    document = parseYaml(text, { file });
  } catch (error) {
    throw new KustomizeError(`invalid Kustomization: ${messageOf(error)}`, { cause: error });
  }
  if (document !== null && !isMap(document)) fail(`${file}: invalid Kustomization: it is not an object`);
  let given: Data;
  try {
    given = (shaped(document ?? {}, SHAPE, "") as Data | undefined) ?? {};
  } catch (error) {
    throw new KustomizeError(`${file}: invalid Kustomization: ${messageOf(error)}`, { cause: error });
  }
  const { apiVersion, kind = "Kustomization", ...rest } = given;
  if (Object.keys(rest).every((key) => isEmptyValue(rest[key]))) fail(`${file}: kustomization.yaml is empty`);
  if (kind !== "Kustomization" && kind !== "Component") fail(`${file}: kind should be Kustomization or Component`);
  const wanted = `kustomize.config.k8s.io/${kind === "Component" ? "v1alpha1" : "v1beta1"}`;
  if (apiVersion && apiVersion !== wanted) fail(`${file}: apiVersion for ${kind} should be ${wanted}`);
  const list = <T>(name: string): readonly T[] => (rest[name] as readonly T[] | undefined) ?? [];
  const legacy = list<Data>("helmChartInflationGenerator").map(fromLegacyChart);
  return {
    kind: kind as string,
    resources: [...list<string>("resources"), ...list<string>("bases")],
    components: list("components"),
    crds: list("crds"),
    configurations: list("configurations"),
    generators: list("generators"),
    transformers: list("transformers"),
    validators: list("validators"),
    openapi: (rest["openapi"] as Record<string, string>) ?? {},
    namePrefix: textOf(rest["namePrefix"]),
    nameSuffix: textOf(rest["nameSuffix"]),
    namespace: textOf(rest["namespace"]),
    commonLabels: (rest["commonLabels"] as Record<string, string>) ?? {},
    labels: list("labels"),
    commonAnnotations: (rest["commonAnnotations"] as Record<string, string>) ?? {},
    patchesStrategicMerge: list("patchesStrategicMerge"),
    patchesJson6902: list("patchesJson6902"),
    patches: list("patches"),
    images: [...list<ImageRule>("images"), ...list<ImageRule>("imageTags")],
    replicas: list("replicas"),
    replacements: list("replacements"),
    vars: list("vars"),
    ...(rest["sortOptions"] ? { sortOptions: rest["sortOptions"] as SortOptions } : {}),
    configMapGenerator: list("configMapGenerator"),
    secretGenerator: list("secretGenerator"),
    ...(rest["generatorOptions"] ? { generatorOptions: rest["generatorOptions"] as GeneratorOptions } : {}),
    helmCharts: [...list<HelmChart>("helmCharts"), ...legacy],
    helmGlobals: (rest["helmGlobals"] as Kustomization["helmGlobals"]) ?? {},
    buildMetadata: list("buildMetadata"),
  };
}

const isEmptyValue = (value: unknown): boolean =>
  value === "" || (typeof value === "object" && value !== null && Object.keys(value).length === 0);

/** The older form of a chart, field by field. */
function fromLegacyChart(given: Data): HelmChart {
  const names: Readonly<Record<string, string>> = {
    chartName: "name",
    chartVersion: "version",
    chartRepoUrl: "repo",
    values: "valuesFile",
    valuesLocal: "valuesInline",
  };
  return Object.fromEntries(Object.entries(given).map(([key, value]) => [names[key] ?? key, value]));
}
