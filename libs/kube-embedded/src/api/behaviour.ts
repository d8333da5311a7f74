import type { KubeObject } from "@tiphys/resources";
import type { ServedKind } from "./kinds.js";
import { compareVersions } from "./version-order.js";

/** Kinds that are stored, checked and served, but that nothing here acts on yet. */
const storedOnly: Readonly<Record<string, string>> = {
  "gateway.networking.k8s.io/grpcroutes": "the proxy serves HTTPRoutes alone",
  "/limitranges": "no defaults or limits are applied",
  "/resourcequotas": "quotas are not enforced",
  "/persistentvolumes": "volumes are not provided",
  "/persistentvolumeclaims": "claims are not bound",
  "apps/statefulsets": "no controller makes its pods",
  "apps/daemonsets": "no controller makes its pods",
  "autoscaling/horizontalpodautoscalers": "nothing is scaled by it",
  "networking.k8s.io/networkpolicies": "traffic is not restricted",
  "policy/poddisruptionbudgets": "evictions are not held back",
  "admissionregistration.k8s.io/mutatingadmissionpolicies": "no request is changed by it",
  "admissionregistration.k8s.io/mutatingadmissionpolicybindings": "no request is changed by it",
  "admissionregistration.k8s.io/mutatingwebhookconfigurations": "no webhook is called",
  "admissionregistration.k8s.io/validatingadmissionpolicies": "no request is refused by it",
  "admissionregistration.k8s.io/validatingadmissionpolicybindings": "no request is refused by it",
  "admissionregistration.k8s.io/validatingwebhookconfigurations": "no webhook is called",
  "flowcontrol.apiserver.k8s.io/flowschemas": "requests are not queued by it",
  "flowcontrol.apiserver.k8s.io/prioritylevelconfigurations": "requests are not queued by it",
  "networking.k8s.io/servicecidrs": "cluster IPs are of the server's own range",
  "node.k8s.io/runtimeclasses": "pods run as they would without it",
  "resource.k8s.io/deviceclasses": "no devices are allocated",
  "resource.k8s.io/resourceclaims": "no devices are allocated",
  "resource.k8s.io/resourceclaimtemplates": "no devices are allocated",
  "resource.k8s.io/resourceslices": "no devices are allocated",
  "storage.k8s.io/csidrivers": "volumes are not provided",
  "storage.k8s.io/csinodes": "volumes are not provided",
  "storage.k8s.io/csistoragecapacities": "volumes are not provided",
  "storage.k8s.io/storageclasses": "volumes are not provided",
  "storage.k8s.io/volumeattachments": "volumes are not provided",
  "storage.k8s.io/volumeattributesclasses": "volumes are not provided",
};

/** Kinds that Kubernetes itself advises against, in its own words. */
const deprecations: Readonly<Record<string, string>> = {
  "/endpoints": "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
  "/componentstatuses": "v1 ComponentStatus is deprecated in v1.19+",
};
/** Told with every answer about the kind. */
export const deprecation = (kind: ServedKind): string | undefined =>
  deprecations[kind.collection] ?? (kind.crd ? ofVersion(kind) : undefined);

interface Version {
  readonly name: string;
  readonly served?: boolean;
  readonly deprecated?: boolean;
  readonly deprecationWarning?: string;
}

/** Versions of custom resources that their definition advises against; the newest that it does not is named instead. */
function ofVersion({ crd, group, version, kind }: ServedKind): string | undefined {
  const versions: readonly Version[] = crd?.["spec"]?.versions ?? [];
  const own = versions.find(({ name }) => name === version);
  if (!own?.deprecated) return undefined;
  if (own.deprecationWarning !== undefined) return own.deprecationWarning;
  const [newest] = versions
    .filter(({ name, served, deprecated }) => served && !deprecated && compareVersions(name, version) < 0)
    .sort((a, b) => compareVersions(a.name, b.name));
  return `${group}/${version} ${kind} is deprecated${newest ? `; use ${group}/${newest.name} ${kind}` : ""}`;
}

/** What the writer of an object has to know about it: nothing is accepted as if it worked when it does not. */
export function caveats(kind: ServedKind, object: KubeObject): string[] {
  const missing = storedOnly[kind.collection];
  if (missing) return [`${kind.kind} is stored only, ${missing}: see docs/compatibility.md`];
  if (kind.kind !== "CustomResourceDefinition") return [];
  const out: string[] = [];
  if (object["spec"]?.conversion?.strategy === "Webhook") {
    out.push("conversion by webhook is not done yet: versions differ in apiVersion only (docs/compatibility.md)");
  }
  return out;
}
