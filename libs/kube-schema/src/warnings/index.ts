// biome-ignore-all lint/suspicious/noExplicitAny: objects were decoded against their schemas and defaulted before
import { deepEqual } from "@tiphys/canonical-json";
import type { KubeObject, ResourceType } from "@tiphys/resources";
import { nodeWarnings } from "../validation/cluster.js";
import { crdWarnings } from "../validation/crd.js";
import { sliceWarnings } from "../validation/endpoints.js";
import { ingressWarnings } from "../validation/ingress.js";
import { networkPolicyWarnings } from "../validation/network.js";
import { secretWarnings } from "../validation/others.js";
import { serviceWarnings } from "../validation/service.js";
import { claimWarnings, csiDriverWarnings, volumeWarnings } from "../validation/storage.js";
import { hostNameWarnings, podWarnings } from "./pod.js";

type Warner = (object: KubeObject, old?: KubeObject) => string[];

/** A workload's writer is told about its template when the workload is new or has changed. */
const ofTemplate =
  (path: string): Warner =>
  (object, old) => {
    if (old !== undefined && deepEqual(object["spec"], old["spec"])) return [];
    const template = path.split(".").reduce<any>((value, step) => value?.[step], object);
    return template ? podWarnings(template, path) : [];
  };

/** The names of new ones become parts of their pods' names. */
const named =
  (warner: Warner): Warner =>
  (object, old) => [...(old ? [] : hostNameWarnings(object, "Pod names and hostnames")), ...warner(object, old)];

const warners: Readonly<Record<string, Warner>> = {
  "/Node": nodeWarnings,
  "/PersistentVolume": volumeWarnings,
  "/PersistentVolumeClaim": claimWarnings,
  "storage.k8s.io/CSIDriver": csiDriverWarnings,
  "/Secret": secretWarnings,
  "/Service": serviceWarnings,
  "discovery.k8s.io/EndpointSlice": sliceWarnings,
  "networking.k8s.io/Ingress": (ingress, old) => (old ? [] : ingressWarnings(ingress)),
  "networking.k8s.io/NetworkPolicy": networkPolicyWarnings,
  "/Pod": (pod, old) => [...(old ? [] : hostNameWarnings(pod, "the Pod's hostname")), ...podWarnings(pod)],
  "/PodTemplate": ofTemplate("template"),
  "/ReplicationController": named(ofTemplate("spec.template")),
  "apps/Deployment": named(ofTemplate("spec.template")),
  "apps/ReplicaSet": named(ofTemplate("spec.template")),
  "apps/StatefulSet": ofTemplate("spec.template"),
  "apps/DaemonSet": ofTemplate("spec.template"),
  "batch/Job": named(ofTemplate("spec.template")),
  "batch/CronJob": named(ofTemplate("spec.jobTemplate.spec.template")),
  "apiextensions.k8s.io/CustomResourceDefinition": crdWarnings,
};

/** What the API server tells the writer of a valid object beside the answer. */
export const warningsOf = ({ group, kind }: ResourceType, object: KubeObject, old?: KubeObject): string[] =>
  warners[`${group}/${kind}`]?.(object, old) ?? [];
