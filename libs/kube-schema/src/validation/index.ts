import { isDnsLabel, isDnsSubdomain, isPathSegment, type NameRule } from "@tiphys/kube-values";
import type { KubeObject } from "@tiphys/resources";
import type { FieldError } from "../field-error.js";
import type { BuiltinKind } from "../kinds.js";
import { validateAutoscaler, validateAutoscalerStatus } from "./autoscaling.js";
import { validateCertificateRequest } from "./certificates.js";
import {
  validateNamespace,
  validateNamespaceStatus,
  validateNode,
  validateNodeStatus,
  validatePriorityClass,
} from "./cluster.js";
import { validateCrd } from "./crd.js";
import { validateEndpointSlice, validateEndpoints } from "./endpoints.js";
import { validateIngress, validateIngressClass, validateIngressStatus } from "./ingress.js";
import * as jobs from "./jobs.js";
import { validateMetadata } from "./metadata.js";
import { isAddress, validateIpAddress, validateNetworkPolicy, validateServiceCidr } from "./network.js";
import * as others from "./others.js";
import { validatePod, validatePodUpdate } from "./pod/index.js";
import { validateEphemeralContainersUpdate, validatePodResize } from "./pod/subresources.js";
import { validateLimitRange, validateQuota, validateQuotaStatus } from "./quota.js";
import { validateByDefinition } from "./required.js";
import { validateService, validateServiceStatus } from "./service.js";
import {
  validateAttributesClass,
  validateClaim,
  validateClaimStatus,
  validateCsiDriver,
  validateStorageClass,
  validateVolume,
} from "./storage.js";
import { systemChecks } from "./system.js";
import { validateWebhooks } from "./webhooks.js";
import * as workloads from "./workloads.js";

type Validator = (object: KubeObject, old?: KubeObject) => FieldError[];

const validators: Readonly<Record<string, Validator>> = {
  "/Pod": (pod, old) => (old === undefined ? validatePod(pod) : validatePodUpdate(pod, old)),
  "/ReplicationController": workloads.validateController,
  "/LimitRange": validateLimitRange,
  "/Namespace": validateNamespace,
  "/Node": validateNode,
  "/PersistentVolume": validateVolume,
  "/PersistentVolumeClaim": validateClaim,
  "/ResourceQuota": validateQuota,
  "/PodTemplate": ({ template }) => workloads.validateTemplate(template, "template"),
  "/ConfigMap": others.validateConfigMap,
  "/Secret": others.validateSecret,
  "/Service": validateService,
  "/Endpoints": validateEndpoints,
  "apps/Deployment": workloads.validateDeployment,
  "apps/ReplicaSet": workloads.validateReplicaSet,
  "apps/StatefulSet": workloads.validateStatefulSet,
  "apps/DaemonSet": workloads.validateDaemonSet,
  "policy/PodDisruptionBudget": workloads.validateDisruptionBudget,
  "autoscaling/HorizontalPodAutoscaler": validateAutoscaler,
  "batch/Job": jobs.validateJob,
  "batch/CronJob": jobs.validateCronJob,
  "networking.k8s.io/Ingress": validateIngress,
  "networking.k8s.io/IngressClass": validateIngressClass,
  "networking.k8s.io/IPAddress": validateIpAddress,
  "networking.k8s.io/ServiceCIDR": validateServiceCidr,
  "networking.k8s.io/NetworkPolicy": validateNetworkPolicy,
  "rbac.authorization.k8s.io/Role": others.validateRole,
  "rbac.authorization.k8s.io/ClusterRole": others.validateRole,
  "rbac.authorization.k8s.io/RoleBinding": others.validateRoleBinding,
  "rbac.authorization.k8s.io/ClusterRoleBinding": others.validateRoleBinding,
  "discovery.k8s.io/EndpointSlice": validateEndpointSlice,
  "scheduling.k8s.io/PriorityClass": validatePriorityClass,
  "storage.k8s.io/CSIDriver": validateCsiDriver,
  "storage.k8s.io/StorageClass": validateStorageClass,
  "storage.k8s.io/VolumeAttributesClass": validateAttributesClass,
  "coordination.k8s.io/Lease": others.validateLease,
  "admissionregistration.k8s.io/MutatingWebhookConfiguration": validateWebhooks,
  "admissionregistration.k8s.io/ValidatingWebhookConfiguration": validateWebhooks,
  "apiextensions.k8s.io/CustomResourceDefinition": validateCrd,
};

/** What is looked at in a status beyond its schema. */
const statusValidators: Readonly<Record<string, Validator>> = {
  "/Namespace": validateNamespaceStatus,
  "/Node": validateNodeStatus,
  "/PersistentVolumeClaim": validateClaimStatus,
  "/ResourceQuota": validateQuotaStatus,
  "autoscaling/HorizontalPodAutoscaler": validateAutoscalerStatus,
  "policy/PodDisruptionBudget": workloads.validateDisruptionBudgetStatus,
  "/Service": validateServiceStatus,
  "networking.k8s.io/Ingress": validateIngressStatus,
};

