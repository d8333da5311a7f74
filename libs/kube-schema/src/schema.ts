/**
 * One node of a structural schema: what builtin kinds and custom resources share. Nodes are immutable and shared by
 * reference; members of builtin kinds resolve on first use.
 */
export interface Schema {
  /** Absent: any value. */
  readonly type?: "object" | "array" | "string" | "integer" | "number" | "boolean";
  readonly format?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  /** Schema of the values of a map. */
  readonly additional?: Schema;
  readonly required?: readonly string[];
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly nullable?: boolean;
  /** x-kubernetes-int-or-string */
  readonly intOrString?: boolean;
  /** A resource quantity: text or number. */
  readonly quantity?: boolean;
  /** x-kubernetes-preserve-unknown-fields */
  readonly preserve?: boolean;
  /** x-kubernetes-embedded-resource */
  readonly embedded?: boolean;
  readonly listType?: "atomic" | "set" | "map";
  readonly listKeys?: readonly string[];
  readonly mapType?: "granular" | "atomic";
  /** `merge`, `replace`, `retainKeys` or `merge,retainKeys`. */
  readonly patchStrategy?: string;
  readonly patchMergeKey?: string;
  /** Roots of builtin kinds: the object with no field set, as the API server's typed form has it. */
  readonly zero?: Readonly<Record<string, unknown>>;
  /** Roots of builtin kinds: the definition's name, such as `io.k8s.api.core.v1.Pod`. */
  readonly definition?: string;
  /** Structs of builtin kinds: members that are written although they are zero. */
  readonly zeroShown?: readonly string[];
  /** Structs of builtin kinds: scalar members whose zero is kept when it was given; that of others is left out. */
  readonly zeroKept?: readonly string[];
  /** Structs of builtin kinds: members that are null when nobody set them. */
  readonly nullShown?: readonly string[];
  /** Limits that only custom resources have. */
  readonly rules?: ValueRules;
  /** x-kubernetes-validations */
  readonly validations?: readonly ValidationRule[];
}

/** One rule of `x-kubernetes-validations`. */
export interface ValidationRule {
  readonly rule: string;
  readonly message?: string;
  readonly messageExpression?: string;
  readonly reason?: string;
  readonly fieldPath?: string;
  readonly optionalOldSelf?: boolean;
}

/** The value validations of OpenAPI v3 that a custom resource may use. */
export interface ValueRules {
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly matches?: (text: string) => boolean;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: boolean;
  readonly exclusiveMaximum?: boolean;
  readonly multipleOf?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly uniqueItems?: boolean;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly allOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly not?: Schema;
}

/** The schema of the value at one more step down: a member of an object or map. */
export const memberSchema = (schema: Schema | undefined, key: string): Schema | undefined =>
  (schema?.properties && Object.hasOwn(schema.properties, key) ? schema.properties[key] : undefined) ??
  schema?.additional;
