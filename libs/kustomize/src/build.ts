import { messageOf } from "@tiphys/errors";
import { limits } from "@tiphys/limits";
import { parseYaml } from "@tiphys/yaml";
import { Accumulator } from "./accumulator.js";
import { loadConfiguration, loadCrds, loadSchema } from "./configurations.js";
import { type Data, get, put, withNulls } from "./data.js";
import { fail, KustomizeError, MissingRemoteError, within } from "./errors.js";
import { type FileTree, Loader } from "./files.js";
import { contentHash, generate, mergeOptions } from "./generators.js";
import {
  FILE_NAMES,
  type HelmChart,
  type Kustomization,
  type PatchEntry,
  parseKustomization,
} from "./kustomization.js";
import { builtinSchema, type MergeSchema } from "./merge.js";
import { ORIGIN, type Origin, originText, TRANSFORMATIONS, transformationsText } from "./origin.js";
import { runGenerator, runTransformer } from "./plugins.js";
import { parseResources, type Resource } from "./resource.js";
import { setImages } from "./transformers/images.js";
import { placesOf, setEntries } from "./transformers/metadata.js";
import { fixNameReferences } from "./transformers/name-references.js";
import { affix } from "./transformers/names.js";
import { setNamespace } from "./transformers/namespace.js";
import { applyJson6902, applyPatch, applyStrategicMerges, type LoadedPatch } from "./transformers/patches.js";
import { applyReplacements, type Replacement } from "./transformers/replacements.js";
import { setReplicas } from "./transformers/replicas.js";
import { type SortOptions, sortResources } from "./transformers/sort.js";
import { bindVars, resolveVars } from "./transformers/vars.js";

export interface BuildOptions {
  readonly files: FileTree;
  /** Folder of the kustomization, from the top of the files. */
  readonly folder: string;
  /** Lets every kustomization read all of the files, not only those below it. */
  readonly loadRestrictionsNone?: boolean;
  /** A base or file elsewhere: a tree and a folder in it, or the bytes of a file; undefined where it has not been fetched. */
  readonly remote?: (address: string) => { readonly files: FileTree; readonly folder: string } | Uint8Array | undefined;
  /** Manifests of a chart as YAML; absent: charts are refused, as without `--enable-helm`. */
  readonly inflate?: (chart: HelmChart, home: string, loader: Loader) => string;
  /** The order where the kustomization says none; default legacy, as kubectl has it. */
  readonly sort?: SortOptions;
  /** Changes what the first kustomization says before it is built, as `kustomize edit` would in its file. */
  readonly edit?: (kustomization: Kustomization) => Kustomization;
  /** Version that `buildMetadata: [managedByLabel]` puts after `kustomize-`. */
  readonly version?: string;
}

/** Annotations that the original keeps its own notes in while it builds, and takes away at the end whoever made them. */
const BUILD_ANNOTATIONS: readonly string[] = [
  ...["previousKinds", "previousNames", "previousNamespaces", "prefixes", "suffixes", "refBy", "generatorBehavior"],
  ...["needsHashSuffix", "allowNameChange", "allowKindChange", "helm-generated"],
  ...["path", "index", "seqindent", "id", "annotations-migration-resource-id"],
]
  .map((name) => `internal.config.kubernetes.io/${name}`)
  .concat("config.kubernetes.io/path", "config.kubernetes.io/index", "config.k8s.io/id");

/** What builds say of themselves where they are asked to. */
export const KUSTOMIZE_VERSION = "v5.7.1";
const LOCAL_CONFIG = "config.kubernetes.io/local-config";

/** Builds a kustomization and gives its objects in their order. A pure function of the files. */
export function build(options: BuildOptions): Data[] {
  const loader = Loader.at(options.files, options.folder, options.loadRestrictionsNone ?? false);
  const run = new Build(options);
  const loaded = run.load(loader).kustomization;
  const kustomization = options.edit?.(loaded) ?? loaded;
  const gathered = run.target(loader, kustomization, new Accumulator(), "");
  const { list } = gathered;
  for (const resource of list.items) {
    if (!resource.needsHash) continue;
    resource.rememberId();
    resource.name = `${resource.name}-${contentHash(resource)}`;
  }
  fixNameReferences(list.items, gathered.fields.nameReference);
  resolveVars(list.items, gathered.vars, gathered.fields.varReference);
  list.items = list.items.filter((resource) => !Object.hasOwn(resource.annotations, LOCAL_CONFIG));
  // The original copies the list here, which ends it where two have come to one name.
  list.refresh();
  sortResources(list, kustomization.sortOptions ?? options.sort ?? { order: "legacy" });
  return run.finish(list.items, kustomization);
}