const CERTIFICATE_REQUEST = "certificates.k8s.io/CertificateSigningRequest";

/** Kinds whose names are checked by something else, or not at all. */
const anyName: NameRule = () => [];

/** Writes of a subresource that are judged by rules of their own. */
const bySubresource: Readonly<Record<string, Validator>> = {
  "/Pod/resize": (pod, old) => validatePodResize(pod, old!),
  "/Pod/ephemeralcontainers": (pod, old) => validateEphemeralContainersUpdate(pod, old!),
};

const nameRules: Readonly<Record<string, NameRule>> = {
  "/Namespace": isDnsLabel,
  "/Service": isDnsLabel,
  "/Event": anyName,
  "apiregistration.k8s.io/APIService": anyName,
  "networking.k8s.io/IPAddress": isAddress,
  "policy/PodDisruptionBudget": anyName,
  [CERTIFICATE_REQUEST]: anyName,
  "apps/StatefulSet": isDnsLabel,
  "rbac.authorization.k8s.io/Role": isPathSegment,
  "rbac.authorization.k8s.io/ClusterRole": isPathSegment,
  "rbac.authorization.k8s.io/RoleBinding": isPathSegment,
  "rbac.authorization.k8s.io/ClusterRoleBinding": isPathSegment,
};

const ADMISSION = "admissionregistration.k8s.io";
/** Kinds that look at generateName only in what became of it. */
const ofTheNameAlone: ReadonlySet<string> = new Set(["/ReplicationController", "resource.k8s.io/DeviceClass"]);
/** How kinds look at metadata again, where it is not "UF". */
const looks: Readonly<Record<string, string>> = {
  "/Event": "",
  "/LimitRange": "F",
  "/PersistentVolume": "FF",
  "/PodTemplate": "U",
  "/ReplicationController": "U",
  "/ResourceQuota": "U",
  "/Service": "U",
  [`${ADMISSION}/MutatingAdmissionPolicy`]: "f",
  [`${ADMISSION}/MutatingAdmissionPolicyBinding`]: "f",
  [`${ADMISSION}/MutatingWebhookConfiguration`]: "f",
  [`${ADMISSION}/ValidatingAdmissionPolicy`]: "f",
  [`${ADMISSION}/ValidatingAdmissionPolicyBinding`]: "f",
  [`${ADMISSION}/ValidatingWebhookConfiguration`]: "f",
  "apiextensions.k8s.io/CustomResourceDefinition": "u",
  "apiregistration.k8s.io/APIService": "uf",
  "apps/DaemonSet": "U",
  "apps/Deployment": "U",
  "apps/ReplicaSet": "U",
  "apps/StatefulSet": "U",
  "autoscaling/HorizontalPodAutoscaler": "U",
  "batch/CronJob": "U",
  "coordination.k8s.io/Lease": "u",
  "discovery.k8s.io/EndpointSlice": "F",
  "events.k8s.io/Event": "U",
  "flowcontrol.apiserver.k8s.io/FlowSchema": "F",
  "flowcontrol.apiserver.k8s.io/PriorityLevelConfiguration": "F",
  "networking.k8s.io/NetworkPolicy": "U",
  "networking.k8s.io/ServiceCIDR": "U",
  "node.k8s.io/RuntimeClass": "uf",
  "policy/PodDisruptionBudget": "",
  "resource.k8s.io/ResourceSlice": "U",
  "scheduling.k8s.io/PriorityClass": "U",
  "storage.k8s.io/CSIDriver": "U",
  "storage.k8s.io/CSINode": "F",
  "storage.k8s.io/VolumeAttachment": "F",
};
/** The same for changes of a status, where it is not "U". */
const statusLooks: Readonly<Record<string, string>> = {
  "batch/CronJob": "",
  [CERTIFICATE_REQUEST]: "UF",
  "policy/PodDisruptionBudget": "",
};

/** What is wrong with an object of a builtin kind, or with its change. */
export function validateBuiltin(
  kind: BuiltinKind,
  object: KubeObject,
  old?: KubeObject,
  subresource?: string,
): FieldError[] {
  const id = `${kind.group}/${kind.kind}`;
  const again = subresource === "status" ? statusLooks : looks;
  const errors = validateMetadata(
    object,
    {
      namespaced: kind.namespaced,
      nameRule: nameRules[id] ?? isDnsSubdomain,
      ...(ofTheNameAlone.has(id) ? { ofTheNameAlone: true } : {}),
      again: again[id] ?? (subresource === "status" ? "U" : "UF"),
    },
    old,
  );
  if (id === CERTIFICATE_REQUEST) return [...errors, ...validateCertificateRequest(object, old, subresource)];
  if (subresource === "status") return [...errors, ...(statusValidators[id]?.(object, old) ?? [])];
  const own = (subresource && bySubresource[`${id}/${subresource}`]) || validators[id];
  if (own !== undefined) return [...errors, ...own(object, old)];
  const check = systemChecks[id];
  if (check !== undefined) return [...errors, ...check(object)];
  validateByDefinition(object, kind.schema, "", errors);
  return errors;
}
