import { type Amounts, type RequestingContainer, requestsOf } from "@tiphys/kube-values";
import type { KubeObject } from "@tiphys/resources";

/** What a container counts for in scores when it asks for nothing: a tenth of a processor and 200 MB. */
const ASSUMED: Amounts = { cpu: 100, memory: 200 * 2 ** 20 };

/** The sum for scores: containers without a request count too. */
export function scoredRequestsOf(pod: KubeObject): { readonly cpu: number; readonly memory: number } {
  const requests = requestsOf(pod);
  const containers = (pod.spec?.containers ?? []) as RequestingContainer[];
  const missing = (name: "cpu" | "memory") =>
    containers.filter(({ resources }) => resources?.requests?.[name] === undefined).length * (ASSUMED[name] as number);
  return { cpu: (requests["cpu"] ?? 0) + missing("cpu"), memory: (requests["memory"] ?? 0) + missing("memory") };
}
