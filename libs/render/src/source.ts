import { matchGlob } from "@tiphys/diff";
import { InvalidArgumentError, LimitExceededError } from "@tiphys/errors";
import {
  buildDependencies,
  type Chart,
  type DependencySource,
  lacksDependencies,
  loadArchive,
  loadDirectory,
  readValueSources,
  renderChart,
  type ValueSources,
} from "@tiphys/helm";
import { evaluate, type Outside } from "@tiphys/jsonnet";
import { type BuildOptions, build, FILE_NAMES, type FileTree, joinPath } from "@tiphys/kustomize";
import { limits } from "@tiphys/limits";
import type { Environment } from "@tiphys/template";
import { objectsOf, type PlacedObject, readObjects } from "./directory.js";
import { inflateChart } from "./kustomize-charts.js";

/** The files of a source; a render reads and never writes. */
export interface SourceTree extends FileTree {
  /** Names in a folder, files and folders alike, sorted. */
  list(folder: string): readonly string[];
  /** Whether the path itself is a symbolic link. */
  isLink?(path: string): boolean;
  /** Equal ids mean equal files in a folder and everywhere below; undefined where its content is not known by an id. */
  folderId?(path: string): string | undefined;
  /** Told that all files below a folder will be read. */
  fetch?(folder: string): void;
}

export type SourceType = "Helm" | "Kustomize" | "Directory";

export interface HelmOptions extends Omit<ValueSources, "readFile"> {
  readonly releaseName: string;
  readonly namespace?: string;
  readonly kubeVersion?: string;
  /** As a function: asked only where a template looks at them. */
  readonly apiVersions?: readonly string[] | (() => readonly string[]);
  readonly includeCrds?: boolean;
  readonly skipTests?: boolean;
  readonly skipHooks?: boolean;
  readonly skipSchemaValidation?: boolean;
}

export interface DirectoryOptions {
  /** Every file must be manifests and nothing else; set for what programs have written. */
  readonly strict?: boolean;
  readonly recurse?: boolean;
  readonly include?: string;
  readonly exclude?: string;
  /** Takes files of any name, not those of manifests alone. */
  readonly disableExtensionFilter?: boolean;
  readonly jsonnet?: {
    readonly extVars?: Readonly<Record<string, Outside>>;
    readonly topLevelArguments?: Readonly<Record<string, Outside>>;
    /** Folders, from the top of the files, that imports are looked for in; the first that has one wins. */
    readonly libraries?: readonly string[];
  };
}

export type KustomizeOptions = Pick<BuildOptions, "edit" | "remote" | "loadRestrictionsNone">;

export interface SourceOptions {
  readonly environment: Environment;
  /** How deep templates may be inside one another; absent: what Node's own stack holds. */
  readonly depth?: number;
  readonly helm: HelmOptions;
  readonly directory?: DirectoryOptions;
  readonly kustomize?: KustomizeOptions;
  /** Content of a file that `helm.setFile` names. */
  readonly readFile?: ValueSources["readFile"];
  /** Packed charts of repositories, for charts and kustomizations that name some; absent: those must be among the files. */
  readonly archive?: DependencySource["archive"];
}

export interface RenderedObject {
  readonly object: Readonly<Record<string, unknown>>;
  /** Where it comes from, as far as that is one file. */
  readonly path: string;
  /** Where its document starts in the file, where that is known. */
  readonly line?: number;
}

/** What a folder is, by the files in it: a chart before a kustomization, and a plain folder else. */
export function sourceTypeOf(names: readonly string[]): SourceType {
  if (names.includes("Chart.yaml")) return "Helm";
  return names.some((name) => FILE_NAMES.some((known) => known === name)) ? "Kustomize" : "Directory";
}

/**
 * Renders a folder of a source, of the given type or whatever it is: a pure function of the files and options. Errors name the
 * file and the field; limits bound what it takes.
 */
export function renderSource(
  tree: SourceTree,
  folder: string,
  options: SourceOptions,
  type: SourceType = sourceTypeOf(tree.list(folder)),
): { readonly type: SourceType; readonly objects: readonly RenderedObject[] } {
  const objects =
    type === "Helm"
      ? renderHelm(wholeChartAt(tree, folder, options), options)
      : type === "Kustomize"
        ? renderKustomize(tree, folder, options)
        : renderPlain(tree, folder, options.directory ?? {});
  return { type, objects };
}

/** Charts by the id of their folder: what was compiled for one stays with it. Least recently used first. */
const charts = new Map<string, Chart>();
const CHARTS_KEPT = 40;

