import { canonicalJson } from "@tiphys/canonical-json";
import { matchGlob } from "@tiphys/diff";
import { InvalidArgumentError, LimitExceededError } from "@tiphys/errors";
import { type Chart, loadArchive, loadDirectory, readValueSources, renderChart, type ValueSources } from "@tiphys/helm";
import { evaluate, type Outside } from "@tiphys/jsonnet";
import { build, FILE_NAMES, type FileTree, joinPath } from "@tiphys/kustomize";
import { limits } from "@tiphys/limits";
import type { Environment } from "@tiphys/template";
import { renderDirectory } from "./directory.js";
import { inflateChart } from "./kustomize-charts.js";

/** The files of a source; a render reads and never writes. */
export interface SourceTree extends FileTree {
  /** Names in a folder, files and folders alike, sorted. */
  list(folder: string): readonly string[];
}

export type SourceType = "Helm" | "Kustomize" | "Directory";

export interface HelmSource extends Omit<ValueSources, "readFile"> {
  readonly releaseName: string;
  readonly namespace?: string;
  readonly kubeVersion?: string;
  readonly apiVersions?: readonly string[];
  readonly includeCrds?: boolean;
  readonly skipTests?: boolean;
  readonly skipHooks?: boolean;
  readonly skipSchemaValidation?: boolean;
}

export interface DirectorySource {
  readonly recurse?: boolean;
  readonly include?: string;
  readonly exclude?: string;
  readonly jsonnet?: {
    readonly extVars?: Readonly<Record<string, Outside>>;
    readonly topLevelArguments?: Readonly<Record<string, Outside>>;
    /** Folders, from the top of the files, that imports are looked for in. */
    readonly libraries?: readonly string[];
  };
}

export interface SourceOptions {
  readonly environment: Environment;
  readonly helm: HelmSource;
  readonly directory?: DirectorySource;
  /** Content of a file that `helm.setFile` names. */
  readonly readFile?: ValueSources["readFile"];
}

export interface RenderedObject {
  readonly object: Readonly<Record<string, unknown>>;
  /** Where it comes from, as far as that is one file. */
  readonly path: string;
}

/** What a folder is, by the files in it: a chart before a kustomization, and a plain folder else. */
export function sourceTypeOf(names: readonly string[]): SourceType {
  if (names.includes("Chart.yaml")) return "Helm";
  return names.some((name) => FILE_NAMES.some((known) => known === name)) ? "Kustomize" : "Directory";
}

/**
 * Renders a folder of a source, whatever kind of source it is: a pure function of the files and options. Errors name the file and
 * the field; limits bound what it takes.
 */
export function renderSource(
  tree: SourceTree,
  folder: string,
  options: SourceOptions,
): { readonly type: SourceType; readonly objects: readonly RenderedObject[] } {
  const type = sourceTypeOf(tree.list(folder));
  const objects =
    type === "Helm"
      ? renderHelm(chartAt(tree, folder), options)
      : type === "Kustomize"
        ? renderKustomize(tree, folder, options)
        : renderPlain(tree, folder, options.directory ?? {});
  return { type, objects };
}

/** A chart from a folder of the files, or a packed one. */
export function chartAt(tree: SourceTree, path: string): Chart {
  const packed = tree.file(path);
  if (packed) return loadArchive(packed);
  const prefix = path === "" ? "" : `${path}/`;
  return loadDirectory(
    [...filesBelow(tree, path)].map((file) => ({
      name: file.slice(prefix.length),
      data: tree.file(file) as Uint8Array,
    })),
  );
}

function* filesBelow(tree: SourceTree, folder: string, depth = 0): Iterable<string> {
  if (depth > limits.documentDepth) throw new LimitExceededError(`${folder}: folders are nested too deep`);
  for (const name of tree.list(folder)) {
    const path = folder === "" ? name : `${folder}/${name}`;
    if (tree.isFolder(path)) yield* filesBelow(tree, path, depth + 1);
    else yield path;
  }
}

