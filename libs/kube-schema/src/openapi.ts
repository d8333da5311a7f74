import type { KubeObject, ResourceType } from "@tiphys/resources";
import { type Compact, type CompactNode, compactDefinitions } from "./definitions.js";
import type { BuiltinKind } from "./kinds.js";

/** A custom kind in one of its versions. */
export interface ServedCrd {
  readonly crd: KubeObject;
  readonly version: string;
}

type Json = Record<string, unknown>;

const prefixes = { v3: "#/components/schemas/", v2: "#/definitions/" } as const;
type Flavour = keyof typeof prefixes;

const leaves: Readonly<Record<string, Json>> = {
  s: { type: "string" },
  b: { type: "boolean" },
  n: { type: "number", format: "double" },
  i: { type: "integer", format: "int32" },
  l: { type: "integer", format: "int64" },
  y: { type: "string", format: "byte" },
  t: { type: "string", format: "date-time" },
  m: { type: "string", format: "date-time" },
  o: { type: "object" },
  r: { type: "object" },
  f: { type: "object" },
};
const special: Readonly<Record<Flavour, Readonly<Record<string, Json>>>> = {
  v3: {
    q: { oneOf: [{ type: "string" }, { type: "number" }] },
    x: { format: "int-or-string", oneOf: [{ type: "integer" }, { type: "string" }] },
    "*": { type: "object", "x-kubernetes-preserve-unknown-fields": true },
  },
  v2: { q: { type: "string" }, x: { type: "string", format: "int-or-string" }, "*": { type: "object" } },
};
/** Leaves that have a name of their own, by which people are told of them. */
const namedLeaves: Readonly<Record<string, string>> = {
  q: "io.k8s.apimachinery.pkg.api.resource.Quantity",
  x: "io.k8s.apimachinery.pkg.util.intstr.IntOrString",
  t: "io.k8s.apimachinery.pkg.apis.meta.v1.Time",
  m: "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime",
  f: "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1",
  r: "io.k8s.apimachinery.pkg.runtime.RawExtension",
};
const listTypes = { a: "atomic", s: "set", m: "map" } as const;
const mapTypes = { a: "atomic", g: "granular" } as const;

/** Writes definitions in OpenAPI's own words, and remembers which others they need. */
class Writer {
  readonly schemas: Json = {};
  constructor(private readonly flavour: Flavour) {}

  add(name: string): void {
    if (this.schemas[name] !== undefined) return;
    const compact = compactDefinitions()[name];
    if (compact === undefined) return;
    this.schemas[name] = {};
    this.schemas[name] = this.node(compact);
  }

  ref(name: string): Json {
    this.add(name);
    return { $ref: prefixes[this.flavour] + name };
  }

  private leaf(type: string): Json {
    const shape = { ...(leaves[type] ?? special[this.flavour][type]) };
    const name = namedLeaves[type];
    if (name === undefined) return shape;
    this.schemas[name] ??= shape;
    return { $ref: prefixes[this.flavour] + name };
  }

  private node(compact: Compact): Json {
    if (typeof compact === "string") return compact[0] === "#" ? this.use(compact.slice(1), {}) : this.leaf(compact);
    let out: Json = compact.r === undefined ? this.shape(compact) : this.use(compact.r, compact);
    // In version 3 a reference may have no siblings, so it goes into allOf.
    if (this.flavour === "v3" && out["$ref"]) out = { allOf: [out] };
    if (compact.q) out["required"] = compact.q;
    if (compact.e) out["enum"] = compact.e;
    if (compact.d !== undefined) out["default"] = compact.d;
    if (compact.lt) out["x-kubernetes-list-type"] = listTypes[compact.lt];
    if (compact.lk) out["x-kubernetes-list-map-keys"] = compact.lk;
    if (compact.mt) out["x-kubernetes-map-type"] = mapTypes[compact.mt];
    if (compact.ps) out["x-kubernetes-patch-strategy"] = compact.ps;
    if (compact.pk) out["x-kubernetes-patch-merge-key"] = compact.pk;
    return out;
  }

  private use(name: string, { d }: CompactNode): Json {
    const ref = this.ref(name);
    return this.flavour === "v2" ? ref : d === undefined ? { allOf: [ref] } : { default: d, allOf: [ref] };
  }

  private shape({ t, p, i, a }: CompactNode): Json {
    if (p !== undefined) {
      const properties = Object.fromEntries(Object.entries(p).map(([name, property]) => [name, this.node(property)]));
      return { type: "object", properties };
    }
    if (i !== undefined) return { type: "array", items: this.node(i) };
    if (a !== undefined) return { type: "object", additionalProperties: this.node(a) };
    return this.leaf(t ?? "*");
  }
}

const groupVersionKind = ({ group, version, kind }: Pick<ResourceType, "group" | "version" | "kind">) => ({
  group,
  kind,
  version,
});

const objectMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