/** A chart from a folder of the files, or a packed one. */
export function chartAt(tree: SourceTree, path: string): Chart {
  const id = tree.isFolder(path) ? tree.folderId?.(path) : undefined;
  const known = id === undefined ? undefined : charts.get(id);
  const chart = known ?? loadChart(tree, path);
  if (id !== undefined) {
    charts.delete(id);
    charts.set(id, chart);
    for (const oldest of charts.keys()) {
      if (charts.size <= CHARTS_KEPT) break;
      charts.delete(oldest);
    }
  }
  return chart;
}

/** A chart with what it depends on, got from where it names it when it is not among the files. */
export function wholeChartAt(tree: SourceTree, path: string, { archive }: Pick<SourceOptions, "archive">): Chart {
  const chart = chartAt(tree, path);
  if (!archive || !lacksDependencies(chart)) return chart;
  return buildDependencies(chart, {
    archive,
    local(beside) {
      // A path that begins with a slash is one of the machine.
      const place = beside.startsWith("/") ? undefined : joinPath(path, beside);
      if (place === undefined) {
        throw new InvalidArgumentError(
          "",
          `dependency file://${beside} of chart ${chart.name} leads out of the source`,
        );
      }
      return tree.isFolder(place) ? chartAt(tree, place) : undefined;
    },
  });
}

function loadChart(tree: SourceTree, path: string): Chart {
  const packed = tree.file(path);
  if (packed) return loadArchive(packed);
  const prefix = path === "" ? "" : `${path}/`;
  tree.fetch?.(path);
  return loadDirectory(
    [...filesBelow(tree, path)].map((file) => {
      const data = tree.file(file);
      if (!data) throw new InvalidArgumentError("", `${file}: the symbolic link leads nowhere`);
      return { name: file.slice(prefix.length), data };
    }),
  );
}

function* filesBelow(tree: SourceTree, folder: string, into = true, depth = 0): Iterable<string> {
  if (depth > limits.documentDepth) throw new LimitExceededError(`${folder}: folders are nested too deep`);
  for (const name of tree.list(folder)) {
    const path = folder === "" ? name : `${folder}/${name}`;
    if (!tree.isFolder(path)) yield path;
    // What walks a folder of manifests does not go through links to other folders; what loads a chart does.
    else if (into || !tree.isLink?.(path)) yield* filesBelow(tree, path, into, depth + 1);
  }
}

/** Objects of a chart: CRDs where asked for, manifests in the order of installation, then hooks. */
export function renderHelm(chart: Chart, { helm, environment, depth, readFile }: SourceOptions): RenderedObject[] {
  const { releaseName, namespace, kubeVersion, apiVersions, includeCrds, skipTests, skipHooks, skipSchemaValidation } =
    helm;
  const values = readValueSources({ ...helm, ...(readFile ? { readFile } : {}) });
  const rendered = renderChart(chart, values, {
    releaseName,
    environment,
    ...(depth ? { depth } : {}),
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
    ...options.kustomize,
    files: tree,
    folder,
    inflate: (chart, home, loader) => inflateChart(tree, chart, home, loader, options),
  });
  return objects.map((object) => ({ object, path: folder }));
}

const JSONNET = /\.jsonnet$/;
const MANIFEST = /\.(?:ya?ml|json|jsonnet)$/;

function renderPlain(tree: SourceTree, folder: string, options: DirectoryOptions): PlacedObject[] {
  const { recurse = false, include, exclude, disableExtensionFilter = false, strict = false } = options;
  const prefix = folder === "" ? "" : `${folder}/`;
  const all = recurse ? [...filesBelow(tree, folder, false)] : tree.list(folder).map((name) => prefix + name);
  const chosen = all
    .filter((path) => {
      if (!disableExtensionFilter && !MANIFEST.test(path)) return false;
      const inside = path.slice(prefix.length);
      if (exclude && matchGlob(exclude, inside)) return false;
      return !include || matchGlob(include, inside);
    })
    .filter((path) => !tree.isFolder(path))
    .sort();
  if (chosen.length > limits.renderFiles)
    throw new LimitExceededError(`${folder || "."}: more than ${limits.renderFiles} files`);
  return chosen.flatMap((path) => {
    if (JSONNET.test(path)) return renderJsonnet(tree, path, options);
    const data = tree.file(path);
    // A link that leads nowhere is no manifest.
    return data ? readObjects([{ path, text: Buffer.from(data).toString("utf8") }], { strict }) : [];
  });
}

/** Objects of a Jsonnet program: one, or a list of them. */
export function renderJsonnet(tree: SourceTree, path: string, { jsonnet = {} }: DirectoryOptions): PlacedObject[] {
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
  return values
    .filter((one) => one !== null)
    .flatMap((one) => {
      if (typeof one !== "object")
        throw new InvalidArgumentError("", `${path}: the program gives ${typeof one}, a manifest is an object`);
      return objectsOf(one, path, 0).map((object) => ({ object, path, line: 0 }));
    });
}
