import type { KubeObject } from "@tiphys/resources";
import { parseQuantity } from "./quantity.js";

/** Amounts by resource: `cpu` in thousandths, everything else in whole units. */
export type Amounts = Readonly<Record<string, number>>;

/** What of a container says how much it asks for. */
export interface RequestingContainer {
  readonly restartPolicy?: string;
  readonly resources?: { readonly requests?: Readonly<Record<string, unknown>> };
}

/** An amount as the scheduler and the API server count it; what is finer is rounded up. */
export function amountOf(resource: string, value: unknown): number {
  // What is no quantity counts as nothing: the API server refuses it.
  const { nanos } = parseQuantity(String(value ?? "0")) ?? { nanos: 0n };
  const unit = resource === "cpu" ? 1_000_000n : 1_000_000_000n;
  return Number((nanos + unit - 1n) / unit);
}

export function amountsOf(list: Readonly<Record<string, unknown>> | undefined): Record<string, number> {
  const amounts: Record<string, number> = {};
  for (const [name, value] of Object.entries(list ?? {})) amounts[name] = amountOf(name, value);
  return amounts;
}

export function add(to: Record<string, number>, amounts: Amounts, sign = 1): void {
  for (const [name, value] of Object.entries(amounts)) to[name] = (to[name] ?? 0) + sign * value;
}

function raise(to: Record<string, number>, amounts: Amounts): void {
  for (const [name, value] of Object.entries(amounts)) to[name] = Math.max(to[name] ?? 0, value);
}

/** Objects never change, and pods are asked for their sum again and again. */
const known = new WeakMap<KubeObject, Amounts>();

/**
 * What a pod asks of its node: the sum of its containers and sidecars; or an init container with the sidecars started before
 * it, where that is more; and its overhead.
 */
export function requestsOf(pod: KubeObject): Amounts {
  let requests = known.get(pod);
  if (!requests) {
    requests = sumRequests(pod);
    known.set(pod, requests);
  }
  return requests;
}

function sumRequests(pod: KubeObject): Amounts {
  const { spec } = pod;
  const of = (container: RequestingContainer) => amountsOf(container.resources?.requests);
  const total: Record<string, number> = {};
  for (const container of (spec?.containers ?? []) as RequestingContainer[]) add(total, of(container));
  const sidecars: Record<string, number> = {};
  const largest: Record<string, number> = {};
  for (const container of (spec?.initContainers ?? []) as RequestingContainer[]) {
    if (container.restartPolicy === "Always") {
      add(total, of(container));
      add(sidecars, of(container));
      raise(largest, sidecars);
    } else {
      const together = { ...sidecars };
      add(together, of(container));
      raise(largest, together);
    }
  }
  raise(total, largest);
  // Requests of the pod as a whole go before those of its containers.
  Object.assign(total, amountsOf(spec?.resources?.requests));
  add(total, amountsOf(spec?.overhead));
  return total;
}