class Build {
  private depth = 0;
  private count = 0;
  private schema: MergeSchema = builtinSchema;
  private readonly origins = new Map<Resource, Origin>();
  private readonly transformations = new Map<Resource, Origin[]>();
  private tracing = false;

  constructor(private readonly options: BuildOptions) {}

  /** Reads the kustomization file of a folder; there must be one, and only one. */
  load(loader: Loader): { kustomization: Kustomization; file: string } {
    const place = loader.folder || ".";
    const found = FILE_NAMES.filter((name) => loader.tree.file(loader.folder ? `${loader.folder}/${name}` : name));
    const [file] = found;
    if (!file) {
      return fail(
        `unable to find one of 'kustomization.yaml', 'kustomization.yml' or 'Kustomization' in directory '${place}'`,
      );
    }
    if (found.length > 1) fail(`Found multiple kustomization files under: ${place}`);
    const kustomization = parseKustomization(loader.text(file), loader.folder ? `${loader.folder}/${file}` : file);
    return { kustomization, file };
  }

  /** Gathers what a kustomization gives; a component works on what its parent has gathered so far. */
  target(loader: Loader, kustomization: Kustomization, into: Accumulator, trail: string): Accumulator {
    if (++this.depth > limits.kustomizeDepth) fail(`kustomizations are nested deeper than ${limits.kustomizeDepth}`);
    if (trail === "") this.tracing = kustomization.buildMetadata.length > 0;
    this.setSchema(loader, kustomization);
    for (const path of kustomization.resources) this.resource(loader, path, into, trail);
    for (const path of kustomization.configurations) into.addFields(loadConfiguration(loader, path));
    for (const path of kustomization.crds) for (const fields of loadCrds(loader, path)) into.addFields(fields);
    this.generate(loader, kustomization, into, trail);
    for (const path of kustomization.components) this.component(loader, path, into, trail);
    this.setSchema(loader, kustomization);
    this.transform(loader, kustomization, into, trail);
    bindVars(into.list, kustomization.vars);
    into.addVars(kustomization.vars);
    this.depth--;
    return into;
  }

  private setSchema(loader: Loader, { openapi }: Kustomization): void {
    const { path, version } = openapi;
    if (path) this.schema = loadSchema(loader, path);
    else if (version && !["v1.21.2", "v1.20.4"].includes(version))
      fail(`the specified OpenAPI version ${version} is not built in`);
  }

  private add(into: Accumulator, resources: readonly Resource[]): void {
    this.count += resources.length;
    if (this.count > limits.renderFiles) fail(`the build has more than ${limits.renderFiles} resources`);
    into.list.appendAll(resources);
  }

  private resource(loader: Loader, path: string, into: Accumulator, trail: string): void {
    within(`accumulating resources from '${path}'`, () => {
      if (isRemote(path)) return this.remote(loader, path, into, trail);
      const folder = this.isFolder(loader, path);
      if (folder) return this.folder(loader.enter(path), into, join(trail, path));
      const resources = parseResources(loader.text(path), path);
      for (const resource of resources) this.origins.set(resource, { path: join(trail, path) });
      this.add(into, resources);
    });
  }

  private isFolder(loader: Loader, path: string): boolean {
    try {
      loader.enter(path);
      return true;
    } catch (error) {
      if (error instanceof KustomizeError && error.message.startsWith("cycle detected")) throw error;
      return false;
    }
  }

  private remote(loader: Loader, address: string, into: Accumulator, trail: string): void {
    const found = this.options.remote?.(address);
    if (!found) throw new MissingRemoteError(address);
    if (found instanceof Uint8Array) {
      this.add(into, parseResources(new TextDecoder().decode(found), address));
      return;
    }
    this.folder(loader.other(found.files, found.folder), into, join(trail, address));
  }

  private folder(loader: Loader, into: Accumulator, trail: string): void {
    const { kustomization } = this.load(loader);
    if (kustomization.kind === "Component") fail(`expected kind != 'Component' for path '${loader.folder}'`);
    const gathered = this.target(loader, kustomization, new Accumulator(), trail || "/");
    into.merge(gathered);
  }

  private component(loader: Loader, path: string, into: Accumulator, trail: string): void {
    within(`accumulating components from '${path}'`, () => {
      const inside = loader.enter(path);
      const { kustomization } = this.load(inside);
      if (kustomization.kind !== "Component") {
        fail(`expected kind 'Component' for path '${inside.folder}' but got '${kustomization.kind}'`);
      }
      this.target(inside, kustomization, into, join(trail, path));
    });
  }

