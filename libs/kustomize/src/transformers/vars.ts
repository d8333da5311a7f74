import { get, isMap, put, settle, textOf } from "../data.js";
import { fail } from "../errors.js";
import { type FieldSpec, visitField } from "../field-specs.js";
import { clusterScoped, groupVersion, type ResourceId, sameId, sameKindAndName } from "../ids.js";
import type { Resource } from "../resource.js";
import type { ResourceList } from "../resource-list.js";
import { fieldAt } from "./replacements.js";

export interface Var {
  readonly name: string;
  readonly objref: {
    readonly apiVersion?: string;
    readonly group?: string;
    readonly version?: string;
    readonly kind?: string;
    readonly name?: string;
    readonly namespace?: string;
  };
  readonly fieldref?: { readonly fieldpath?: string; readonly fieldPath?: string };
}

/** Finds the resources that vars are read from, while they still have the ids that the vars know them by. */
export function bindVars(list: ResourceList, vars: readonly Var[]): void {
  for (const one of vars) {
    const { apiVersion = "", group, version, kind = "", name = "", namespace = "" } = one.objref ?? {};
    const said = apiVersion ? groupVersion(apiVersion) : { group: group ?? "", version: version ?? "" };
    const target: ResourceId = { ...said, kind, name, namespace };
    const matches = namespace !== "" || clusterScoped(target) ? sameId : sameKindAndName;
    const found = list.byAnyId((id) => matches(target, id));
    if (found.length > 1) fail(`found ${found.length} resId matches for var ${one.name} (unable to disambiguate)`);
    found[0]?.vars.push(one.name);
  }
}

export function mergeVars(known: readonly Var[], more: readonly Var[]): Var[] {
  const result = [...known];
  for (const one of more) {
    if (result.some(({ name }) => name === one.name)) fail(`var '${one.name}' already encountered`);
    result.push(one);
  }
  return result;
}

/** Puts the values of vars where `$(NAME)` stands. */
export function resolveVars(resources: readonly Resource[], vars: readonly Var[], specs: readonly FieldSpec[]): void {
  if (vars.length === 0) return;
  const values = new Map<string, unknown>();
  for (const { name, fieldref } of vars) {
    const path = fieldref?.fieldpath ?? fieldref?.fieldPath ?? "metadata.name";
    const resource = resources.find((one) => one.vars.includes(name));
    if (!resource) fail(`var '${name}' cannot be mapped to a field in the set of known resources`);
    const value = fieldAt(resource, path);
    if (value === undefined) fail(`field specified in var '${name}' not found in corresponding resource`);
    values.set(name, value);
  }
  const scalar = (value: unknown): unknown => (typeof value === "string" ? expand(value, values) : value);
  for (const { object } of resources) {
    for (const spec of specs) {
      visitField(object, spec, undefined, (spot) => {
        const { value } = spot;
        if (Array.isArray(value)) {
          if (value.some((item) => typeof item !== "string")) fail("invalid value type expect a string");
          spot.set(value.map(scalar));
        } else if (isMap(value)) {
          for (const key of Object.keys(value)) {
            settle(value, key);
            put(value, key, scalar(get(value, key)));
          }
        } else spot.set(scalar(value));
      });
    }
  }
}

/** `$(NAME)` becomes the value, `$$` a dollar sign; what is nothing of these stays. */
function expand(text: string, values: ReadonlyMap<string, unknown>): unknown {
  const whole = /^\$\(([^)]*)\)$/.exec(text);
  if (whole && values.has(whole[1] as string)) {
    const value = values.get(whole[1] as string);
    if (typeof value !== "object") return value;
  }
  return text.replace(/\$(?:\$|\(([^)]*)\))/g, (found, name: string | undefined) => {
    if (found === "$$") return "$";
    const value = name === undefined ? undefined : values.get(name);
    return value === undefined || typeof value === "object" ? found : textOf(value);
  });
}
