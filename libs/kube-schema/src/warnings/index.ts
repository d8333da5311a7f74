import type { KubeObject, ResourceType } from "@tiphys/resources";
import { crdWarnings } from "../validation/crd.js";

type Warner = (object: KubeObject, old?: KubeObject) => string[];

const warners: Readonly<Record<string, Warner>> = {
  "apiextensions.k8s.io/CustomResourceDefinition": crdWarnings,
};

/** What the API server tells the writer of a valid object beside the answer. */
export const warningsOf = ({ group, kind }: ResourceType, object: KubeObject, old?: KubeObject): string[] =>
  warners[`${group}/${kind}`]?.(object, old) ?? [];
