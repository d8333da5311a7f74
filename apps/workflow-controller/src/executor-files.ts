import { createHash } from "node:crypto";
import { isAlreadyExists, type KubeClient } from "@tiphys/kube";
import { type KubeObject, types } from "@tiphys/resources";
import { launcher } from "./launcher.js";

/** The executor as pods get it: an immutable ConfigMap per namespace, named after its content. */
export interface ExecutorFiles {
  readonly volume: Readonly<Record<string, unknown>>;
  /** Makes sure that the namespace has it. */
  ensure(namespace: string, signal: AbortSignal): Promise<void>;
}

const EXECUTABLE = 0o755;

export function executorFiles(deps: { client: KubeClient; bundle: string; node: string }): ExecutorFiles {
  const data = { "tiphys-executor": launcher(deps.node), "executor.mjs": deps.bundle };
  const name = `tiphys-executor-${createHash("sha256").update(JSON.stringify(data)).digest("hex").slice(0, 10)}`;
  const present = new Set<string>();
  return {
    volume: { configMap: { name, defaultMode: EXECUTABLE } },
    async ensure(namespace, signal) {
      if (present.has(namespace)) return;
      const configMap: KubeObject = {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: {
          name,
          namespace,
          labels: { "app.kubernetes.io/managed-by": "tiphys", "app.kubernetes.io/component": "executor" },
        },
        immutable: true,
        data,
      };
      try {
        await deps.client.create(types.configMaps, configMap, { signal });
      } catch (error) {
        if (!isAlreadyExists(error)) throw error;
      }
      present.add(namespace);
    },
  };
}
