import { loadPatch, loadReplacements } from "./build.js";
import { type Data, get, isMap, textOf } from "./data.js";
import { defaultFields } from "./default-fields.js";
import { fail } from "./errors.js";
import { type FieldSpec, visitField } from "./field-specs.js";
import type { Loader } from "./files.js";
import { contentHash, type GeneratorArgs, generate } from "./generators.js";
import type { HelmChart, PatchEntry } from "./kustomization.js";
import type { MergeSchema } from "./merge.js";
import { parseResources, type Resource } from "./resource.js";
import type { ResourceList } from "./resource-list.js";
import { type Selector, select } from "./selector.js";
import { type ImageRule, setImages } from "./transformers/images.js";
import { setEntries } from "./transformers/metadata.js";
import { affix } from "./transformers/names.js";
import { type SubjectMode, setNamespace } from "./transformers/namespace.js";
import { applyJson6902, applyPatch, applyStrategicMerges } from "./transformers/patches.js";
import { applyReplacements, type Replacement } from "./transformers/replacements.js";
import { type ReplicaRule, setReplicas } from "./transformers/replicas.js";
import { type SortOptions, sortResources } from "./transformers/sort.js";

const isBuiltin = (plugin: Resource): boolean => plugin.apiVersion === "builtin" || plugin.apiVersion === "";

const refuse = (plugin: Resource): never =>
  fail(
    isBuiltin(plugin)
      ? `there is no builtin plugin of kind ${plugin.kind}`
      : `external plugins disabled; unable to load external plugin '${plugin.kind}' of ${plugin.apiVersion}`,
  );

/** Runs a generator that is configured by an object. */
export function runGenerator(
  plugin: Resource,
  loader: Loader,
  inflate: ((chart: HelmChart, home: string) => string) | undefined,
): Resource[] {
  if (!isBuiltin(plugin)) return refuse(plugin);
  const config = plugin.object;
  const named = (): GeneratorArgs => ({
    ...(config as GeneratorArgs),
    name: textOf(config["name"]) || plugin.name,
    namespace: textOf(config["namespace"]) || plugin.namespace,
  });
  switch (plugin.kind) {
    case "ConfigMapGenerator":
      return [generate("ConfigMap", named(), (path) => loader.bytes(path))];
    case "SecretGenerator":
      return [generate("Secret", named(), (path) => loader.bytes(path))];
    case "HelmChartInflationGenerator":
      if (!inflate) return fail("must specify --enable-helm");
      return parseResources(
        inflate(config as HelmChart, textOf(config["chartHome"]) || "charts"),
        `chart ${textOf(config["name"])}`,
      );
    default:
      return refuse(plugin);
  }
}

type Run = (config: Data, loader: Loader, list: ResourceList, schema: MergeSchema) => void;

const specs = (config: Data, absent: readonly FieldSpec[] = []): readonly FieldSpec[] =>
  (config["fieldSpecs"] as readonly FieldSpec[] | undefined) ?? absent;
const texts = (value: unknown): Record<string, string> =>
  isMap(value) ? Object.fromEntries(Object.entries(value).map(([key, text]) => [key, textOf(text)])) : {};

