import {
  basePath,
  cleanPath,
  compareStrings,
  defineMethods,
  ExecError,
  executeIn,
  GoMap,
  type GoStruct,
  type GoValue,
  type Parsed,
  ParseError,
  quote,
  type State,
  Templates,
} from "@tiphys/template";
import type { Chart, Values } from "./chart.js";
import { tableAt, valueAt } from "./coalesce.js";
import { ChartError } from "./errors.js";
import { type ChartFile, textOf } from "./file.js";
import { filesValue } from "./files.js";
import { helmFunctions, WARNING } from "./functions.js";
import { metadataValue } from "./metadata.js";
import { toYaml } from "./yaml.js";

interface Renderable {
  readonly file: ChartFile;
  readonly dot: GoMap;
  readonly base: string;
}

type Call = (...args: never[]) => GoValue;
defineMethods("common.Values", {
  AsMap: { params: [], call: ((values: GoMap) => new Map(values)) as Call },
  YAML: { params: [], call: ((values: GoMap) => `${toYaml(values, Number.POSITIVE_INFINITY)}\n`) as Call },
  Table: {
    params: ["string"],
    call: ((values: GoMap, path: string) => {
      const table = tableAt(values, path);
      if (!table) throw new Error(`${quote(path)} is not a table`);
      return valuesMap(table);
    }) as Call,
  },
  PathValue: {
    params: ["string"],
    call: ((values: GoMap, path: string) => {
      const value = valueAt(values, path);
      if (value === undefined) throw new Error(`${quote(path.slice(path.lastIndexOf(".") + 1))} is not a value`);
      return value;
    }) as Call,
  },
});

const valuesMap = (entries?: Iterable<readonly [string, GoValue]>) =>
  new GoMap("common.Values", "interface {}", entries);

export interface EngineInput {
  readonly release: Values;
  readonly capabilities: GoStruct;
  readonly values: Values;
}

/** Templates of a chart and those inside it, by name, with what each sees as `.`. */
function collect(chart: Chart, input: EngineInput, parent: Values | undefined, into: Map<string, Renderable>): GoMap {
  const subcharts: Values = new Map();
  const values = parent ? (tableAt(parent, chart.name) ?? valuesMap()) : valuesMap(input.values);
  const dot = valuesMap([
    ["Chart", metadataValue(chart.metadata, chart.isRoot)],
    ["Files", filesValue(chart.files)],
    ["Release", input.release],
    ["Capabilities", input.capabilities],
    ["Values", values],
    ["Subcharts", subcharts],
  ]);
  for (const sub of chart.dependencies) subcharts.set(sub.name, collect(sub, input, values, into));
  const path = chart.fullPath;
  for (const file of chart.templates) {
    if (chart.isLibrary && !basePath(file.name).startsWith("_")) continue;
    into.set(cleanPath(`${path}/${file.name}`), { file, dot, base: cleanPath(`${path}/templates`) });
  }
  return dot;
}

const slashes = (path: string) => path.split("/").length;
/** Deeper files first, so that a definition of a chart wins over one of a chart inside it. */
const parseOrder = (a: string, b: string) => slashes(b) - slashes(a) || compareStrings(b, a);

const parsedFiles = new WeakMap<Uint8Array, Map<string, Parsed>>();
const parser = new Templates({ functions: helmFunctions });

function parseFile(name: string, file: ChartFile): Parsed {
  let byName = parsedFiles.get(file.data);
  if (!byName) {
    byName = new Map();
    parsedFiles.set(file.data, byName);
  }
  let parsed = byName.get(name);
  if (!parsed) {
    parsed = parser.parse(name, textOf(file));
    byName.set(name, parsed);
  }
  return parsed;
}

/** Renders every template of a chart; the texts by template name. Throws a {@link ChartError}. */
export function renderTemplates(
  chart: Chart,
  input: EngineInput,
  newState: (set: Templates) => State,
): Map<string, string> {
  const templates = new Map<string, Renderable>();
  collect(chart, input, undefined, templates);
  const names = [...templates.keys()].sort(parseOrder);
  const set = new Templates({ functions: helmFunctions });
  for (const name of names) {
    try {
      set.add(parseFile(name, templates.get(name)!.file));
    } catch (error) {
      throw error instanceof ParseError ? parseProblem(name, error) : error;
    }
  }
  const state = newState(set);
  const rendered = new Map<string, string>();
  for (const name of names) {
    if (basePath(name).startsWith("_")) continue;
    const { dot, base } = templates.get(name)!;
    dot.set(
      "Template",
      valuesMap([
        ["Name", name],
        ["BasePath", base],
      ]),
    );
    let text: string;
    try {
      text = executeIn(state, name, dot);
    } catch (error) {
      throw error instanceof ExecError ? execProblem(name, error) : error;
    }
    rendered.set(name, text.includes("<no value>") ? text.replaceAll("<no value>", "") : text);
  }
  return rendered;
}

function parseProblem(name: string, error: ParseError): ChartError {
  const tokens = error.message.split(": ");
  if (tokens.length === 1) return new ChartError(`parse error in (${name}): ${error.message}`, { cause: error });
  return new ChartError(`parse error at (${tokens[1]}): ${tokens.at(-1)}`, { cause: error });
}

/** The chain of templates that led to an error, each with its place, in the form Helm prints. */
function execProblem(name: string, error: ExecError): ChartError {
  const tokens = error.message.split(": ");
  if (tokens.length < 3) return new ChartError(`execution error in (${name}): ${error.message}`, { cause: error });
  const warned = WARNING.exec(tokens.slice(2).join(": "));
  if (warned) return new ChartError(`execution error at (${tokens[1]}): ${warned[1]}`, { cause: error });
  const places: string[] = [];
  for (let current: unknown = error; current instanceof Error; current = current.cause) {
    const place = placeOf(current.message);
    if (place === undefined) return new ChartError(error.message, { cause: error });
    if (places.at(-1) !== place) places.push(place);
  }
  return new ChartError(places.join("").trim(), { cause: error });
}

function placeOf(message: string): string | undefined {
  const prefix = "template: ";
  if (!message.startsWith(prefix)) return undefined;
  const rest = message.slice(prefix.length);
  if (rest.startsWith("no template ")) return `${message}\n`;
  const executing = rest.indexOf(": executing ");
  const cut = (text: string) => {
    const next = text.indexOf(" template:");
    return next < 0 ? text : text.slice(0, next);
  };
  if (executing >= 0) {
    const after = rest.slice(executing + ": executing ".length);
    const match = /^"([^"]*)" at <([\s\S]*?)>: ([\s\S]*)$/.exec(after);
    if (!match) return undefined;
    return `${rest.slice(0, executing)}\n  executing "${match[1]}" at <${match[2]}>:\n    ${cut(match[3]!)}\n`;
  }
  const colon = rest.lastIndexOf(": ");
  return colon < 0 ? undefined : `${rest.slice(0, colon)}\n  ${cut(rest.slice(colon + 2))}\n`;
}
