import { codeOf, InvalidArgumentError, NotFoundError } from "@tiphys/errors";
import type { KubeClient } from "@tiphys/kube";
import { type KubeObject, type ObjectKey, types } from "@tiphys/resources";

export interface WorkflowLine {
  readonly pod: string;
  readonly content: string;
}

/** Reads what the pods of workflows print. */
export function createWorkflowLogs(client: KubeClient) {
  /** Log lines of a workflow's pods, in order of their start; `follow` goes on until the workflow has finished. */
  async function* lines(key: ObjectKey, follow: boolean, signal: AbortSignal): AsyncIterable<WorkflowLine> {
    const done = new Set<string>();
    while (!signal.aborted) {
      const finished = await client.get(types.workflows, key).then(
        (workflow) => Boolean(workflow["status"]?.finishedAt),
        (error) => {
          if (codeOf(error) === "NotFound") return true;
          throw error;
        },
      );
      const { items } = await client.list(types.pods, {
        namespace: key.namespace ?? "default",
        labelSelector: `workflows.argoproj.io/workflow=${key.name}`,
      });
      const started = items
        .filter(
          (pod) =>
            !done.has(pod.metadata.name) &&
            pod["status"]?.containerStatuses?.some((c: { state?: object }) => c.state && !("waiting" in c.state)),
        )
        .sort((a, b) => String(a["status"]?.startTime).localeCompare(String(b["status"]?.startTime)));
      for (const pod of started) {
        done.add(pod.metadata.name);
        yield* podLines(pod, follow, signal);
      }
      if (finished && started.length === 0) return;
      if (!follow && started.length === 0) return;
      if (started.length === 0) await nextChange(key, signal);
    }
  }

  async function* podLines(pod: KubeObject, follow: boolean, signal: AbortSignal) {
    const key = { namespace: pod.metadata.namespace ?? "default", name: pod.metadata.name };
    const decoder = new TextDecoder();
    let rest = "";
    for await (const bytes of client.logs(key, { container: "main", follow }, signal)) {
      const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const content of lines) yield { pod: pod.metadata.name, content };
    }
    if (rest) yield { pod: pod.metadata.name, content: rest };
  }

  /** Resolves at the next change of a workflow's own object. */
  async function nextChange(key: ObjectKey, signal: AbortSignal): Promise<void> {
    const { items, resourceVersion } = await client.list(types.workflows, {
      namespace: key.namespace ?? "default",
      fieldSelector: `metadata.name=${key.name}`,
    });
    if (items.length === 0) throw new NotFoundError(`workflow ${key.name} was deleted`);
    const stop = new AbortController();
    const either = AbortSignal.any([signal, stop.signal]);
    const options = {
      namespace: key.namespace ?? "default",
      fieldSelector: `metadata.name=${key.name}`,
      resourceVersion,
      timeoutSeconds: 30,
    };
    for await (const event of client.watch(types.workflows, options, either)) {
      if (event.type !== "BOOKMARK") {
        stop.abort();
        return;
      }
    }
  }

  return async (namespace: string | undefined, name: string | undefined, follow: boolean, signal: AbortSignal) => {
    if (!name) throw new InvalidArgumentError("name", "must not be empty");
    const key = { namespace: namespace || "default", name };
    await client.get(types.workflows, key);
    return lines(key, follow, signal);
  };
}
