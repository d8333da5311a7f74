import { type Env, formatGoTime, substitute, substituteJson, UnresolvedTagError } from "@tiphys/expressions";
import type { WorkflowArguments, WorkflowNodeStatus } from "@tiphys/resources";
import { textOfItem } from "./names.js";
import { parameterText } from "./parameters.js";

/** A tree of variables: a text at a path, or children. */
export type Variables = { readonly [name: string]: string | Variables | unknown };

/** What a scope knows: `workflow.…`, `inputs.…`, `item`, and the finished steps or tasks around it. */
export interface ScopeParts {
  /** Flat names without braces, such as `workflow.name`. */
  readonly globals: Globals;
  readonly inputs?: WorkflowArguments;
  readonly family?: "steps" | "tasks";
  /** Variables of a finished step or task, flat: `outputs.result`, `status`, `outputs.parameters.x`…; undefined when unknown. */
  readonly producer?: (name: string) => ReadonlyMap<string, string> | undefined;
  readonly producers?: () => Iterable<string>;
  readonly item?: { readonly value: unknown };
  /** Further plain names: `pod.name`, `retries`, `outputs.parameters.x.path`. */
  readonly extra?: ReadonlyMap<string, string>;
}

export interface Globals {
  get(name: string): string | undefined;
  names(): Iterable<string>;
}

const STRICT = ["steps.", "tasks.", "inputs.", "item", "workflow."];
/** Names that a later stage of the same run resolves. */
const LATE =
  /^(workflow\.(status|failures|duration|outputs\.)|retries$|lastRetry\.|pod\.name$|node\.name$|outputs\.|steps\.name$|tasks\.name$|inputs\.artifacts\.|workflow\.scheduledTime$)/;

/** Resolves the tags of one place in a workflow. */
export class Scope {
  constructor(readonly parts: ScopeParts) {}

  with(parts: Partial<ScopeParts>): Scope {
    return new Scope({ ...this.parts, ...parts });
  }

  /** Substitutes; a tag of a known family that leads nowhere throws {@link UnresolvedTagError}. */
  text(raw: string): string {
    return substitute(raw, (tag) => this.resolve(tag), { onUnknown: "error", env: () => this.env() });
  }

  json<T>(value: T): T {
    return substituteJson(value, (tag) => this.resolve(tag), { onUnknown: "error", env: () => this.env() });
  }

  /** The text behind a tag; the tag itself when a later stage or nobody knows it. */
  resolve(tag: string): string {
    const found = this.find(tag);
    if (found !== undefined) return found;
    if (!LATE.test(tag) && STRICT.some((prefix) => tag.startsWith(prefix))) throw new UnresolvedTagError(tag);
    return `{{${tag}}}`;
  }

  private find(tag: string): string | undefined {
    const { globals, inputs, family, producer, item, extra } = this.parts;
    const extraValue = extra?.get(tag);
    if (extraValue !== undefined) return extraValue;
    if (tag.startsWith("workflow.")) return globals.get(tag);
    if (tag === "inputs.parameters") return JSON.stringify(inputs?.parameters ?? []);
    if (tag.startsWith("inputs.parameters.")) {
      const name = tag.slice("inputs.parameters.".length);
      return parameterText(inputs?.parameters?.find((parameter) => parameter.name === name)?.value);
    }
    if (tag === "item" || tag.startsWith("item.")) return item ? itemText(item.value, tag) : undefined;
    if (family && tag.startsWith(`${family}.`)) {
      const rest = tag.slice(family.length + 1);
      const dot = rest.indexOf(".");
      return dot < 0 ? undefined : producer?.(rest.slice(0, dot))?.get(rest.slice(dot + 1));
    }
    return undefined;
  }

  /** The same variables as nested maps, for expressions. */
  env(): Env {
    const { globals, inputs, family, producer, producers, item, extra } = this.parts;
    const env: Record<string, unknown> = {};
    for (const name of globals.names()) put(env, name, globals.get(name));
    for (const parameter of inputs?.parameters ?? []) {
      put(env, "inputs.parameters", undefined, parameter.name, parameterText(parameter.value));
    }
    if (family) {
      env[family] ??= {};
      for (const name of producers?.() ?? []) {
        for (const [path, value] of producer?.(name) ?? []) put(env, `${family}.${name}.${path}`, value);
      }
    }
    if (item) env["item"] = item.value;
    for (const [name, value] of extra ?? []) put(env, name, value);
    return env;
  }
}

