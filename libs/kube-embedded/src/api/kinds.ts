import {
  type BuiltinKind,
  builtinKind,
  builtinKinds,
  type CompiledSchema,
  compilePrinterColumns,
  compileSchema,
  type FieldError,
  isDnsSubdomain,
  type Row,
  type Schema,
  type TableColumn,
  validateMetadata,
} from "@tiphys/kube-schema";
import type { KubeObject, ResourceType } from "@tiphys/resources";
import { type Conversion, conversionOf } from "./conversions.js";
import { fieldsOf } from "./fields.js";
import type { FieldOf } from "./selectors.js";

export interface ScalePaths {
  readonly replicas: readonly string[];
  readonly statusReplicas: readonly string[];
  readonly selector?: readonly string[];
}

/** A kind as it is served in one version, builtin or custom. */
export interface ServedKind extends ResourceType {
  readonly singular: string;
  readonly listKind: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly verbs: readonly string[];
  /** Collection of the store; the versions of a kind share it. */
  readonly collection: string;
  /** Present when the stored form has other fields than this version. */
  readonly conversion?: Conversion;
  readonly subresources: readonly {
    name: string;
    kind: string;
    group?: string;
    version?: string;
    verbs: readonly string[];
  }[];
  readonly schema: Schema;
  readonly hasStatus: boolean;
  readonly scale?: ScalePaths;
  readonly fields: FieldOf;
  readonly columns: readonly TableColumn[];
  readonly row: (object: KubeObject, now: Date) => Row | readonly unknown[];
  /** Present when the kind is builtin. */
  readonly builtin?: BuiltinKind;
  /** Present when the kind is custom. */
  readonly crd?: KubeObject;
  /** Reads plain data as this kind: unknown fields are dropped and named. */
  decode(object: KubeObject): {
    readonly object: KubeObject;
    readonly unknown: readonly string[];
    readonly error?: string;
    readonly problem?: string;
  };
  applyDefaults(object: KubeObject): KubeObject;
  /** What is wrong; what is only to be told goes to `warn`. */
  validate(
    object: KubeObject,
    old?: KubeObject,
    subresource?: string,
    warn?: (message: string) => void,
  ): readonly FieldError[];
}

export const collectionOf = ({ group, resource }: Pick<ResourceType, "group" | "resource">): string =>
  `${group}/${resource}`;

/** Kinds that are another view of objects kept elsewhere. */
const collections: Readonly<Record<string, string>> = { "events.k8s.io/events": "/events" };

const SCALE: ScalePaths = {
  replicas: ["spec", "replicas"],
  statusReplicas: ["status", "replicas"],
  selector: ["spec", "selector"],
};

function served(kind: BuiltinKind): ServedKind {
  const conversion = conversionOf(kind);
  return {
    group: kind.group,
    version: kind.version,
    resource: kind.resource,
    kind: kind.kind,
    namespaced: kind.namespaced,
    singular: kind.singular,
    listKind: `${kind.kind}List`,
    shortNames: kind.shortNames,
    categories: kind.categories,
    verbs: kind.verbs,
    collection: collections[collectionOf(kind)] ?? collectionOf(kind),
    ...(conversion ? { conversion } : {}),
    subresources: kind.subresources,
    get schema() {
      return kind.schema;
    },
    hasStatus: kind.hasStatus,
    ...(kind.subresources.some(({ name }) => name === "scale") ? { scale: SCALE } : {}),
    fields: fieldsOf(kind),
    get columns() {
      return kind.columns;
    },
    // Rows are made from the form that has everything.
    row: (object, now) => kind.row(conversion ? conversion.toStored(object) : object, now),
    builtin: kind,
    decode: (object) => kind.decode(object),
    applyDefaults: (object) => kind.applyDefaults(object),
    validate(object, old, subresource, warn) {
      const errors = kind.validate(object, old, subresource);
      if (errors.length === 0 && warn !== undefined && !subresource) {
        for (const warning of kind.warnings(object, old)) warn(warning);
      }
      return errors;
    },
  };
}

