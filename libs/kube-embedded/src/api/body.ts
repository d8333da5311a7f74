import { builtinKind } from "@tiphys/kube-schema";
import { limits } from "@tiphys/limits";
import { groupVersionOf, type KubeObject } from "@tiphys/resources";
import type { ServedKind } from "./kinds.js";
import type { WriteContext } from "./parts.js";
import { badRequest, fieldError, invalid } from "./status.js";

/** Plain data as JSON would carry it, in fresh objects; deeper than the limit is refused. */
export function plain<T>(value: T, depth = 0): T {
  if (value === null || typeof value !== "object") {
    if (typeof value === "number" && !Number.isFinite(value)) return null as T;
    return value;
  }
  if (depth > limits.documentDepth) throw badRequest(`the body is nested deeper than ${limits.documentDepth} levels`);
  if (Array.isArray(value)) return value.map((item) => plain(item === undefined ? null : item, depth + 1)) as T;
  if (typeof (value as { toJSON?: unknown }).toJSON === "function") {
    return plain((value as unknown as { toJSON(): T }).toJSON(), depth + 1);
  }
  const out: Record<string, unknown> = {};
  for (const key in value) {
    const member = value[key];
    if (member === undefined || typeof member === "function") continue;
    if (key === "__proto__") continue;
    out[key] = plain(member, depth + 1);
  }
  return out as T;
}

type Identity = Pick<ServedKind, "group" | "version" | "kind" | "crd">;

export const apiVersionOfKind = (kind: Pick<ServedKind, "group" | "version">): string =>
  kind.group ? `${kind.group}/${kind.version}` : kind.version;

/** Reads a body as `kind`; unknown fields are dropped, warned about or refused, as the request asks. */
export function decodeBody(kind: ServedKind, body: unknown, context: WriteContext): KubeObject {
  const object = identified(kind, body);
  const { object: decoded, unknown, error } = kind.decode(object);
  if (error !== undefined) throw badRequest(error);
  strictness(unknown, context, (message) =>
    badRequest(`${kind.kind} in version "${kind.version}" cannot be handled as a ${kind.kind}: ${message}`),
  );
  return decoded;
}

/** Refuses or reports what a body has too much. */
export function strictness(
  unknown: readonly string[],
  context: WriteContext,
  refuse: (message: string) => Error,
  others: readonly string[] = [],
): void {
  if (context.fieldValidation === "Ignore") return;
  const problems = [
    ...others,
    ...(context.duplicates ?? []).map((field) => `duplicate field "${field}"`),
    ...unknown.map((field) => `unknown field "${field}"`),
  ];
  if (problems.length === 0) return;
  if (context.fieldValidation === "Strict") throw refuse(`strict decoding error: ${problems.join(", ")}`);
  for (const problem of problems) context.warn(problem);
}

/** The body as an object of this kind; absent apiVersion and kind are taken from the request. */
export function identified(kind: Identity, body: unknown): KubeObject {
  if (body === null || typeof body !== "object" || Array.isArray(body)) {
    const what = Array.isArray(body) ? "array" : typeof body;
    throw badRequest(
      `couldn't get version/kind; json parse error: json: cannot unmarshal ${what} into Go value of type struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }`,
    );
  }
  const apiVersion = apiVersionOfKind(kind);
  const given = body as Partial<KubeObject>;
  checkType(kind, given.apiVersion || apiVersion, given.kind || kind.kind, body);
  let metadata = given.metadata ?? {};
  // An empty list drops all managers, as one empty entry does; the decoder would not see it.
  const { managedFields } = metadata as { managedFields?: unknown };
  if (Array.isArray(managedFields) && managedFields.length === 0) {
    metadata = { ...metadata, managedFields: [{}] } as unknown as KubeObject["metadata"];
  }
  if (typeof metadata !== "object" || Array.isArray(metadata)) {
    throw badRequest(
      `${kind.kind} in version "${kind.version}" cannot be handled as a ${kind.kind}: json: cannot unmarshal ${Array.isArray(metadata) ? "array" : typeof metadata} into Go struct field ${kind.kind}.metadata of type v1.ObjectMeta`,
    );
  }
  // In the order that objects are shown in; lists rely on it to leave the type out.
  return Object.assign({ kind: kind.kind, apiVersion, metadata }, given, { kind: kind.kind, apiVersion, metadata });
}

/** Whether an object that says it is of this type can be read as `expected`. A body of another kind is read as that first. */
export function checkType(expected: Identity, apiVersion: string, kind: string, body?: object): void {
  const wanted = apiVersionOfKind(expected);
  if (kind === expected.kind && apiVersion === wanted) return;
  if (expected.crd) {
    if (kind !== expected.kind) {
      const name = (body as Partial<KubeObject> | undefined)?.metadata?.name ?? "";
      throw invalid({ group: expected.group, kind }, name, [
        fieldError("kind", "FieldValueInvalid", `Invalid value: ${JSON.stringify(kind)}: must be ${expected.kind}`),
      ]);
    }
    throw badRequest(`the API version in the data (${apiVersion}) does not match the expected API version (${wanted})`);
  }
  const { group, version } = groupVersionOf(apiVersion);
  const cannot = (why: string) =>
    badRequest(`${kind} in version "${versionOf(apiVersion)}" cannot be handled as a ${expected.kind}: ${why}`);
  const known = builtinKind(group, version, kind);
  if (!known || known.kind !== kind) {
    throw cannot(
      `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)} in scheme "pkg/runtime/scheme.go:111"`,
    );
  }
  if (kind === expected.kind) {
    throw badRequest(`the API version in the data (${apiVersion}) does not match the expected API version (${wanted})`);
  }
  const { error } = body ? known.decode({ metadata: {}, ...body, apiVersion, kind } as KubeObject) : {};
  if (error !== undefined) throw cannot(error.replace(/^.* cannot be handled as a \S+: /, ""));
  throw cannot(
    `converting (${versionOf(apiVersion)}.${kind}) to (${expected.group.split(".")[0] || "core"}.${expected.kind}): unknown conversion`,
  );
}

const versionOf = (apiVersion: unknown): string =>
  String(apiVersion ?? "")
    .split("/")
    .at(-1) ?? "";
