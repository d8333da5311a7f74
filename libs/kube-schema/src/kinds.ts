import { clone } from "@tiphys/canonical-json";
import type { KubeObject, ResourceType } from "@tiphys/resources";
import { type Decoded, decode } from "./decode.js";
import { defaultersOf } from "./defaults/index.js";
import { definition } from "./definitions.js";
import type { FieldError } from "./field-error.js";
import { kindsJson } from "./generated/kinds.js";
import type { Schema } from "./schema.js";
import { printerOf, type Row, type TableColumn } from "./tables/index.js";
import { validateBuiltin } from "./validation/index.js";
import { warningsOf } from "./warnings/index.js";

export interface Subresource {
  readonly name: string;
  readonly kind: string;
  readonly verbs: readonly string[];
  /** Absent: the group and version of the resource. */
  readonly group?: string;
  readonly version?: string;
  /** Present when its objects are of another kind than the resource's. */
  readonly definition?: string;
}

/** A kind the API server has by itself: how it is served, filled in, checked and printed. */
export interface BuiltinKind extends ResourceType {
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly verbs: readonly string[];
  readonly subresources: readonly Subresource[];
  /** What discovery tells about the stored version. */
  readonly storageVersionHash?: string;
  /** Such as `io.k8s.api.apps.v1.Deployment`. */
  readonly definition: string;
  readonly schema: Schema;
  readonly hasStatus: boolean;
  /** metadata.generation counts changes of the spec. */
  readonly hasGeneration: boolean;
  readonly columns: readonly TableColumn[];
  decode(object: KubeObject): Decoded;
  /** A copy with every default filled in. */
  applyDefaults(object: KubeObject): KubeObject;
  /** What is wrong with a defaulted object, or with the change from `old`. */
  validate(object: KubeObject, old?: KubeObject, subresource?: string): FieldError[];
  /** What the writer of a valid object has to know. */
  warnings(object: KubeObject, old?: KubeObject): string[];
  /** Cells of the object's row in a Table. */
  row(object: KubeObject, now: Date): Row;
}

type Listed = Omit<ResourceType, never> &
  Pick<
    BuiltinKind,
    "singular" | "shortNames" | "categories" | "verbs" | "subresources" | "definition" | "storageVersionHash"
  >;

/** Kinds whose metadata.generation the API server keeps. */
const withGeneration = new Set([
  "Pod",
  "Deployment",
  "ReplicaSet",
  "StatefulSet",
  "DaemonSet",
  "ReplicationController",
  "Job",
  "CronJob",
  "Ingress",
  "IngressClass",
  "NetworkPolicy",
  "PodDisruptionBudget",
  "PriorityClass",
  "EndpointSlice",
  "CustomResourceDefinition",
  "PodTemplate",
  "ResourceSlice",
  "DeviceClass",
  "FlowSchema",
  "PriorityLevelConfiguration",
  "CSIDriver",
  "MutatingAdmissionPolicy",
  "MutatingAdmissionPolicyBinding",
  "MutatingWebhookConfiguration",
  "ValidatingAdmissionPolicy",
  "ValidatingAdmissionPolicyBinding",
  "ValidatingWebhookConfiguration",
]);

class Kind implements BuiltinKind {
  readonly group!: string;
  readonly version!: string;
  readonly resource!: string;
  readonly kind!: string;
  readonly namespaced!: boolean;
  readonly singular!: string;
  readonly shortNames!: readonly string[];
  readonly categories!: readonly string[];
  readonly verbs!: readonly string[];
  readonly subresources!: readonly Subresource[];
  readonly storageVersionHash?: string;
  readonly definition!: string;
  readonly hasStatus: boolean;
  readonly hasGeneration: boolean;

  constructor(listed: Listed) {
    Object.assign(this, listed);
    this.hasStatus = this.subresources.some(({ name }) => name === "status");
    this.hasGeneration = withGeneration.has(this.kind);
  }

  get schema(): Schema {
    return definition(this.definition);
  }

  get columns(): readonly TableColumn[] {
    return printerOf(this.group, this.kind).columns;
  }

  row(object: KubeObject, now: Date): Row {
    return printerOf(this.group, this.kind).row(object, now);
  }

  decode(object: KubeObject): Decoded {
    return decode(object, this.schema);
  }

  applyDefaults(object: KubeObject): KubeObject {
    const defaults = defaultersOf(this.group, this.version, this.kind);
    if (defaults === undefined) return object;
    const copy = clone(object);
    defaults(copy);
    return copy;
  }

  validate(object: KubeObject, old?: KubeObject, subresource?: string): FieldError[] {
    return validateBuiltin(this, object, old, subresource);
  }

  warnings(object: KubeObject, old?: KubeObject): string[] {
    return warningsOf(this, object, old);
  }
}

/** Every builtin kind we serve, in discovery's order. */
export const builtinKinds: readonly BuiltinKind[] = Object.freeze(
  (JSON.parse(kindsJson) as Listed[]).map((listed) => new Kind(listed)),
);

const index = new Map<string, BuiltinKind>();
for (const kind of builtinKinds) {
  index.set(`${kind.group}/${kind.version}/${kind.kind}`, kind);
  index.set(`${kind.group}/${kind.version}/${kind.resource}`, kind);
}

/** The builtin kind with this kind or plural resource name. */
export const builtinKind = (group: string, version: string, kindOrResource: string): BuiltinKind | undefined =>
  index.get(`${group}/${version}/${kindOrResource}`);
