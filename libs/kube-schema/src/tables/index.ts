import * as cluster from "./cluster.js";
import * as network from "./network.js";
import { columns, type Printer } from "./parts.js";
import { podPrinter } from "./pod.js";
import { systemPrinters } from "./system.js";
import * as workloads from "./workloads.js";

export { compilePrinterColumns } from "./custom.js";
export { formatAge, type Printer, type Row, type TableColumn } from "./parts.js";
export { type PodSummary, podSummary } from "./pod.js";
export { customScalePrinter, scalePrinter } from "./system.js";

/** For kinds without columns of their own. */
export const defaultPrinter: Printer = {
  columns: columns("Name", "Created At:date"),
  row: (object) => [object.metadata.name, object.metadata.creationTimestamp ?? ""],
};

const printers: Readonly<Record<string, Printer>> = {
  ...systemPrinters,
  "/ConfigMap": cluster.configMapPrinter,
  "/Endpoints": network.endpointsPrinter,
  "/Event": cluster.eventPrinter,
  "/Namespace": cluster.namespacePrinter,
  "/Node": cluster.nodePrinter,
  "/PersistentVolumeClaim": cluster.claimPrinter,
  "/PersistentVolume": cluster.volumePrinter,
  "/Pod": podPrinter,
  "/PodTemplate": cluster.podTemplatePrinter,
  "/ReplicationController": workloads.replicaSetPrinter,
  "/Secret": cluster.secretPrinter,
  "/ServiceAccount": cluster.serviceAccountPrinter,
  "/Service": network.servicePrinter,
  "apps/ControllerRevision": cluster.controllerRevisionPrinter,
  "apps/DaemonSet": workloads.daemonSetPrinter,
  "apps/Deployment": workloads.deploymentPrinter,
  "apps/ReplicaSet": workloads.replicaSetPrinter,
  "apps/StatefulSet": workloads.statefulSetPrinter,
  "batch/CronJob": workloads.cronJobPrinter,
  "batch/Job": workloads.jobPrinter,
  "coordination.k8s.io/Lease": cluster.leasePrinter,
  "discovery.k8s.io/EndpointSlice": network.endpointSlicePrinter,
  "events.k8s.io/Event": cluster.eventPrinter,
  "networking.k8s.io/IngressClass": network.ingressClassPrinter,
  "networking.k8s.io/Ingress": network.ingressPrinter,
  "networking.k8s.io/NetworkPolicy": network.networkPolicyPrinter,
  "policy/PodDisruptionBudget": cluster.disruptionBudgetPrinter,
  "rbac.authorization.k8s.io/ClusterRoleBinding": cluster.bindingPrinter,
  "rbac.authorization.k8s.io/RoleBinding": cluster.bindingPrinter,
  "scheduling.k8s.io/PriorityClass": cluster.priorityClassPrinter,
  "storage.k8s.io/StorageClass": cluster.storageClassPrinter,
};

/** How objects of a builtin kind are shown as table rows. */
export const printerOf = (group: string, kind: string): Printer => printers[`${group}/${kind}`] ?? defaultPrinter;
