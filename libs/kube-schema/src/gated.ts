// biome-ignore-all lint/suspicious/noExplicitAny: objects were decoded against their schemas and defaulted before
import type { KubeObject, ResourceType } from "@tiphys/resources";

/** Where pods are described in objects of a kind. */
const templates: Readonly<Record<string, (object: any) => any>> = {
  "/Pod": (pod) => pod,
  "/PodTemplate": ({ template }) => template,
  "/ReplicationController": ({ spec }) => spec?.template,
  "apps/Deployment": ({ spec }) => spec?.template,
  "apps/ReplicaSet": ({ spec }) => spec?.template,
  "apps/StatefulSet": ({ spec }) => spec?.template,
  "apps/DaemonSet": ({ spec }) => spec?.template,
  "batch/Job": ({ spec }) => spec?.template,
  "batch/CronJob": ({ spec }) => spec?.jobTemplate?.spec?.template,
};

/** Takes fields out of a new object whose features a stock API server has switched off. */
export function dropGated({ group, kind }: ResourceType, object: KubeObject): void {
  if (group === "coordination.k8s.io" && kind === "Lease" && object["spec"]) {
    delete object["spec"].strategy;
    delete object["spec"].preferredHolder;
  }
  const spec = templates[`${group}/${kind}`]?.(object)?.spec;
  if (!spec) return;
  for (const list of [spec.containers, spec.initContainers, spec.ephemeralContainers]) {
    for (const container of list ?? []) {
      if (container.lifecycle?.stopSignal === undefined) continue;
      delete container.lifecycle.stopSignal;
      if (Object.keys(container.lifecycle).length === 0) delete container.lifecycle;
    }
  }
  for (const volume of spec.volumes ?? []) {
    for (const source of volume.projected?.sources ?? []) delete source.clusterTrustBundle;
  }
}