const transformers: Readonly<Record<string, Run>> = {
  PrefixTransformer: (config, _loader, list) =>
    affix(list.items, textOf(config["prefix"]), "prefix", specs(config, defaultFields.namePrefix)),
  SuffixTransformer: (config, _loader, list) =>
    affix(list.items, textOf(config["suffix"]), "suffix", specs(config, defaultFields.nameSuffix)),
  PrefixSuffixTransformer: (config, _loader, list) => {
    affix(list.items, textOf(config["prefix"]), "prefix", specs(config, defaultFields.namePrefix));
    affix(list.items, textOf(config["suffix"]), "suffix", specs(config, defaultFields.nameSuffix));
  },
  NamespaceTransformer: (config, _loader, list) => {
    const namespace = textOf(get(config["metadata"], "namespace"));
    if (!namespace) return;
    setNamespace(list.items, namespace, specs(config), {
      unsetOnly: config["unsetOnly"] === true,
      ...(config["setRoleBindingSubjects"]
        ? { setRoleBindingSubjects: config["setRoleBindingSubjects"] as SubjectMode }
        : {}),
    });
  },
  LabelTransformer: (config, _loader, list) => setEntries(list.items, texts(config["labels"]), specs(config)),
  AnnotationsTransformer: (config, _loader, list) =>
    setEntries(list.items, texts(config["annotations"]), specs(config)),
  ImageTagTransformer: (config, _loader, list) =>
    setImages(list.items, (config["imageTag"] ?? {}) as ImageRule, specs(config)),
  ReplicaCountTransformer: (config, _loader, list) =>
    setReplicas(list, (config["replica"] ?? {}) as ReplicaRule, specs(config)),
  PatchTransformer: (config, loader, list, schema) => applyPatch(list, loadPatch(loader, config as PatchEntry), schema),
  PatchStrategicMergeTransformer: (config, loader, list, schema) => {
    const paths = (config["paths"] as string[] | undefined) ?? [];
    const inline = textOf(config["patches"]);
    const patches = [
      ...paths.flatMap((path) => parseResources(loader.text(path), path)),
      ...(inline ? parseResources(inline, "patches") : []),
    ];
    if (patches.length === 0) fail("empty file path and empty patch content");
    applyStrategicMerges(list, patches, schema);
  },
  PatchJson6902Transformer: (config, loader, list) =>
    applyJson6902(
      list,
      loadPatch(loader, {
        ...(config["path"] ? { path: textOf(config["path"]) } : {}),
        ...(config["jsonOp"] ? { patch: textOf(config["jsonOp"]) } : {}),
        ...(config["target"] ? { target: config["target"] as Selector } : {}),
      }),
    ),
  ReplacementTransformer: (config, loader, list) =>
    applyReplacements(
      list.items,
      ((config["replacements"] ?? []) as (Replacement & { path?: string })[]).flatMap((entry) =>
        loadReplacements(loader, entry),
      ),
    ),
  SortOrderTransformer: (config, _loader, list) => sortResources(list, (config["sortOptions"] ?? {}) as SortOptions),
  HashTransformer: (_config, _loader, list) => {
    for (const resource of list.items) {
      if (!resource.needsHash) continue;
      resource.rememberId();
      resource.name = `${resource.name}-${contentHash(resource)}`;
    }
  },
  ValueAddTransformer: (config, loader, list) => {
    const value = textOf(config["value"]).trim() || (loader.folder.split("/").at(-1) ?? "");
    const targets = (config["targets"] ?? []) as {
      selector?: Selector;
      fieldPath?: string;
      filePathPosition?: number;
    }[];
    if (targets.length === 0) fail("must specify at least one target");
    for (const { selector, fieldPath, filePathPosition = 0 } of targets) {
      if (!fieldPath) fail("fieldPath cannot be empty");
      const chosen = selector ? select(list.items, selector) : list.items;
      if (fieldPath === "metadata/namespace") setNamespace(chosen, value, []);
      else for (const { object } of chosen) addValue(object, fieldPath as string, value, filePathPosition);
    }
  },
};

function addValue(object: Data, path: string, value: string, position: number): void {
  visitField(object, { path, create: true }, "scalar", (spot) => {
    if (position <= 0) return spot.set(value);
    const parts = textOf(spot.value).split("/");
    const absolute = parts[0] === "" ? 1 : 0;
    parts.splice(Math.min(parts.length, position - 1 + absolute), 0, value);
    spot.set(parts.join("/"));
  });
}

/** Runs a transformer that is configured by an object. */
export function runTransformer(plugin: Resource, loader: Loader, list: ResourceList, schema: MergeSchema): void {
  const run = isBuiltin(plugin) && Object.hasOwn(transformers, plugin.kind) ? transformers[plugin.kind] : undefined;
  if (!run) {
    refuse(plugin);
    return;
  }
  run(plugin.object, loader, list, schema);
}
