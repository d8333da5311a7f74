import { messageOf } from "@tiphys/errors";
import {
  type Environment,
  FunctionError,
  type GoFunction,
  type GoValue,
  marshalJson,
  OutOfFuelError,
  ParseError,
  quote,
  type State,
  sprigFunctions,
  type Templates,
  unmarshalJson,
} from "@tiphys/template";
import { fromToml, toToml } from "./toml.js";
import { fromYaml, toYaml, toYamlPretty } from "./yaml.js";

/** What one render lets its templates see. */
export interface RenderContext {
  readonly environment: Environment;
  /** An object of the cluster, or a list without a name; an empty map when there is none. */
  readonly lookup: (apiVersion: string, kind: string, namespace: string, name: string) => GoValue;
  /** How often each template is being included at the moment. */
  readonly including: Map<string, number>;
}

/** Included at the same time at most, as in Helm. */
const MAX_INCLUDES = 1000;
const MAX_CACHED_TEXTS = 500;

/**
 * The render that is going on. Functions are compiled into templates once and used by every render, so they find what belongs
 * to one here; rendering never waits, so there is one at a time.
 */
let current: RenderContext | undefined;

export function withContext<T>(context: RenderContext, work: () => T): T {
  const before = current;
  current = context;
  try {
    return work();
  } finally {
    current = before;
  }
}

const context = (): RenderContext => {
  if (!current) throw new Error("no chart is being rendered");
  return current;
};

const environment: Environment = {
  now: () => context().environment.now(),
  random: (count) => context().environment.random(count),
  get timeZone() {
    return context().environment.timeZone ?? "";
  },
  resolveHost: (name) => context().environment.resolveHost?.(name) ?? "",
};

const or = <T>(work: () => T, otherwise: (error: unknown) => T): T => {
  try {
    return work();
  } catch (error) {
    if (error instanceof RangeError && /longer than/.test(error.message)) throw error;
    if (error instanceof TypeError) throw error;
    return otherwise(error);
  }
};

function include(name: string, data: GoValue, state: State): string {
  const { including } = context();
  const count = including.get(name);
  if (count !== undefined && count > MAX_INCLUDES) {
    throw new FunctionError(`rendering template has a nested reference name: ${name}: unable to execute template`);
  }
  including.set(name, (count ?? 0) + 1);
  const template = state.set.find(name);
  if (!template) throw new FunctionError(`template: no template ${quote(name)} associated with template "gotpl"`);
  const text = state.execute(template.name, template, data ?? undefined);
  including.set(name, including.get(name)! - 1);
  return text;
}

const ROOT = "gotpl";
const parsedTexts = new Map<string, ReturnType<Templates["parse"]>>();

function parseText(set: Templates, text: string): ReturnType<Templates["parse"]> {
  const known = parsedTexts.get(text);
  if (known) return known;
  const parsed = set.parse(ROOT, text);
  if (text.length < 10_000) {
    if (parsedTexts.size >= MAX_CACHED_TEXTS) parsedTexts.delete(parsedTexts.keys().next().value!);
    parsedTexts.set(text, parsed);
  }
  return parsed;
}

function tpl(text: string, data: GoValue, state: State): string {
  // Most values have nothing to do in them.
  if (!text.includes("{{")) return text.includes("<no value>") ? text.replaceAll("<no value>", "") : text;
  state.step(10);
  const outer = state.set as Templates;
  let parsed: ReturnType<Templates["parse"]>;
  try {
    parsed = parseText(outer, text);
  } catch (error) {
    if (error instanceof ParseError)
      throw new FunctionError(`cannot parse template ${quote(text)}: ${error.message}`, { cause: error });
    throw error;
  }
  const inner = outer.inner().add(parsed);
  const main = parsed.get(ROOT);
  let out: string;
  try {
    out = main ? state.execute(ROOT, main.template, data ?? undefined, inner) : "";
  } catch (error) {
    if (!(error instanceof Error) || error instanceof OutOfFuelError) throw error;
    if (error instanceof RangeError || error instanceof TypeError) throw error;
    throw new FunctionError(`error during tpl function execution for ${quote(text)}: ${error.message}`, {
      cause: error,
    });
  }
  return out.includes("<no value>") ? out.replaceAll("<no value>", "") : out;
}

/** Marks around the text of `fail` and `required`, which Helm shows alone. */
export const WARNING = /HELM_ERR_START([\s\S]*)HELM_ERR_END/;
const warning = (message: string): never => {
  throw new FunctionError(`HELM_ERR_START${message}HELM_ERR_END`);
};

const any = ["any"] as const;
const text = ["string"] as const;

/** Every function of a Helm template beside Go's own. */
export const helmFunctions: Readonly<Record<string, GoFunction>> = {
  ...sprigFunctions(environment),
  toYaml: {
    params: any,
    call: ([value], state) =>
      or(
        () => toYaml(value, state.size),
        () => "",
      ),
  },
  mustToYaml: { params: any, call: ([value], state) => toYaml(value, state.size) },
  toYamlPretty: {
    params: any,
    call: ([value], state) =>
      or(
        () => toYamlPretty(value, state.size),
        () => "",
      ),
  },
  fromYaml: {
    params: text,
    call: ([source]) =>
      or(
        () => fromYaml(source, "map") ?? new Map(),
        (error) => new Map([["Error", messageOf(error)]]),
      ),
  },
  fromYamlArray: {
    params: text,
    call: ([source]) =>
      or(
        () => fromYaml(source, "list") ?? [],
        (error) => [messageOf(error)],
      ),
  },
  toToml: { params: any, call: ([value]) => toToml(value) },
  fromToml: {
    params: text,
    call: ([source]) =>
      or(
        () => fromToml(source),
        (error) => new Map<string, GoValue>([["Error", messageOf(error)]]),
      ),
  },
  toJson: {
    params: any,
    call: ([value]) =>
      or(
        () => marshalJson(value),
        () => "",
      ),
  },
  mustToJson: { params: any, call: ([value]) => marshalJson(value) },
  fromJson: {
    params: text,
    call: ([source]) =>
      or(
        () => unmarshalJson(source, "map") ?? new Map(),
        (error) => new Map([["Error", messageOf(error)]]),
      ),
  },
  fromJsonArray: {
    params: text,
    call: ([source]) =>
      or(
        () => unmarshalJson(source, "list") ?? [],
        (error) => [messageOf(error)],
      ),
  },
  include: { params: ["string", "any"], call: ([name, data], state) => include(name, data, state) },
  tpl: { params: ["string", "any"], call: ([source, data], state) => tpl(source, data, state) },
  required: {
    params: ["string", "any"],
    call: ([message, value]) => (value === null || value === undefined || value === "" ? warning(message) : value),
  },
  fail: { params: text, call: ([message]) => warning(message) },
  lookup: {
    params: ["string", "string", "string", "string"],
    call: ([apiVersion, kind, namespace, name]) => context().lookup(apiVersion, kind, namespace, name),
  },
};
