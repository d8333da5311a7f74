import { messageOf } from "@tiphys/errors";
import { compareStrings, fromPlain } from "@tiphys/template";
import { readArchive } from "./archive.js";
import { Chart, type Values } from "./chart.js";
import type { Lock } from "./dependency-build.js";
import { ChartError } from "./errors.js";
import { type ChartFile, textOf, withoutBom } from "./file.js";
import { IgnoreRules } from "./ignore.js";
import { type Metadata, readLock, readMetadata, readRequirements, validateMetadata } from "./metadata.js";
import { fromYaml } from "./yaml.js";

/** Charts inside charts inside charts. */
const MAX_NESTING = 20;

/**
 * A chart from the files of its folder, paths relative to it; `.helmignore` is honoured. Throws a {@link ChartError}.
 */
export function loadDirectory(files: readonly ChartFile[]): Chart {
  const ignoreFile = files.find(({ name }) => name === ".helmignore");
  const rules = new IgnoreRules(ignoreFile ? textOf(ignoreFile) : "");
  const kept = files
    .filter(({ name }) => !rules.ignores(name))
    .map(({ name, data }) => ({ name, data: withoutBom(data) }));
  return loadFiles(kept);
}

/** A chart from a packed one (`.tgz`). Throws a {@link ChartError}. */
export const loadArchive = (bytes: Uint8Array): Chart => loadFiles(readArchive(bytes));

function loadFiles(unsorted: readonly ChartFile[], depth = 0): Chart {
  if (depth > MAX_NESTING) throw new ChartError(`charts are nested deeper than ${MAX_NESTING} levels`);
  // The order in which Helm walks a folder: it decides which of two equal definitions wins.
  const files = [...unsorted].sort((a, b) => compareStrings(a.name, b.name));
  const chartFile = files.findLast(({ name }) => name === "Chart.yaml");
  let metadata: Metadata | undefined = chartFile && readMetadata(textOf(chartFile), fromPlain);
  let values: Values = new Map();
  let schema: ChartFile | undefined;
  let lock: Lock | undefined;
  const templates: ChartFile[] = [];
  const others: ChartFile[] = [];
  const inside = new Map<string, ChartFile[]>();
  for (const file of files) {
    const { name } = file;
    if (name === "Chart.yaml") continue;
    if (name === "Chart.lock" || name === "requirements.lock") {
      lock = readLock(textOf(file), name, fromPlain);
      if (name === "requirements.lock" && metadata?.apiVersion === "v1") others.push(file);
    } else if (name === "values.yaml") values = readChartValues(file);
    else if (name === "values.schema.json") schema = file;
    else if (name === "requirements.yaml") {
      const dependencies = readRequirements(textOf(file), fromPlain);
      if (metadata && dependencies) metadata = { ...metadata, dependencies };
      if (metadata?.apiVersion === "v1") others.push(file);
    } else if (name.startsWith("templates/")) templates.push(file);
    else if (name.startsWith("charts/")) {
      if (name.endsWith(".prov")) {
        others.push(file);
        continue;
      }
      const path = name.slice("charts/".length);
      const [first = ""] = path.split("/");
      const list = inside.get(first);
      if (list) list.push({ name: path, data: file.data });
      else inside.set(first, [{ name: path, data: file.data }]);
    } else others.push(file);
  }
  if (!metadata) throw new ChartError("Chart.yaml file is missing");
  validateMetadata(metadata);
  const chart = new Chart(metadata, values, schema, templates, others, lock);
  const dependencies: Chart[] = [];
  for (const [folder, content] of [...inside].sort(([a], [b]) => compareStrings(a, b))) {
    const loaded = loadInside(folder, content, metadata.name, depth);
    if (loaded) dependencies.push(loaded);
  }
  chart.setDependencies(dependencies);
  return chart;
}

function loadInside(folder: string, content: readonly ChartFile[], parent: string, depth: number): Chart | undefined {
  if (/^[_.]/.test(folder)) return undefined;
  try {
    if (folder.endsWith(".tgz")) {
      const [file] = content;
      if (file!.name !== folder) {
        throw new ChartError(`error unpacking subchart tar in ${parent}: expected ${folder}, got ${file!.name}`);
      }
      return loadFiles(readArchive(file!.data), depth + 1);
    }
    const files = content
      .filter(({ name }) => name.includes("/"))
      .map(({ name, data }) => ({ name: name.slice(name.indexOf("/") + 1), data }));
    return loadFiles(files, depth + 1);
  } catch (error) {
    throw new ChartError(`error unpacking subchart ${folder} in ${parent}: ${messageOf(error)}`, { cause: error });
  }
}

function readChartValues(file: ChartFile): Values {
  try {
    return readValues(textOf(file));
  } catch (error) {
    throw new ChartError(`cannot load values.yaml: ${messageOf(error)}`);
  }
}

const separator = /^---(?=\s|$)[^\n]*(?:\n|$)/m;

/** Values of a YAML or JSON text; of several documents the later ones win. Throws an Error with Helm's text. */
export function readValues(text: string): Values {
  let values: Values = new Map();
  for (const document of documents(text)) {
    let value: Values;
    try {
      value = (fromYaml(document, "map") as Values | null) ?? new Map();
    } catch (error) {
      throw new Error(`cannot unmarshal yaml document: ${messageOf(error)}`);
    }
    values = values.size === 0 ? value : mergeMaps(values, value);
  }
  return values;
}

function* documents(text: string): Generator<string> {
  if (!separator.test(text)) {
    yield text;
    return;
  }
  let current = "";
  for (const line of text.split(/(?<=\n)/)) {
    if (line.startsWith("---")) {
      // What follows the dashes on the line is a comment or nothing; else the document starts there.
      const rest = line.slice(3);
      if (/^\s*(?:#.*)?$/.test(rest)) {
        if (current.trim() !== "") yield current;
        current = "";
        continue;
      }
    }
    current += line;
  }
  if (current.trim() !== "") yield current;
}

/** Values over values: maps are merged, anything else is replaced. */
export function mergeMaps(under: Values, over: ReadonlyMap<string, unknown>): Values {
  const result = new Map(under);
  for (const [key, value] of over) {
    const old = result.get(key);
    result.set(key, value instanceof Map && old instanceof Map ? mergeMaps(old, value) : value);
  }
  return result;
}
