import { type Data, get, has, isMap, isScalar, put, splitPath, textOf } from "./data.js";
import { fail, within } from "./errors.js";
import { type Gvk, groupVersion, kindSelected } from "./ids.js";

/** A field of a kind (of all kinds, where none is said) that a transformer works on. */
export interface FieldSpec extends Gvk {
  /** Names parted by `/`; `[]` after a name says that it is a list. */
  readonly path: string;
  readonly create?: boolean;
}

/** Which fields hold the names of which kinds. */
export interface NameReference extends Gvk {
  readonly fieldSpecs: readonly FieldSpec[];
}

export interface FieldConfig {
  readonly namePrefix: readonly FieldSpec[];
  readonly nameSuffix: readonly FieldSpec[];
  readonly namespace: readonly FieldSpec[];
  readonly commonLabels: readonly FieldSpec[];
  readonly labels: readonly FieldSpec[];
  readonly templateLabels: readonly FieldSpec[];
  readonly commonAnnotations: readonly FieldSpec[];
  readonly nameReference: readonly NameReference[];
  readonly varReference: readonly FieldSpec[];
  readonly images: readonly FieldSpec[];
  readonly replicas: readonly FieldSpec[];
}

/** Adds specs to others; equal ones are one. */
export function mergeSpecs(specs: readonly FieldSpec[], more: readonly FieldSpec[]): FieldSpec[] {
  const result = [...specs];
  for (const spec of more) {
    const same = result.find(
      (other) =>
        other.path === spec.path &&
        kindSelected({ group: other.group ?? "", version: other.version ?? "", kind: other.kind ?? "" }, spec),
    );
    if (!same) result.push(spec);
    else if ((same.create ?? false) !== (spec.create ?? false)) fail(`conflicting fieldspecs: ${spec.path}`);
  }
  return result;
}

export function mergeConfigs(config: FieldConfig, more: Partial<FieldConfig>): FieldConfig {
  const result: Record<string, unknown> = { ...config };
  for (const [name, specs] of Object.entries(more)) {
    if (name === "nameReference") continue;
    result[name] = mergeSpecs(config[name as "images"], specs as FieldSpec[]);
  }
  const references = [...config.nameReference];
  for (const reference of more.nameReference ?? []) {
    const known = references.findIndex(
      ({ group, version, kind }) =>
        (group ?? "") === (reference.group ?? "") &&
        (version ?? "") === (reference.version ?? "") &&
        kind === reference.kind,
    );
    const old = references[known];
    if (!old) references.push(reference);
    else references[known] = { ...old, fieldSpecs: mergeSpecs(old.fieldSpecs, reference.fieldSpecs ?? []) };
  }
  return { ...(result as unknown as FieldConfig), nameReference: references };
}

/** A place in an object: reading and writing it. */
export interface Spot {
  readonly value: unknown;
  set(value: unknown): void;
}

/** What is made where a field is not there. */
export type Creates = "scalar" | "map" | undefined;

/** Calls `visit` for every place of an object that a spec means, making it where the spec and `creates` say so. */
export function visitField(object: Data, spec: FieldSpec, creates: Creates, visit: (spot: Spot) => void): void {
  const { group, version } = groupVersion(textOf(object["apiVersion"]));
  if (!kindSelected({ group, version, kind: textOf(object["kind"]) }, spec)) return;
  const path = splitPath(spec.path, "/");
  within(
    `considering field '${spec.path}' of ${textOf(object["kind"])} ${textOf(get(object["metadata"], "name"))}`,
    () => walk({ value: object, set: () => {} }, path, spec.create ? creates : undefined, visit),
  );
}

function walk(spot: Spot, path: readonly string[], creates: Creates, visit: (spot: Spot) => void): void {
  const { value } = spot;
  const [first] = path;
  if (first === undefined) {
    visit(spot);
    return;
  }
  if (value === null || value === undefined) return;
  if (Array.isArray(value)) {
    for (let at = 0; at < value.length; at++) {
      walk({ value: value[at], set: (given) => (value[at] = given) }, path, creates, visit);
    }
    return;
  }
  if (!isMap(value)) fail("expected sequence or mapping node");
  const isList = first.endsWith("[]");
  const name = isList ? first.slice(0, -2) : first;
  if (name === "") fail("cannot set or create an empty field name");
  if (name === "*") fail("a field path cannot have a wildcard");
  const making = isList ? undefined : creates;
  if (making && (value[name] === null || get(value, name) === undefined)) {
    put(value, name, path.length > 1 || making === "map" ? {} : "");
  } else if (!has(value, name)) return;
  walk({ value: value[name], set: (given) => put(value, name, given) }, path.slice(1), creates, visit);
}

export function scalarAt(spot: Spot): string {
  return isScalar(spot.value) ? textOf(spot.value) : fail("expected a scalar");
}