const builtins: readonly ServedKind[] = builtinKinds.map(served);

const CUSTOM_VERBS = ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];
const SUBRESOURCE_VERBS = ["get", "patch", "update"];
const steps = (path: string | undefined) => path?.split(".").filter(Boolean);

const compiled = new WeakMap<object, CompiledSchema>();
/** Compiled on first use: twenty large definitions must not delay the start. */
// biome-ignore lint/suspicious/noExplicitAny: the version has been validated as apiextensions v1
function schemaOf(version: any): CompiledSchema {
  let known = compiled.get(version);
  if (known === undefined) {
    const nothing = { type: "object", "x-kubernetes-preserve-unknown-fields": true };
    known = compileSchema(version.schema?.openAPIV3Schema ?? nothing);
    compiled.set(version, known);
  }
  return known;
}

/**
 * Versions differ in their name; what is stored has the defaults of the version it is stored in, and what is shown has no members
 * that the version it is shown in does not know. Where webhooks ought to convert nothing is taken away.
 */
function customConversion({ spec }: KubeObject, version: object): Conversion | undefined {
  const stored = spec.versions.find(({ storage }: { storage?: boolean }) => storage);
  if (stored === undefined || spec.conversion?.strategy === "Webhook") return undefined;
  return {
    toStored: (object) => ({
      ...schemaOf(stored).applyDefaults(object),
      apiVersion: `${spec.group}/${stored.name}`,
    }),
    fromStored: (object) => schemaOf(version).prune(object).value,
  };
}

/** What a CustomResourceDefinition serves in one of its versions. */
// biome-ignore lint/suspicious/noExplicitAny: the version has been validated as apiextensions v1
export function servedCustom(crd: KubeObject, version: any): ServedKind {
  const { group, names, scope } = crd["spec"];
  const schema = () => schemaOf(version);
  const conversion = customConversion(crd, version);
  let printer: ReturnType<typeof compilePrinterColumns> | undefined;
  const table = () => {
    printer ??= compilePrinterColumns(version.additionalPrinterColumns);
    return printer;
  };
  const hasStatus = version.subresources?.status !== undefined;
  const scale = version.subresources?.scale;
  const type = {
    group,
    version: version.name,
    resource: names.plural,
    kind: names.kind,
    namespaced: scope === "Namespaced",
  };
  return {
    ...type,
    singular: names.singular ?? names.kind.toLowerCase(),
    listKind: names.listKind ?? `${names.kind}List`,
    shortNames: names.shortNames ?? [],
    categories: names.categories ?? [],
    verbs: CUSTOM_VERBS,
    collection: collectionOf(type),
    subresources: [
      ...(hasStatus ? [{ name: "status", kind: names.kind, verbs: SUBRESOURCE_VERBS }] : []),
      ...(scale
        ? [{ name: "scale", kind: "Scale", group: "autoscaling", version: "v1", verbs: SUBRESOURCE_VERBS }]
        : []),
    ],
    get schema() {
      return schema().schema;
    },
    hasStatus,
    ...(scale
      ? {
          scale: {
            replicas: steps(scale.specReplicasPath) ?? [],
            statusReplicas: steps(scale.statusReplicasPath) ?? [],
            ...(scale.labelSelectorPath ? { selector: steps(scale.labelSelectorPath) ?? [] } : {}),
          },
        }
      : {}),
    fields: fieldsOf(
      type,
      (version.selectableFields ?? []).map(({ jsonPath }: { jsonPath: string }) => jsonPath),
    ),
    get columns() {
      return table().columns;
    },
    row: (object, now) => table().row(object, now),
    crd,
    ...(conversion ? { conversion } : {}),
    decode(object) {
      const { metadata, unknown: inMetadata, problem } = decodeMetadata(object);
      const named = `${type.kind} in version ${JSON.stringify(type.version)} cannot be handled as a ${type.kind}`;
      const { value, unknown } = schema().prune({ ...object, metadata });
      return {
        object: value,
        unknown: [...inMetadata, ...[...unknown].sort()],
        ...(problem === undefined ? {} : { error: `${named}: ${problem}` }),
      };
    },
    applyDefaults: (object) => schema().applyDefaults(object),
    validate(object, old, subresource, warn) {
      const rules = { namespaced: type.namespaced, nameRule: isDnsSubdomain, again: "u" };
      const inMetadata = validateMetadata(object, rules, old);
      const found = schema().validate(object, old, subresource === "status", inMetadata);
      for (const warning of [...finalizerWarnings(object, old), ...found.warnings]) warn?.(warning);
      return [...inMetadata, ...found.errors];
    },
  };
}

