import type { KubeObject } from "@tiphys/resources";
import * as others from "./others.js";
import { fillPod, fillTemplate } from "./pod.js";
import * as system from "./system.js";
import * as workloads from "./workloads.js";

/** Fills defaults into an object of its own. */
export type Defaulter = (object: KubeObject) => void;

const defaulters: Readonly<Record<string, Defaulter>> = {
  "/Pod": fillPod,
  "/PodTemplate": ({ template }) => fillTemplate(template),
  "/ReplicationController": workloads.fillReplicationController,
  "/Service": others.fillService,
  "/LimitRange": system.fillLimitRange,
  "/Endpoints": others.fillEndpoints,
  "/Secret": others.fillSecret,
  "/Namespace": others.fillNamespace,
  "/PersistentVolumeClaim": workloads.fillPersistentVolumeClaim,
  "/PersistentVolume": workloads.fillPersistentVolume,
  "apps/Deployment": workloads.fillDeployment,
  "apps/ReplicaSet": workloads.fillReplicaSet,
  "apps/StatefulSet": workloads.fillStatefulSet,
  "apps/DaemonSet": workloads.fillDaemonSet,
  "batch/Job": workloads.fillJob,
  "batch/CronJob": workloads.fillCronJob,
  "discovery.k8s.io/EndpointSlice": others.fillEndpointSlice,
  "/Node": others.fillNode,
  "networking.k8s.io/IngressClass": others.fillIngressClass,
  "networking.k8s.io/NetworkPolicy": others.fillNetworkPolicy,
  "rbac.authorization.k8s.io/RoleBinding": others.fillBinding,
  "rbac.authorization.k8s.io/ClusterRoleBinding": others.fillBinding,
  "storage.k8s.io/StorageClass": others.fillStorageClass,
  "scheduling.k8s.io/PriorityClass": others.fillPriorityClass,
  "autoscaling/HorizontalPodAutoscaler": others.fillAutoscaler,
  "admissionregistration.k8s.io/MutatingWebhookConfiguration": system.fillWebhooks,
  "admissionregistration.k8s.io/ValidatingWebhookConfiguration": system.fillWebhooks,
  "admissionregistration.k8s.io/MutatingAdmissionPolicy": system.fillAdmissionPolicy,
  "admissionregistration.k8s.io/ValidatingAdmissionPolicy": system.fillAdmissionPolicy,
  "admissionregistration.k8s.io/MutatingAdmissionPolicyBinding": system.fillPolicyBinding,
  "admissionregistration.k8s.io/ValidatingAdmissionPolicyBinding": system.fillPolicyBinding,
  "apiregistration.k8s.io/APIService": system.fillApiService,
  "flowcontrol.apiserver.k8s.io/FlowSchema": system.fillFlowSchema,
  "flowcontrol.apiserver.k8s.io/PriorityLevelConfiguration": system.fillPriorityLevel,
  "resource.k8s.io/ResourceClaim": system.fillResourceClaim,
  "resource.k8s.io/ResourceClaimTemplate": system.fillResourceClaimTemplate,
  "storage.k8s.io/CSIDriver": system.fillCsiDriver,
  "apiextensions.k8s.io/CustomResourceDefinition": others.fillCustomResourceDefinition,
};

/** `version` tells apart the versions of a kind that have defaults of their own. */
export const defaultersOf = (group: string, version: string, kind: string): Defaulter | undefined =>
  group === "autoscaling" && version === "v1" ? others.fillAutoscalerV1 : defaulters[`${group}/${kind}`];