  private generate(loader: Loader, kustomization: Kustomization, into: Accumulator, trail: string): void {
    const { generatorOptions } = kustomization;
    const load = (path: string): Uint8Array => loader.bytes(path);
    const made = (resource: Resource, kind: string): void => {
      this.count++;
      if (!this.origins.has(resource)) this.origins.set(resource, this.configured(trail, kind));
      const before = into.list.items.slice();
      into.list.absorb(resource);
      const replaced = before.find((old, at) => into.list.items[at] !== old);
      // A merge is no new origin.
      if (replaced && resource !== replaced) this.origins.set(resource, this.origins.get(replaced) ?? {});
    };
    for (const [kind, list] of [
      ["ConfigMap", kustomization.configMapGenerator],
      ["Secret", kustomization.secretGenerator],
    ] as const) {
      for (const args of list) {
        const options = mergeOptions(args.options, generatorOptions);
        made(generate(kind, { ...args, options }, load), `${kind}Generator`);
      }
    }
    for (const chart of kustomization.helmCharts) {
      if (!this.options.inflate) fail("must specify --enable-helm");
      const text = this.options.inflate?.(chart, kustomization.helmGlobals.chartHome || "charts", loader) ?? "";
      for (const resource of parseResources(text, `chart ${chart.name}`)) made(resource, "HelmChartInflationGenerator");
    }
    for (const plugin of this.plugins(loader, kustomization.generators, trail)) {
      const chart = this.options.inflate;
      for (const resource of runGenerator(
        plugin,
        loader,
        chart ? (args, home) => chart(args, home, loader) : undefined,
      )) {
        made(resource, plugin.kind);
      }
    }
  }

  private configured(trail: string, kind: string): Origin {
    return { configuredIn: join(trail, "kustomization.yaml"), configuredBy: { apiVersion: "builtin", kind } };
  }

  /** Configurations of plugins: inline, or files and folders that give them. */
  private plugins(loader: Loader, entries: readonly string[], trail: string): Resource[] {
    const gathered = new Accumulator();
    const paths: string[] = [];
    for (const entry of entries) {
      let inline: Resource[] | undefined;
      try {
        inline =
          entry.includes(":") && entry.includes("\n") ? parseResources(entry, "an inline configuration") : undefined;
      } catch {
        // Then it is a path.
      }
      if (inline) gathered.list.appendAll(inline);
      else paths.push(entry);
    }
    for (const path of paths) this.resource(loader, path, gathered, trail);
    return gathered.list.items;
  }

  private transform(loader: Loader, kustomization: Kustomization, into: Accumulator, trail: string): void {
    const { list, fields } = into;
    const step = (kind: string, run: () => void): void => {
      run();
      list.dropGone();
      if (this.tracing) {
        for (const resource of list.items) {
          // The original notes the step in the annotations, and so writes all of them anew.
          resource.rewrite("annotations");
          this.transformations.set(resource, [
            ...(this.transformations.get(resource) ?? []),
            this.configured(trail, kind),
          ]);
        }
      }
    };
    const merges = kustomization.patchesStrategicMerge.flatMap((entry) => loadMerge(loader, entry));
    if (merges.length > 0)
      step("PatchStrategicMergeTransformer", () => applyStrategicMerges(list, merges, this.schema));
    for (const entry of kustomization.patches) {
      step("PatchTransformer", () => applyPatch(list, loadPatch(loader, entry), this.schema));
    }
    if (kustomization.namespace) {
      step("NamespaceTransformer", () => setNamespace(list.items, kustomization.namespace, fields.namespace));
    }
    if (kustomization.namePrefix) {
      step("PrefixTransformer", () => affix(list.items, kustomization.namePrefix, "prefix", fields.namePrefix));
    }
    if (kustomization.nameSuffix) {
      step("SuffixTransformer", () => affix(list.items, kustomization.nameSuffix, "suffix", fields.nameSuffix));
    }
    for (const rule of kustomization.labels) {
      step("LabelTransformer", () => setEntries(list.items, rule.pairs ?? {}, placesOf(rule, fields)));
    }
    if (kustomization.labels.length > 0 || Object.keys(kustomization.commonLabels).length > 0) {
      step("LabelTransformer", () => setEntries(list.items, kustomization.commonLabels, fields.commonLabels));
    }
    if (Object.keys(kustomization.commonAnnotations).length > 0) {
      step("AnnotationsTransformer", () =>
        setEntries(list.items, kustomization.commonAnnotations, fields.commonAnnotations),
      );
    }
    for (const entry of kustomization.patchesJson6902) {
      step("PatchJson6902Transformer", () => applyJson6902(list, loadPatch(loader, entry)));
    }
    for (const rule of kustomization.replicas) {
      step("ReplicaCountTransformer", () => setReplicas(list, rule, fields.replicas));
    }
    for (const rule of kustomization.images)
      step("ImageTagTransformer", () => setImages(list.items, rule, fields.images));
    if (kustomization.replacements.length > 0) {
      step("ReplacementTransformer", () =>
        applyReplacements(
          list.items,
          kustomization.replacements.flatMap((entry) => loadReplacements(loader, entry)),
        ),
      );
    }
    for (const plugin of this.plugins(loader, kustomization.transformers, trail)) {
      step(plugin.kind, () => runTransformer(plugin, loader, list, this.schema));
    }
    for (const plugin of this.plugins(loader, kustomization.validators, trail)) {
      const before = JSON.stringify(list.items.map(({ object }) => object));
      runTransformer(plugin, loader, list, this.schema);
      if (JSON.stringify(list.items.map(({ object }) => object)) !== before) {
        fail("validator shouldn't modify the resource map");
      }
    }
  }

