import { admitPodOfAccount } from "@tiphys/kube-access";
import { amountOf, requestsOf } from "@tiphys/kube-values";
import type { KubeObject } from "@tiphys/resources";
import type { Store } from "../store/store.js";
import type { ServedKind } from "./kinds.js";
import { generatedName } from "./names.js";
import type { Parts } from "./parts.js";
import { admitPriority } from "./priority.js";
import { forbidden, notFound } from "./status.js";

const NAMESPACES = { group: "", resource: "namespaces", kind: "Namespace" };

/** Refuses creation in a namespace that is not there or is going away. */
export function checkNamespace(store: Store, kind: ServedKind, object: KubeObject): void {
  const name = object.metadata.namespace ?? "";
  const namespace = store.get("/namespaces", undefined, name);
  if (!namespace) throw notFound(NAMESPACES, name);
  if (namespace.metadata.deletionTimestamp === undefined) return;
  throw forbidden(
    kind,
    object.metadata.name || (object.metadata.generateName ?? ""),
    `unable to create new content in namespace ${name} because it is being terminated`,
    {
      causes: [
        {
          reason: "NamespaceTerminating",
          message: `namespace ${name} is being terminated`,
          field: "metadata.namespace",
        },
      ],
    },
  );
}

const permanent = new Set(["default", "kube-system", "kube-public"]);
export function checkNamespaceDeletion(kind: ServedKind, name: string): void {
  if (kind.collection === "/namespaces" && permanent.has(name)) {
    throw forbidden(kind, name, "this namespace may not be deleted");
  }
}

const SECONDS_TOLERATED = 300;

/** What the admission plugins of a stock API server fill into every new pod. */
export function completePod({ store, random }: Parts, kind: ServedKind, pod: KubeObject): void {
  const spec = pod["spec"];
  if (!spec) return;
  spec.serviceAccountName ||= spec.serviceAccount;
  const { namespace, name, generateName = "" } = pod.metadata;
  const problem = admitPodOfAccount(
    pod,
    (account) => store.get("/serviceaccounts", namespace, account),
    (base) => generatedName(base, random),
  );
  if (problem) throw forbidden(kind, name || generateName, problem);
  if (spec.serviceAccountName) spec.serviceAccount = spec.serviceAccountName;
  else delete spec.serviceAccountName;
  admitPriority(store, kind, pod);
  const tolerations = (spec.tolerations ?? []) as { key?: string; effect?: string; operator?: string }[];
  for (const key of ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"]) {
    const tolerated = tolerations.some(
      (toleration) =>
        (toleration.key === key || (!toleration.key && toleration.operator === "Exists")) &&
        (!toleration.effect || toleration.effect === "NoExecute"),
    );
    if (tolerated) continue;
    spec.tolerations = [
      ...(spec.tolerations ?? []),
      { key, operator: "Exists", effect: "NoExecute", tolerationSeconds: SECONDS_TOLERATED },
    ];
  }
}

/** Refuses a pod on a node what that node could never give. */
export function admitResize(store: Store, kind: ServedKind, pod: KubeObject): void {
  const { name } = pod.metadata;
  const on: string | undefined = pod["spec"]?.nodeName;
  if (!on) return;
  const node = store.get("/nodes", undefined, on);
  if (!node) throw forbidden(kind, name, `node ${JSON.stringify(on)} not found`);
  const refuse = (problem: string, reason: string) => {
    throw forbidden(kind, name, problem, { causes: [{ reason }] });
  };
  const os = node.metadata.labels?.["kubernetes.io/os"];
  if (os !== undefined && os !== "linux") {
    refuse(
      `pod resize is only supported on linux nodes, node ${JSON.stringify(on)} is ${JSON.stringify(os)}`,
      "UnsupportedPlatform",
    );
  }
  const requests = requestsOf(pod);
  const problems = ["cpu", "memory"].flatMap((size) => {
    const [wanted, allocatable] = [requests[size] ?? 0, amountOf(size, node["status"]?.allocatable?.[size])];
    return wanted > allocatable ? [`${size}, requested: ${wanted}, allocatable: ${allocatable}`] : [];
  });
  if (problems.length > 0) {
    refuse(`node didn't have enough allocatable resources: ${problems.join("; ")}`, "NodeCapacity");
  }
}