function addBuiltin(writer: Writer, kind: BuiltinKind): string {
  writer.add(kind.definition);
  writer.schemas[kind.definition] = {
    ...(writer.schemas[kind.definition] as Json),
    "x-kubernetes-group-version-kind": [groupVersionKind(kind)],
  };
  return kind.definition;
}

function typeOf({ crd, version }: ServedCrd): ResourceType {
  const { group, names, scope } = crd["spec"];
  return { group, version, resource: names.plural, kind: names.kind, namespaced: scope === "Namespaced" };
}

function addCrd(writer: Writer, served: ServedCrd): string {
  const type = typeOf(served);
  const name = [...type.group.split(".").reverse(), type.version, type.kind].join(".");
  const version = served.crd["spec"].versions.find((one: { name: string }) => one.name === served.version);
  const schema: Json = version?.schema?.openAPIV3Schema ?? {
    type: "object",
    "x-kubernetes-preserve-unknown-fields": true,
  };
  writer.schemas[name] = {
    ...schema,
    properties: {
      ...(schema["properties"] as Json | undefined),
      apiVersion: { type: "string" },
      kind: { type: "string" },
      metadata: { allOf: [writer.ref(objectMeta)] },
    },
    "x-kubernetes-group-version-kind": [groupVersionKind(type)],
  };
  return name;
}

const query = (name: string, type = "string") => ({ name, in: "query", schema: { type, uniqueItems: true } });
const writeParameters = [query("dryRun"), query("fieldManager"), query("fieldValidation")];
const patchTypes = ["json-patch+json", "merge-patch+json", "apply-patch+yaml"];

/** The paths of one kind: what clients look up to find a kind, and which parameters it takes. */
function paths(type: ResourceType, schema: string, isBuiltin: boolean): Json {
  const root = type.group === "" ? `/api/${type.version}` : `/apis/${type.group}/${type.version}`;
  const scope = type.namespaced ? "/namespaces/{namespace}" : "";
  const gvk = { "x-kubernetes-group-version-kind": groupVersionKind(type) };
  const body = { "application/json": { schema: { $ref: prefixes.v3 + schema } } };
  const answer = { responses: { "200": { description: "OK", content: body } } };
  const types = isBuiltin ? [...patchTypes, "strategic-merge-patch+json"] : patchTypes;
  const patch = {
    content: Object.fromEntries(types.map((one) => [`application/${one}`, { schema: { type: "object" } }])),
  };
  const collection = `${root}${scope}/${type.resource}`;
  const inPath = (name: string) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string", uniqueItems: true },
  });
  const place = type.namespaced ? [inPath("namespace")] : [];
  return {
    ...(type.namespaced
      ? { [`${root}/${type.resource}`]: { get: { ...answer, "x-kubernetes-action": "list", ...gvk } } }
      : {}),
    [collection]: {
      get: { ...answer, "x-kubernetes-action": "list", ...gvk },
      post: {
        parameters: writeParameters,
        requestBody: { content: body },
        ...answer,
        "x-kubernetes-action": "post",
        ...gvk,
      },
      parameters: place,
    },
    [`${collection}/{name}`]: {
      get: { ...answer, "x-kubernetes-action": "get", ...gvk },
      put: {
        parameters: writeParameters,
        requestBody: { content: body },
        ...answer,
        "x-kubernetes-action": "put",
        ...gvk,
      },
      patch: {
        parameters: [...writeParameters, query("force", "boolean")],
        requestBody: patch,
        ...answer,
        "x-kubernetes-action": "patch",
        ...gvk,
      },
      delete: { parameters: [query("dryRun")], ...answer, "x-kubernetes-action": "delete", ...gvk },
      parameters: [inPath("name"), ...place],
    },
  };
}

const info = { title: "Kubernetes", version: "v1.36.0" };

/** The OpenAPI v3 document of one group and version: `/openapi/v3/apis/<group>/<version>`. Without descriptions. */
export function openApiV3Document(
  group: string,
  version: string,
  kinds: readonly BuiltinKind[],
  crds: readonly ServedCrd[],
): object {
  const writer = new Writer("v3");
  const all: Json = {};
  for (const kind of kinds) {
    if (kind.group !== group || kind.version !== version) continue;
    Object.assign(all, paths(kind, addBuiltin(writer, kind), true));
  }
  for (const served of crds) {
    const type = typeOf(served);
    if (type.group !== group || type.version !== version) continue;
    Object.assign(all, paths(type, addCrd(writer, served), false));
  }
  return { openapi: "3.0.0", info, paths: all, components: { schemas: writer.schemas } };
}

/** The OpenAPI v2 document of everything, for clients that do not read version 3: definitions alone. */
export function openApiV2Document(kinds: readonly BuiltinKind[], crds: readonly ServedCrd[]): object {
  const writer = new Writer("v2");
  for (const kind of kinds) addBuiltin(writer, kind);
  for (const served of crds) addCrd(writer, served);
  return { swagger: "2.0", info, paths: {}, definitions: writer.schemas };
}