/** Objects of a chart: CRDs where asked for, manifests in the order of installation, then hooks. */
export function renderHelm(chart: Chart, { helm, environment, readFile }: SourceOptions): RenderedObject[] {
  const { releaseName, namespace, kubeVersion, apiVersions, includeCrds, skipTests, skipHooks, skipSchemaValidation } =
    helm;
  const values = readValueSources({ ...helm, ...(readFile ? { readFile } : {}) });
  const rendered = renderChart(chart, values, {
    releaseName,
    environment,
    ...(namespace ? { namespace } : {}),
    ...(kubeVersion ? { kubeVersion } : {}),
    ...(apiVersions ? { apiVersions } : {}),
    ...(skipTests ? { skipTests } : {}),
    ...(skipSchemaValidation ? { skipSchemaValidation } : {}),
  });
  const crds = includeCrds
    ? rendered.crds.flatMap(({ path, objects }) => objects.map((object) => ({ object, path })))
    : [];
  const others = [...rendered.manifests, ...(skipHooks ? [] : rendered.hooks)].flatMap(({ object, path }) =>
    object === null ? [] : [{ object, path }],
  );
  return [...crds, ...others];
}

function renderKustomize(tree: SourceTree, folder: string, options: SourceOptions): RenderedObject[] {
  const objects = build({
    files: tree,
    folder,
    inflate: (chart, home, loader) => inflateChart(tree, chart, home, loader, options),
  });
  return objects.map((object) => ({ object, path: folder }));
}

const JSONNET = /\.jsonnet$/;
const MANIFEST = /\.(?:ya?ml|json)$/;

function renderPlain(tree: SourceTree, folder: string, options: DirectorySource): RenderedObject[] {
  const { recurse = false, include, exclude } = options;
  const prefix = folder === "" ? "" : `${folder}/`;
  const all = recurse ? [...filesBelow(tree, folder)] : tree.list(folder).map((name) => prefix + name);
  const chosen = all
    .filter((path) => !tree.isFolder(path))
    .filter((path) => {
      const inside = path.slice(prefix.length);
      if (exclude && matchGlob(exclude, inside)) return false;
      return !include || matchGlob(include, inside);
    })
    .sort();
  if (chosen.length > limits.renderFiles)
    throw new LimitExceededError(`${folder || "."}: more than ${limits.renderFiles} files`);
  return chosen.flatMap((path) => {
    if (JSONNET.test(path)) return renderJsonnet(tree, path, options);
    if (!MANIFEST.test(path)) return [];
    const text = Buffer.from(tree.file(path) ?? []).toString("utf8");
    return renderDirectory([{ path, text }]).map(({ json }) => ({ object: JSON.parse(json), path }));
  });
}

/** Objects of a Jsonnet program: one, or a list of them. */
export function renderJsonnet(tree: SourceTree, path: string, { jsonnet = {} }: DirectorySource): RenderedObject[] {
  const { extVars, topLevelArguments, libraries = [] } = jsonnet;
  const value = evaluate({
    file: path,
    text: Buffer.from(tree.file(path) ?? []).toString("utf8"),
    importer: (from, wanted) => {
      const own = from.includes("/") ? from.slice(0, from.lastIndexOf("/")) : "";
      for (const start of [own, ...libraries]) {
        const found = joinPath(start, wanted);
        const data = found === undefined ? undefined : tree.file(found);
        if (found !== undefined && data) return { path: found, data };
      }
      return undefined;
    },
    ...(extVars ? { extVars } : {}),
    ...(topLevelArguments ? { topLevelArguments } : {}),
  });
  const values = Array.isArray(value) ? value : [value];
  const text = values
    .filter((one) => one !== null)
    .map((one) => {
      if (typeof one === "object") return canonicalJson(one);
      throw new InvalidArgumentError("", `${path}: the program gives ${typeof one}, a manifest is an object`);
    });
  return text.flatMap((json) =>
    renderDirectory([{ path: path.replace(JSONNET, ".json"), text: json }]).map((manifest) => ({
      object: JSON.parse(manifest.json),
      path,
    })),
  );
}