function itemText(value: unknown, tag: string): string | undefined {
  if (tag === "item") return textOfItem(value);
  if (typeof value !== "object" || value === null) return undefined;
  const key = tag.slice("item.".length);
  return Object.hasOwn(value, key) ? textOfItem((value as Record<string, unknown>)[key]) : undefined;
}

/** Sets a value at a dotted path; a text already there gives way to a map. */
function put(
  env: Record<string, unknown>,
  path: string,
  value: string | undefined,
  key?: string,
  keyed?: string,
): void {
  let at = env;
  const parts = path.split(".");
  if (key !== undefined) parts.push(key);
  parts.forEach((part, index) => {
    if (index === parts.length - 1) {
      if (typeof at[part] !== "object") at[part] = key === undefined ? value : keyed;
      return;
    }
    if (typeof at[part] !== "object" || at[part] === null) at[part] = {};
    at = at[part] as Record<string, unknown>;
  });
}

/** Flat variables of one finished node, without its prefix. */
export function variablesOf(node: WorkflowNodeStatus): Map<string, string> {
  const variables = new Map<string, string>();
  const set = (name: string, value: string | undefined | null) => {
    if (value !== undefined && value !== null) variables.set(name, value);
  };
  set("id", node.id);
  set("status", node.phase);
  set("ip", node.podIP);
  set("startedAt", node.startedAt);
  set("finishedAt", node.finishedAt);
  set("hostNodeName", node.hostNodeName);
  set("outputs.result", node.outputs?.result);
  set("exitCode", node.outputs?.exitCode);
  const parameters = node.outputs?.parameters ?? [];
  if (parameters.length > 0)
    set("outputs.parameters", JSON.stringify(parameters.map(({ name, value }) => ({ name, value }))));
  for (const parameter of parameters) set(`outputs.parameters.${parameter.name}`, parameterText(parameter.value));
  return variables;
}

/** Variables of a loop: JSON arrays over its succeeded children. */
export function variablesOfLoop(children: readonly WorkflowNodeStatus[]): Map<string, string> {
  const variables = new Map<string, string>();
  const succeeded = children.filter((child) => child.phase === "Succeeded");
  const results = succeeded.flatMap((child) => (child.outputs?.result === undefined ? [] : [child.outputs.result]));
  if (results.length > 0) variables.set("outputs.result", aggregate(results));
  const byName = new Map<string, string[]>();
  const all = succeeded.flatMap((child) => {
    const parameters = child.outputs?.parameters ?? [];
    const map: Record<string, string> = {};
    for (const parameter of parameters) {
      const value = parameterText(parameter.value) ?? "";
      map[parameter.name] = value;
      byName.set(parameter.name, [...(byName.get(parameter.name) ?? []), value]);
    }
    return parameters.length > 0 ? [map] : [];
  });
  if (all.length > 0) variables.set("outputs.parameters", JSON.stringify(all));
  for (const [name, values] of byName) variables.set(`outputs.parameters.${name}`, aggregate(values));
  return variables;
}

function aggregate(values: readonly string[]): string {
  const parsed = values.map((value) => {
    try {
      const json: unknown = JSON.parse(value);
      return typeof json === "object" && json !== null ? json : undefined;
    } catch {
      return undefined;
    }
  });
  return JSON.stringify(parsed.every((value) => value !== undefined) ? parsed : values);
}

const STRFTIME: Readonly<Record<string, string>> = {
  a: "Mon",
  A: "Monday",
  b: "Jan",
  B: "January",
  d: "02",
  e: "_2",
  H: "15",
  I: "03",
  j: "002",
  m: "01",
  M: "04",
  p: "PM",
  S: "05",
  y: "06",
  Y: "2006",
  Z: "MST",
  z: "-0700",
  F: "2006-01-02",
  T: "15:04:05",
  D: "01/02/06",
  R: "15:04",
};

/** `workflow.creationTimestamp` in all of its forms. */
export function creationVariables(created: Date): [string, string][] {
  const prefix = "workflow.creationTimestamp";
  return [
    [prefix, created.toISOString().replace(/\.\d+Z$/, "Z")],
    [`${prefix}.RFC3339`, created.toISOString().replace(/\.\d+Z$/, "Z")],
    [`${prefix}.s`, String(Math.floor(created.getTime() / 1000))],
    ...Object.entries(STRFTIME).map(([letter, layout]): [string, string] => [
      `${prefix}.${letter}`,
      formatGoTime(created, layout),
    ]),
  ];
}
