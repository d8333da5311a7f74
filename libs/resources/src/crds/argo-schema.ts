import type { KubeObject } from "../object.js";

/** A structural OpenAPI v3 schema. */
export type Schema = Record<string, unknown>;

export const text: Schema = { type: "string" };
export const flag: Schema = { type: "boolean" };
export const time: Schema = { type: "string", format: "date-time" };
export const int32: Schema = { type: "integer", format: "int32" };
export const int64: Schema = { type: "integer", format: "int64" };
export const intOrString: Schema = {
  anyOf: [{ type: "integer" }, { type: "string" }],
  "x-kubernetes-int-or-string": true,
};
/** Any object, kept as it is. */
export const anyObject: Schema = { type: "object", "x-kubernetes-preserve-unknown-fields": true };
/** Any JSON value, kept as it is. */
export const anyValue: Schema = { "x-kubernetes-preserve-unknown-fields": true };
export const texts: Schema = { type: "object", additionalProperties: text };

export const list = (items: Schema): Schema => ({ type: "array", items });

export const object = (properties: Record<string, Schema>, required: readonly string[] = []): Schema => ({
  type: "object",
  properties,
  ...(required.length > 0 ? { required: [...required] } : {}),
});

export interface CrdParts {
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly scope?: "Namespaced" | "Cluster";
  readonly subresources?: Record<string, unknown>;
  readonly columns?: readonly Record<string, unknown>[];
  readonly properties: Record<string, Schema>;
  readonly required?: readonly string[];
  /** True for kinds that no controller acts on yet: every writer is told so by the API server. */
  readonly notActedOn?: boolean;
}

export const ageColumn = {
  description: "Time since creation",
  jsonPath: ".metadata.creationTimestamp",
  name: "Age",
  type: "date",
};

/** A CustomResourceDefinition of argoproj.io/v1alpha1. */
export const crd = (parts: CrdParts): KubeObject => ({
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: `${parts.plural}.argoproj.io` },
  spec: {
    group: "argoproj.io",
    names: {
      kind: parts.kind,
      listKind: `${parts.kind}List`,
      plural: parts.plural,
      singular: parts.singular,
      shortNames: [...parts.shortNames],
    },
    scope: parts.scope ?? "Namespaced",
    versions: [
      {
        name: "v1alpha1",
        served: true,
        storage: true,
        ...(parts.notActedOn
          ? {
              deprecated: true,
              deprecationWarning: `argoproj.io/v1alpha1 ${parts.kind} is not implemented yet: nothing acts on it, see docs/compatibility.md`,
            }
          : {}),
        ...(parts.columns ? { additionalPrinterColumns: [...parts.columns] } : {}),
        schema: {
          openAPIV3Schema: object(
            { apiVersion: text, kind: text, metadata: { type: "object" }, ...parts.properties },
            parts.required ?? [],
          ),
        },
        ...(parts.subresources ? { subresources: parts.subresources } : {}),
      },
    ],
  },
});