  /** The objects, with what `buildMetadata` asks for. */
  finish(resources: readonly Resource[], { buildMetadata }: Kustomization): Data[] {
    for (const resource of resources) {
      for (const key of BUILD_ANNOTATIONS) delete resource.annotations[key];
      // The original keeps notes of its own in the annotations: it takes them out at the end, and writes the others anew.
      resource.rewrite("annotations");
      for (const [key, value] of Object.entries(resource.labels))
        if (value === undefined) put(resource.labels, key, "");
      const origin = this.origins.get(resource);
      if (buildMetadata.includes("originAnnotations") && origin) resource.annotate(ORIGIN, originText(origin));
      const steps = this.transformations.get(resource);
      if (buildMetadata.includes("transformerAnnotations") && steps) {
        resource.annotate(TRANSFORMATIONS, transformationsText(steps));
      }
      if (buildMetadata.includes("managedByLabel")) {
        setEntries(
          [resource],
          { "app.kubernetes.io/managed-by": `kustomize-${this.options.version ?? KUSTOMIZE_VERSION}` },
          [{ path: "metadata/labels", create: true }],
        );
      }
    }
    return resources.map(({ object }) => withNulls(object));
  }
}

const join = (trail: string, path: string): string => {
  if (/^[a-z+]+:/.test(path)) return path;
  const parts: string[] = [];
  for (const part of `${trail}/${path}`.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === ".." && parts.length > 0 && parts.at(-1) !== "..") parts.pop();
    else parts.push(part);
  }
  return parts.join("/");
};

/** True for addresses of bases and files elsewhere: URLs, and the short forms of git hosts. */
export const isRemote = (path: string): boolean =>
  /^(?:git::)?(?:https?|ssh|git|file):\/\//.test(path) ||
  /^(?:git::)?(?:[\w.-]+@)?[\w.-]+\.[a-z]{2,}[:/].*(?:\.git\b|\?ref=|\/\/)/.test(path) ||
  /^(?:git::)?git@/.test(path) ||
  /^github\.com\//.test(path);

/** An entry of `patchesStrategicMerge`: inline, or a file. */
function loadMerge(loader: Loader, entry: string): Resource[] {
  let inline: Resource[] | undefined;
  try {
    inline = parseResources(entry, "an inline patch");
  } catch {
    // Then it is a path.
  }
  return inline ?? parseResources(loader.text(entry), entry);
}

export function loadPatch(loader: Loader, { path, patch, target, options }: PatchEntry): LoadedPatch {
  const inline = patch?.trim() ?? "";
  if (inline === "" && !path) return fail("patches: must specify one of patch and path");
  if (inline !== "" && path) return fail("patches: patch and path can't be set at the same time");
  return {
    text: path ? within("failed to get the patch file", () => loader.text(path)) : inline,
    source: path ? `[path: ${JSON.stringify(path)}]` : `[patch: ${JSON.stringify(inline)}]`,
    ...(target ? { target } : {}),
    allowNameChange: options?.allowNameChange ?? false,
    allowKindChange: options?.allowKindChange ?? false,
  };
}

export function loadReplacements(loader: Loader, entry: Replacement & { readonly path?: string }): Replacement[] {
  const { path, ...inline } = entry;
  if (!path) return [inline];
  if (inline.source || inline.targets?.length) fail("cannot specify both path and inline replacement");
  let loaded: unknown;
  try {
    loaded = parseYaml(loader.text(path), { file: path });
  } catch (error) {
    throw error instanceof KustomizeError ? error : new KustomizeError(messageOf(error), { cause: error });
  }
  if (Array.isArray(loaded)) return loaded as Replacement[];
  if (typeof loaded === "object" && loaded !== null && get(loaded, "targets")) return [loaded as Replacement];
  return fail(`${path}: unsupported replacement type encountered within replacement path`);
}
