import { InvalidArgumentError, UnimplementedError } from "@tiphys/errors";
import type { KubeObject } from "@tiphys/resources";
import type { Operations } from "../operations.js";
import type { RestCall } from "../router.js";

/** A page of objects as Kubernetes and the originals write it. */
export const listOf = (
  kind: string,
  page: { items: readonly KubeObject[]; resourceVersion: string; continue?: string },
) => ({
  apiVersion: "argoproj.io/v1alpha1",
  kind: `${kind}List`,
  metadata: { resourceVersion: page.resourceVersion, ...(page.continue ? { continue: page.continue } : {}) },
  items: page.items,
});

/** Selections of the originals that nobody would honour: an answer without them would hold more than was asked for. */
const unhonoured = [
  "fields",
  "project",
  "projects",
  "nameFilter",
  "createdAfter",
  "finishedBefore",
  "listOptions.fieldSelector",
];

/** Paging and selection as both families spell them; `-` stands for all namespaces. */
export function selection({ query, params }: RestCall) {
  for (const name of unhonoured) if (query.get(name)) throw new UnimplementedError(`list query "${name}"`);
  const either = (name: string, long: string) => query.get(name) || query.get(`listOptions.${long}`) || undefined;
  const labelSelector = either("selector", "labelSelector");
  const limit = either("limit", "limit");
  const token = either("continue", "continue");
  return {
    ...(params["namespace"] && params["namespace"] !== "-" ? { namespace: params["namespace"] } : {}),
    ...(labelSelector ? { labelSelector } : {}),
    ...(limit ? { limit: count(limit, "limit") } : {}),
    ...(token ? { continue: token } : {}),
  };
}

export function count(text: string, field: string): number {
  const value = Number(text);
  if (text === "" || !Number.isSafeInteger(value) || value < 0)
    throw new InvalidArgumentError(field, `"${text}" is not a whole number`);
  return value;
}

/** A stream of changes, once the first look has shown that there is something to watch. */
export async function watchOf(operations: Operations, resource: string, call: RestCall, member: string) {
  const name = call.query.get("name");
  const events = await operations.watch({ resource, ...selection(call), ...(name ? { name } : {}) }, call.signal);
  return (async function* () {
    for await (const { type, object } of events) yield { type, [member]: object };
  })();
}

/** A body that is an object of `kind`, whether it says so or not. */
export function asKind(object: Record<string, unknown>, kind: string): KubeObject {
  if (object["kind"] !== undefined && object["kind"] !== kind)
    throw new InvalidArgumentError("kind", `"${String(object["kind"])}" is not ${kind}`);
  return { ...object, apiVersion: object["apiVersion"] ?? "argoproj.io/v1alpha1", kind } as unknown as KubeObject;
}

/** Refuses request fields that nobody would honour. */
export function onlyFields(body: object, feature: string, honoured: readonly string[]): void {
  for (const [field, value] of Object.entries(body)) {
    if (!honoured.includes(field) && value !== null && value !== undefined && value !== false)
      throw new UnimplementedError(`${feature}: field ${field}`);
  }
}

/** Several streams as one, in the order in which things happen; the first failure ends it. */
export async function* merged<T>(streams: readonly AsyncIterable<T>[]): AsyncIterable<T> {
  const waiting: { item: T; taken: () => void }[] = [];
  let running = streams.length;
  let failure: { error: unknown } | undefined;
  let gone = false;
  let wake = () => {};
  const pump = async (stream: AsyncIterable<T>) => {
    try {
      for await (const item of stream) {
        if (gone) return;
        await new Promise<void>((taken) => {
          waiting.push({ item, taken });
          wake();
        });
      }
    } catch (error) {
      failure ??= { error };
    } finally {
      running--;
      wake();
    }
  };
  for (const stream of streams) void pump(stream);
  try {
    while (true) {
      const next = waiting.shift();
      if (next) {
        yield next.item;
        next.taken();
      } else if (failure) throw failure.error;
      else if (running === 0) return;
      else
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    }
  } finally {
    gone = true;
    for (const { taken } of waiting) taken();
  }
}
