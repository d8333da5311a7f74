import type { Principal } from "@tiphys/identity";
import { nodeNameOf, nodeWriteProblem } from "@tiphys/kube-access";
import type { KubeObject } from "@tiphys/resources";
import type { ServedKind } from "../api/kinds.js";
import { forbidden } from "../api/status.js";

/** Limits the writes of a kubelet to its own node and the pods on it; others are not asked. */
export function restrictNode(
  user: Principal,
  operation: "create" | "update" | "delete",
  kind: ServedKind,
  name: string,
  objects: { readonly object?: KubeObject; readonly old?: KubeObject; readonly subresource?: string | undefined },
): void {
  const node = nodeNameOf(user);
  if (node === undefined || !kind.builtin) return;
  const { subresource, object, old } = objects;
  const problem = nodeWriteProblem(node, {
    operation,
    collection: kind.collection,
    name,
    ...(subresource ? { subresource } : {}),
    ...(object ? { object } : {}),
    ...(old ? { old } : {}),
  });
  if (problem) throw forbidden(kind, name, problem);
}
