import type { ListSchema } from "@tiphys/diff";
import { builtinKind } from "@tiphys/kube-schema";
import { groupVersionOf, type KubeObject } from "@tiphys/resources";
import type { SchemaSource } from "./compare.js";

/** Schemas of Kubernetes' own kinds; custom resources are compared without one, list element by list element. */
export const builtinSchemas: SchemaSource = (object: KubeObject) => {
  const { group, version } = groupVersionOf(object.apiVersion);
  const kind = builtinKind(group, version, object.kind);
  return kind ? { schema: kind.schema as ListSchema, builtin: true } : { builtin: false };
};