const standardFinalizers = new Set(["kubernetes", "orphan", "foregroundDeletion"]);

/** New finalizers that another writer may mean otherwise. */
const finalizerWarnings = ({ metadata }: KubeObject, old?: KubeObject): string[] =>
  (metadata.finalizers ?? [])
    .filter((name) => !name.includes("/") && !standardFinalizers.has(name) && !old?.metadata.finalizers?.includes(name))
    .map((name) => {
      const how = name.includes(".") ? " including a path (/)" : "";
      return `metadata.finalizers: ${JSON.stringify(name)}: prefer a domain-qualified finalizer name${how} to avoid accidental conflicts with other finalizer writers`;
    });

/** Metadata is read alike for every kind; a ConfigMap is only the bearer. */
function decodeMetadata(object: KubeObject) {
  const bearer = builtinKind("", "v1", "ConfigMap");
  const decoded = bearer?.decode({ apiVersion: "v1", kind: "ConfigMap", metadata: object.metadata });
  return {
    metadata: decoded?.object.metadata ?? object.metadata,
    unknown: decoded?.unknown ?? [],
    problem: decoded?.problem?.replace("ObjectMeta.metadata.", "ObjectMeta."),
  };
}

/** Every kind that is served now, found by group, version and plural name. */
export class Kinds {
  private readonly byPath = new Map<string, ServedKind>();
  private readonly custom = new Map<string, readonly ServedKind[]>();
  /** Grows with every change, for caches of discovery and OpenAPI documents. */
  generation = 0;

  constructor() {
    for (const kind of builtins) this.byPath.set(pathOf(kind), kind);
  }

  find(group: string, version: string, resource: string): ServedKind | undefined {
    return this.byPath.get(`${group}/${version}/${resource}`);
  }

  byKind(group: string, version: string, kind: string): ServedKind | undefined {
    for (const served of this.byPath.values()) {
      if (served.group === group && served.version === version && served.kind === kind) return served;
    }
    return undefined;
  }

  /** Any version of the kinds that live in a collection. */
  ofCollection(collection: string): ServedKind | undefined {
    for (const served of this.byPath.values()) if (served.collection === collection) return served;
    return undefined;
  }

  all(): readonly ServedKind[] {
    return [...this.byPath.values()];
  }

  hasGroupVersion(group: string, version: string): boolean {
    for (const served of this.byPath.values()) if (served.group === group && served.version === version) return true;
    return false;
  }

  hasGroup(group: string): boolean {
    for (const served of this.byPath.values()) if (served.group === group) return true;
    return false;
  }

  /** Serves what the definition says, instead of what its older form said. */
  setCustom(crd: KubeObject): void {
    this.removeCustom(crd.metadata.name);
    const accepted = crd["status"]?.conditions?.some(
      (condition: { type: string; status: string }) => condition.type === "Established" && condition.status === "True",
    );
    if (!accepted) return;
    const versions = crd["spec"].versions as { name: string; served: boolean }[];
    const kinds = versions.filter(({ served }) => served).map((version) => servedCustom(crd, version));
    this.custom.set(crd.metadata.name, kinds);
    for (const kind of kinds) this.byPath.set(pathOf(kind), kind);
    this.generation++;
  }

  removeCustom(name: string): void {
    for (const kind of this.custom.get(name) ?? []) this.byPath.delete(pathOf(kind));
    if (this.custom.delete(name)) this.generation++;
  }
}

const pathOf = ({ group, version, resource }: ResourceType) => `${group}/${version}/${resource}`;
