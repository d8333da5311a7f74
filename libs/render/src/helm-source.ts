import { canonicalJson } from "@tiphys/canonical-json";
import { InvalidArgumentError } from "@tiphys/errors";
import { joinPath } from "@tiphys/kustomize";
import type { HelmSource } from "@tiphys/resources";
import { pathGlob } from "./path-glob.js";
import type { HelmOptions, SourceTree } from "./source.js";

export interface HelmSourceInput {
  /** The chart's own files. */
  readonly tree: SourceTree;
  readonly folder: string;
  readonly options: HelmSource;
  /** Files of the sources that have a `ref`, by its name. */
  readonly references: (name: string) => SourceTree | undefined;
  readonly substitute: (text: string) => string;
  /** Text at a URL. */
  readonly fetchText: (url: string) => string;
}

interface Place {
  readonly tree: SourceTree;
  readonly path: string;
  /** What it is called in messages. */
  readonly name: string;
}

type Located = Place | { readonly url: string };

const SCHEME = /^([a-zA-Z][a-zA-Z0-9+.-]*):/;
const SCHEMES: ReadonlySet<string> = new Set(["http", "https"]);
const isGlob = (path: string): boolean => /[*?[]/.test(path);
const utf8 = new TextDecoder();

/** Where a value file is: beside the chart, from the top of its files, in a referenced source, or at a URL. */
function locate(raw: string, { tree, folder, references, substitute }: HelmSourceInput, field: string): Located {
  const slash = raw.indexOf("/");
  const first = slash < 0 ? raw : raw.slice(0, slash);
  const referenced = raw.startsWith("$") ? references(first.slice(1)) : undefined;
  const outside = (): never => {
    throw new InvalidArgumentError(field, `file '${raw}' resolved to outside repository root`);
  };
  if (referenced) {
    const path = joinPath("", substitute(slash < 0 ? "" : raw.slice(slash + 1))) ?? outside();
    return { tree: referenced, path: path === "" ? outside() : path, name: raw };
  }
  const name = substitute(raw);
  const scheme = SCHEME.exec(name)?.[1]?.toLowerCase();
  if (scheme !== undefined) {
    if (SCHEMES.has(scheme)) return { url: name };
    throw new InvalidArgumentError(field, `the URL scheme '${scheme}' is not allowed`);
  }
  const path = (name.startsWith("/") ? joinPath("", name) : joinPath(folder, name)) ?? outside();
  return { tree, path: path === "" ? outside() : path, name };
}

/** Value files in their order: a glob gives those that no entry of its own names, and none counts twice. */
function valueFiles(input: HelmSourceInput): { readonly name: string; readonly text: string }[] {
  const { valueFiles: given = [], ignoreMissingValueFiles = false } = input.options;
  const field = "spec.source.helm.valueFiles";
  const located = given.map((raw) => locate(raw, input, field));
  const keyOf = (place: Located) => ("url" in place ? place.url : `${treeNumber(place.tree)}:${place.path}`);
  const numbers = new Map<SourceTree, number>();
  const treeNumber = (tree: SourceTree): number => {
    if (!numbers.has(tree)) numbers.set(tree, numbers.size);
    return numbers.get(tree) as number;
  };
  const explicit = new Set(located.filter((place) => "url" in place || !isGlob(place.path)).map(keyOf));
  const taken = new Set<string>();
  const files: { name: string; text: string }[] = [];
  const take = (place: Located) => {
    const key = keyOf(place);
    if (taken.has(key)) return;
    taken.add(key);
    if ("url" in place) {
      files.push({ name: place.url, text: input.fetchText(place.url) });
      return;
    }
    const data = place.tree.file(place.path);
    if (data) files.push({ name: place.name, text: utf8.decode(data) });
    else if (!ignoreMissingValueFiles) {
      throw new InvalidArgumentError(field, `open ${place.name}: no such file or directory`);
    }
  };
  for (const [index, place] of located.entries()) {
    if ("url" in place || !isGlob(place.path)) {
      take(place);
      continue;
    }
    const found = pathGlob(place.tree, place.path);
    if (found.length === 0 && !ignoreMissingValueFiles) {
      throw new InvalidArgumentError(field, `values file glob "${given[index]}" matched no files`);
    }
    for (const path of found) {
      const match = { tree: place.tree, path, name: path };
      if (!explicit.has(keyOf(match))) take(match);
    }
  }
  return files;
}

/** A comma in a value does not begin another one, except in a list in braces; one that is escaped stays. */
export function parameterText(value: string): string {
  if (value.startsWith("{") && value.endsWith("}")) return value;
  return value.replace(/,/g, (comma, at: number) => (value[at - 1] === "\\" ? comma : `\\${comma}`));
}

/** Versions of Helm that a source may ask for: all are rendered alike. */
const VERSIONS: ReadonlySet<string> = new Set(["", "v3", "v4"]);

/** What `spec.source.helm` says about values, in Helm's own terms. */
export function helmValues(input: HelmSourceInput): Pick<HelmOptions, "files" | "set" | "setString" | "setFile"> & {
  readonly readFile: (path: string) => string;
} {
  const { options, substitute } = input;
  if (!VERSIONS.has(options.version ?? "")) {
    throw new InvalidArgumentError(
      "spec.source.helm.version",
      `helm chart version '${options.version}' is not supported`,
    );
  }
  const files = valueFiles(input);
  const { valuesObject, values = "" } = options;
  if (valuesObject) files.push({ name: "valuesObject", text: canonicalJson(valuesObject) });
  else if (values !== "") files.push({ name: "values", text: values });
  const set = new Map<string, string>();
  const setString = new Map<string, string>();
  for (const { name = "", value = "", forceString } of options.parameters ?? []) {
    (forceString ? setString : set).set(name, parameterText(substitute(value)));
  }
  const contents: string[] = [];
  const setFile = new Map<string, string>();
  for (const { name = "", path = "" } of options.fileParameters ?? []) {
    const place = locate(path, input, "spec.source.helm.fileParameters");
    setFile.set(name, String(contents.length));
    if ("url" in place) contents.push(input.fetchText(place.url));
    else {
      const data = place.tree.file(place.path);
      if (!data)
        throw new InvalidArgumentError("spec.source.helm.fileParameters", `open ${path}: no such file or directory`);
      contents.push(utf8.decode(data));
    }
  }
  const arguments_ = (map: ReadonlyMap<string, string>) => [...map].map(([name, value]) => `${name}=${value}`);
  return {
    files,
    set: arguments_(set),
    setString: arguments_(setString),
    setFile: arguments_(setFile),
    readFile: (index) => contents[Number(index)] ?? "",
  };
}
