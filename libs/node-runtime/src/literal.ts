import type { KubeObject } from "@tiphys/resources";

/** Annotation of a pod that chooses how it runs: `literal`, as on any kubelet, or `fast`, with this node's short-cuts. */
export const MODE = "tiphys.dev/node-mode";

/**
 * A literal pod runs from its image's own files, as process 1, without the variables, host programs and eager checks
 * that make pods quick here. The pod's annotation outweighs the node's setting.
 */
export function isLiteral(
  { deps }: { readonly deps: { readonly mode?: "fast" | "literal" } },
  pod: KubeObject,
): boolean {
  const asked = pod.metadata.annotations?.[MODE];
  return (asked === "literal" || asked === "fast" ? asked : (deps.mode ?? "fast")) === "literal";
}
