import { type Group, JSON_PATCH, MERGE, type Step } from "../play.js";

/** One good object of every builtin kind, with as little as it takes. */
interface Sample {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly kind: string;
  readonly cluster?: boolean;
  readonly name?: string;
  readonly object: object;
  /** A merge patch that changes something of it. */
  readonly change?: object;
  readonly status?: object;
  readonly without?: readonly string[];
}

const pod = { containers: [{ name: "c", image: "x" }] };
const template = { metadata: { labels: { app: "a" } }, spec: pod };
const selector = { matchLabels: { app: "a" } };
const label = { metadata: { labels: { changed: "yes" } } };
const condition = (type: string) => ({
  type,
  status: "True",
  reason: "Testing",
  message: "a test says so",
  lastTransitionTime: "2026-01-01T00:00:00Z",
});

export const samples: readonly Sample[] = [
  {
    group: "",
    version: "v1",
    resource: "configmaps",
    kind: "ConfigMap",
    object: { data: { a: "1" } },
    change: { data: { b: "2" } },
  },
  {
    group: "",
    version: "v1",
    resource: "secrets",
    kind: "Secret",
    object: { stringData: { a: "1" } },
    change: { stringData: { b: "2" } },
  },
  {
    group: "",
    version: "v1",
    resource: "endpoints",
    kind: "Endpoints",
    object: { subsets: [{ addresses: [{ ip: "10.1.2.3" }], ports: [{ port: 80 }] }] },
  },
  {
    group: "",
    version: "v1",
    resource: "events",
    kind: "Event",
    object: {
      involvedObject: { kind: "Pod", name: "p", namespace: "$NS" },
      reason: "Tested",
      message: "m",
      type: "Normal",
    },
    change: { count: 2 },
  },
  {
    group: "",
    version: "v1",
    resource: "limitranges",
    kind: "LimitRange",
    object: { spec: { limits: [{ type: "Container", default: { cpu: "1" } }] } },
    change: { spec: { limits: [{ type: "Container", max: { cpu: "2" } }] } },
  },
  {
    group: "",
    version: "v1",
    resource: "namespaces",
    kind: "Namespace",
    cluster: true,
    object: {},
    status: { phase: "Active", conditions: [condition("Testing")] },
  },
  {
    group: "",
    version: "v1",
    resource: "persistentvolumeclaims",
    kind: "PersistentVolumeClaim",
    object: {
      spec: { accessModes: ["ReadWriteOnce"], storageClassName: "none", resources: { requests: { storage: "1Gi" } } },
    },
    status: { phase: "Pending", accessModes: ["ReadWriteOnce"] },
    without: ["finalizers"],
  },
  {
    group: "",
    version: "v1",
    resource: "persistentvolumes",
    kind: "PersistentVolume",
    cluster: true,
    object: { spec: { capacity: { storage: "1Gi" }, accessModes: ["ReadWriteOnce"], hostPath: { path: "/tmp" } } },
    status: { phase: "Available", message: "m" },
    without: ["finalizers", "status"],
  },
  {
    group: "",
    version: "v1",
    resource: "pods",
    kind: "Pod",
    object: { spec: { ...pod, nodeSelector: { none: "such" }, automountServiceAccountToken: false } },
    change: { spec: { activeDeadlineSeconds: 10 } },
    status: { phase: "Running", podIP: "10.1.2.3" },
    without: ["conditions"],
  },
  {
    group: "",
    version: "v1",
    resource: "podtemplates",
    kind: "PodTemplate",
    object: { template },
    change: { template: { metadata: { labels: { b: "c" } } } },
  },
  {
    group: "",
    version: "v1",
    resource: "replicationcontrollers",
    kind: "ReplicationController",
    object: { spec: { replicas: 0, selector: { app: "a" }, template } },
    change: { spec: { minReadySeconds: 3 } },
    status: { replicas: 0, observedGeneration: 1 },
    without: ["status"],
  },
  {
    group: "",
    version: "v1",
    resource: "resourcequotas",
    kind: "ResourceQuota",
    object: { spec: { hard: { pods: "10", "requests.cpu": "1000m" } } },
    change: { spec: { hard: { pods: "11" } } },
    status: { hard: { pods: "10" }, used: { pods: "0" } },
    without: ["status"],
  },
  {
    group: "",
    version: "v1",
    resource: "serviceaccounts",
    kind: "ServiceAccount",
    object: { automountServiceAccountToken: false },
  },
  {
    group: "",
    version: "v1",
    resource: "services",
    kind: "Service",
    object: { spec: { selector: { app: "a" }, ports: [{ port: 80 }] } },
    change: { spec: { ports: [{ port: 81, name: "x" }] } },
    status: { loadBalancer: { ingress: [{ ip: "1.2.3.4" }] } },
  },
  {
    group: "admissionregistration.k8s.io",
    version: "v1",
    resource: "validatingwebhookconfigurations",
    kind: "ValidatingWebhookConfiguration",
    cluster: true,
    object: {
      webhooks: [
        {
          name: "a.example.com",
          sideEffects: "None",
          admissionReviewVersions: ["v1"],
          clientConfig: { url: "https://a.example.com/x" },
          rules: [
            { apiGroups: ["$RUN.example.com"], apiVersions: ["v1"], operations: ["CREATE"], resources: ["none"] },
          ],
        },
      ],
    },
  },
  {
    group: "admissionregistration.k8s.io",
    version: "v1",
    resource: "mutatingwebhookconfigurations",
    kind: "MutatingWebhookConfiguration",
    cluster: true,
    object: {
      webhooks: [
        {
          name: "a.example.com",
          sideEffects: "None",
          admissionReviewVersions: ["v1"],
          clientConfig: { service: { namespace: "$NS", name: "s" } },
          rules: [
            { apiGroups: ["$RUN.example.com"], apiVersions: ["v1"], operations: ["CREATE"], resources: ["none"] },
          ],
        },
      ],
    },
  },
  {
    group: "admissionregistration.k8s.io",
    version: "v1",
    resource: "validatingadmissionpolicies",
    kind: "ValidatingAdmissionPolicy",
    cluster: true,
    object: {
      spec: {
        matchConstraints: {
          resourceRules: [
            { apiGroups: ["$RUN.example.com"], apiVersions: ["v1"], operations: ["CREATE"], resources: ["none"] },
          ],
        },
        validations: [{ expression: "object.metadata.name != 'x'" }],
      },
    },
    status: { observedGeneration: 1 },
    without: ["status"],
  },
  {
    group: "admissionregistration.k8s.io",
    version: "v1",
    resource: "validatingadmissionpolicybindings",
    kind: "ValidatingAdmissionPolicyBinding",
    cluster: true,
    object: { spec: { policyName: "none", validationActions: ["Warn"] } },
  },
  {
    group: "admissionregistration.k8s.io",
    version: "v1",
    resource: "mutatingadmissionpolicies",
    kind: "MutatingAdmissionPolicy",
    cluster: true,
    object: {
      spec: {
        reinvocationPolicy: "Never",
        matchConstraints: {
          resourceRules: [
            { apiGroups: ["$RUN.example.com"], apiVersions: ["v1"], operations: ["CREATE"], resources: ["none"] },
          ],
        },
        mutations: [
          {
            patchType: "JSONPatch",
            jsonPatch: { expression: '[JSONPatch{op: "add", path: "/metadata/labels/a", value: "b"}]' },
          },
        ],
      },
    },
  },
  {
    group: "admissionregistration.k8s.io",
    version: "v1",
    resource: "mutatingadmissionpolicybindings",
    kind: "MutatingAdmissionPolicyBinding",
    cluster: true,
    object: { spec: { policyName: "none" } },
  },
  {
    group: "apps",
    version: "v1",
    resource: "controllerrevisions",
    kind: "ControllerRevision",
    object: { revision: 1, data: { a: { b: 1 } } },
    change: { revision: 2 },
  },
  {
    group: "apps",
    version: "v1",
    resource: "daemonsets",
    kind: "DaemonSet",
    object: { spec: { selector, template } },
    change: { spec: { minReadySeconds: 3 } },
    status: { currentNumberScheduled: 0, numberMisscheduled: 0, desiredNumberScheduled: 0, numberReady: 0 },
    without: ["status", "deprecated.daemonset.template.generation"],
  },
  {
    group: "apps",
    version: "v1",
    resource: "deployments",
    kind: "Deployment",
    object: { spec: { replicas: 0, selector, template } },
    change: { spec: { minReadySeconds: 3 } },
    status: { replicas: 0, conditions: [condition("Testing")] },
    without: ["status", "deployment.kubernetes.io/revision"],
  },
  {
    group: "apps",
    version: "v1",
    resource: "replicasets",
    kind: "ReplicaSet",
    object: { spec: { replicas: 0, selector, template } },
    change: { spec: { minReadySeconds: 3 } },
    status: { replicas: 0, fullyLabeledReplicas: 0 },
    without: ["status"],
  },
  {
    group: "apps",
    version: "v1",
    resource: "statefulsets",
    kind: "StatefulSet",
    object: { spec: { replicas: 0, serviceName: "s", selector, template } },
    change: { spec: { minReadySeconds: 3 } },
    status: { replicas: 0 },
    without: ["status"],
  },
  {
    group: "autoscaling",
    version: "v2",
    resource: "horizontalpodautoscalers",
    kind: "HorizontalPodAutoscaler",
    object: {
      spec: {
        scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "none" },
        maxReplicas: 3,
        metrics: [
          { type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 50 } } },
        ],
      },
    },
    change: { spec: { maxReplicas: 4 } },
    without: ["status"],
  },
  {
    group: "autoscaling",
    version: "v1",
    resource: "horizontalpodautoscalers",
    kind: "HorizontalPodAutoscaler",
    object: {
      spec: {
        scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "none" },
        maxReplicas: 3,
        targetCPUUtilizationPercentage: 70,
      },
    },
    change: { spec: { maxReplicas: 4 } },
    without: ["status", "annotations"],
  },
  {
    group: "batch",
    version: "v1",
    resource: "jobs",
    kind: "Job",
    object: { spec: { suspend: true, template: { spec: { ...pod, restartPolicy: "Never" } } } },
    change: { spec: { backoffLimit: 3 } },
    without: ["status"],
  },
  {
    group: "batch",
    version: "v1",
    resource: "cronjobs",
    kind: "CronJob",
    object: {
      spec: {
        schedule: "1 2 3 4 5",
        suspend: true,
        jobTemplate: { spec: { template: { spec: { ...pod, restartPolicy: "Never" } } } },
      },
    },
    change: { spec: { schedule: "2 2 2 2 2" } },
    status: { lastScheduleTime: "2026-01-01T00:00:00Z" },
  },
  {
    group: "certificates.k8s.io",
    version: "v1",
    resource: "certificatesigningrequests",
    kind: "CertificateSigningRequest",
    cluster: true,
    object: {
      spec: {
        request:
          "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlIS01IRUNBUUF3RHpFTk1Bc0dBMVVFQXd3RWRHVnpkREJaTUJNR0J5cUdTTTQ5QWdFR0NDcUdTTTQ5QXdFSApBMElBQk82a1E2WHAyQnBKS3FRNjUrWkk5QjZuRkxjbElHVjdyRmduN2VaS091OVdIZWhpUUdacktpSlJIOVh6Cm8yVUFraUoyQmk3ZXovT21nbkZoSGFsZDEzU2dBREFLQmdncWhrak9QUVFEQWdOSkFEQkdBaUVBc0JmYmNoUG4KTkFpc21hY1lLeEdDbGJ4cEtjY3o4dzdqbGxudGU4RHhiVEVDSVFDZUg1SHhya3VWb2RUVzVYUnlZRU85SDliWAo0Zk9Uc3JqQ0MvTnc2a2hlM1E9PQotLS0tLUVORCBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0K",
        signerName: "example.com/test",
        usages: ["client auth"],
      },
    },
    without: ["groups", "uid", "extra", "username"],
  },
  {
    group: "coordination.k8s.io",
    version: "v1",
    resource: "leases",
    kind: "Lease",
    object: { spec: { holderIdentity: "a", leaseDurationSeconds: 10, renewTime: "2026-01-01T00:00:00.000000Z" } },
    change: { spec: { holderIdentity: "b" } },
  },
  {
    group: "discovery.k8s.io",
    version: "v1",
    resource: "endpointslices",
    kind: "EndpointSlice",
    object: { addressType: "IPv4", endpoints: [{ addresses: ["10.1.2.3"] }], ports: [{ port: 80 }] },
    change: { endpoints: [{ addresses: ["10.1.2.4"] }] },
  },
  {
    group: "events.k8s.io",
    version: "v1",
    resource: "events",
    kind: "Event",
    object: {
      eventTime: "2026-01-01T00:00:00.000000Z",
      reportingController: "example.com/c",
      reportingInstance: "i",
      action: "Test",
      reason: "Tested",
      type: "Normal",
      note: "n",
      regarding: { kind: "Pod", name: "p", namespace: "$NS" },
    },
  },
  {
    group: "flowcontrol.apiserver.k8s.io",
    version: "v1",
    resource: "flowschemas",
    kind: "FlowSchema",
    cluster: true,
    object: {
      spec: {
        priorityLevelConfiguration: { name: "none-$RUN" },
        matchingPrecedence: 9000,
        rules: [
          {
            subjects: [{ kind: "User", user: { name: "nobody" } }],
            nonResourceRules: [{ verbs: ["get"], nonResourceURLs: ["/none"] }],
          },
        ],
      },
    },
    without: ["status"],
  },
  {
    group: "flowcontrol.apiserver.k8s.io",
    version: "v1",
    resource: "prioritylevelconfigurations",
    kind: "PriorityLevelConfiguration",
    cluster: true,
    object: { spec: { type: "Limited", limited: { nominalConcurrencyShares: 5, limitResponse: { type: "Reject" } } } },
    without: ["status"],
  },
  {
    group: "networking.k8s.io",
    version: "v1",
    resource: "ingressclasses",
    kind: "IngressClass",
    cluster: true,
    object: { spec: { controller: "example.com/c" } },
  },
  {
    group: "networking.k8s.io",
    version: "v1",
    resource: "ingresses",
    kind: "Ingress",
    object: { spec: { defaultBackend: { service: { name: "s", port: { number: 80 } } } } },
    status: { loadBalancer: { ingress: [{ ip: "1.2.3.4" }] } },
  },
  {
    group: "networking.k8s.io",
    version: "v1",
    resource: "ipaddresses",
    kind: "IPAddress",
    cluster: true,
    name: "10.97.1.2",
    object: { spec: { parentRef: { group: "", resource: "services", namespace: "$NS", name: "none" } } },
  },
  {
    group: "networking.k8s.io",
    version: "v1",
    resource: "networkpolicies",
    kind: "NetworkPolicy",
    object: { spec: { podSelector: {}, ingress: [{}] } },
  },
  {
    group: "networking.k8s.io",
    version: "v1",
    resource: "servicecidrs",
    kind: "ServiceCIDR",
    cluster: true,
    object: { spec: { cidrs: ["10.98.0.0/24"] } },
    without: ["status", "finalizers"],
  },
  {
    group: "node.k8s.io",
    version: "v1",
    resource: "runtimeclasses",
    kind: "RuntimeClass",
    cluster: true,
    object: { handler: "h" },
  },
  {
    group: "policy",
    version: "v1",
    resource: "poddisruptionbudgets",
    kind: "PodDisruptionBudget",
    object: { spec: { minAvailable: 1, selector } },
    change: { spec: { minAvailable: 2 } },
    without: ["status"],
  },
  {
    group: "rbac.authorization.k8s.io",
    version: "v1",
    resource: "clusterroles",
    kind: "ClusterRole",
    cluster: true,
    object: { rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["get"] }] },
  },
  {
    group: "rbac.authorization.k8s.io",
    version: "v1",
    resource: "roles",
    kind: "Role",
    object: { rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["get"] }] },
  },
  {
    group: "rbac.authorization.k8s.io",
    version: "v1",
    resource: "clusterrolebindings",
    kind: "ClusterRoleBinding",
    cluster: true,
    object: {
      roleRef: { kind: "ClusterRole", name: "none", apiGroup: "rbac.authorization.k8s.io" },
      subjects: [{ kind: "User", name: "u" }],
    },
  },
  {
    group: "rbac.authorization.k8s.io",
    version: "v1",
    resource: "rolebindings",
    kind: "RoleBinding",
    object: {
      roleRef: { kind: "Role", name: "none", apiGroup: "rbac.authorization.k8s.io" },
      subjects: [{ kind: "ServiceAccount", name: "s", namespace: "$NS" }],
    },
  },
  {
    group: "resource.k8s.io",
    version: "v1",
    resource: "deviceclasses",
    kind: "DeviceClass",
    cluster: true,
    object: { spec: { selectors: [{ cel: { expression: "device.driver == 'd.example.com'" } }] } },
  },
  {
    group: "resource.k8s.io",
    version: "v1",
    resource: "resourceclaims",
    kind: "ResourceClaim",
    object: { spec: { devices: { requests: [{ name: "r", exactly: { deviceClassName: "c" } }] } } },
  },
  {
    group: "resource.k8s.io",
    version: "v1",
    resource: "resourceclaimtemplates",
    kind: "ResourceClaimTemplate",
    object: { spec: { spec: { devices: { requests: [{ name: "r", exactly: { deviceClassName: "c" } }] } } } },
  },
  {
    group: "resource.k8s.io",
    version: "v1",
    resource: "resourceslices",
    kind: "ResourceSlice",
    cluster: true,
    object: {
      spec: {
        driver: "d.example.com",
        allNodes: true,
        pool: { name: "p", generation: 1, resourceSliceCount: 1 },
        devices: [{ name: "d1" }],
      },
    },
  },
  {
    group: "scheduling.k8s.io",
    version: "v1",
    resource: "priorityclasses",
    kind: "PriorityClass",
    cluster: true,
    object: { value: 10 },
  },
  {
    group: "storage.k8s.io",
    version: "v1",
    resource: "csidrivers",
    kind: "CSIDriver",
    cluster: true,
    object: { spec: {} },
  },
  {
    group: "storage.k8s.io",
    version: "v1",
    resource: "csinodes",
    kind: "CSINode",
    cluster: true,
    object: { spec: { drivers: [{ name: "d.example.com", nodeID: "i", topologyKeys: null }] } },
  },
  {
    group: "storage.k8s.io",
    version: "v1",
    resource: "csistoragecapacities",
    kind: "CSIStorageCapacity",
    object: { storageClassName: "s", capacity: "1Gi", nodeTopology: {} },
  },
  {
    group: "storage.k8s.io",
    version: "v1",
    resource: "storageclasses",
    kind: "StorageClass",
    cluster: true,
    object: { provisioner: "example.com/p" },
  },
  {
    group: "storage.k8s.io",
    version: "v1",
    resource: "volumeattachments",
    kind: "VolumeAttachment",
    cluster: true,
    object: { spec: { attacher: "a.example.com", nodeName: "n", source: { persistentVolumeName: "v" } } },
    status: { attached: false },
  },
  {
    group: "storage.k8s.io",
    version: "v1",
    resource: "volumeattributesclasses",
    kind: "VolumeAttributesClass",
    cluster: true,
    object: { driverName: "example.com/d", parameters: { a: "b" } },
  },
  {
    group: "apiregistration.k8s.io",
    version: "v1",
    resource: "apiservices",
    kind: "APIService",
    cluster: true,
    name: "v1.$RUN.example.org",
    object: {
      spec: {
        group: "$RUN.example.org",
        version: "v1",
        groupPriorityMinimum: 100,
        versionPriority: 10,
        insecureSkipTLSVerify: true,
        service: { namespace: "$NS", name: "none" },
      },
    },
    without: ["status"],
  },
];

function lifeOf(sample: Sample): Group {
  const { group, version, resource, kind, cluster, object, change = label, status, without } = sample;
  const root = group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
  const collection = `${root}${cluster ? "" : "/namespaces/$NS"}/${resource}`;
  const name = sample.name ?? "$RUN-a";
  const at = `${collection}/${name}`;
  const apiVersion = group === "" ? version : `${group}/${version}`;
  const whole = { apiVersion, kind, metadata: { name }, ...object };
  const only = without ? { without } : {};
  const merge = { "content-type": MERGE };
  const steps: Step[] = [
    { name: "create as a dry run", method: "POST", path: `${collection}?dryRun=All`, body: whole, ...only },
    { name: "create", method: "POST", path: collection, body: whole, ...only },
    { name: "create again", method: "POST", path: collection, body: whole },
    {
      name: "create with a bad name",
      method: "POST",
      path: collection,
      body: { ...whole, metadata: { name: "A_$RUN" } },
      ...only,
    },
    ...["labels", "annotations"].map((field) => ({
      name: `create with bad ${field}`,
      method: "POST",
      path: collection,
      body: { ...whole, metadata: { name: "$RUN-c", [field]: { "-a": "b" } } },
    })),
    {
      name: "create with a bad finalizer",
      method: "POST",
      path: `${collection}?dryRun=All`,
      body: { ...whole, metadata: { name, finalizers: ["a b", "c"] } },
      ...only,
    },
    {
      name: "create with a bad generated name",
      method: "POST",
      path: `${collection}?dryRun=All`,
      body: { ...whole, metadata: { generateName: "A.generated-" } },
      ...only,
    },
    {
      name: "create nothing but a name",
      method: "POST",
      path: collection,
      body: { apiVersion, kind, metadata: { name: "$RUN-b" } },
      ...only,
    },
    { name: "delete what that may have made", method: "DELETE", path: `${collection}/$RUN-b`, ...only },
    {
      name: "create with an unknown field, strictly",
      method: "POST",
      path: `${collection}?fieldValidation=Strict`,
      body: { ...whole, metadata: { name: "$RUN-c" }, nothing: 1 },
    },
    {
      name: "create from a wrong type",
      method: "POST",
      path: collection,
      body: { ...whole, metadata: { name: "$RUN-c", labels: [] } },
    },
    { name: "get", method: "GET", path: at, ...only },
    {
      name: "get as a table",
      method: "GET",
      path: at,
      headers: { accept: "application/json;as=Table;g=meta.k8s.io;v=v1" },
      ...only,
    },
    {
      name: "get as metadata",
      method: "GET",
      path: at,
      headers: { accept: "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1" },
      ...only,
    },
    { name: "get what is not there", method: "GET", path: `${collection}/$RUN-none` },
    { name: "list", method: "GET", path: `${collection}?fieldSelector=metadata.name%3D${name}`, ...only },
    { name: "patch", method: "PATCH", path: at, headers: merge, body: change, ...only },
    { name: "patch without a change", method: "PATCH", path: at, headers: merge, body: change, ...only },
    {
      name: "patch the labels by steps",
      method: "PATCH",
      path: at,
      headers: { "content-type": JSON_PATCH },
      body: [{ op: "add", path: "/metadata/labels", value: { b: "c" } }],
      ...only,
    },
    ...["labels", "annotations"].map((field) => ({
      name: `patch with bad ${field}`,
      method: "PATCH",
      path: at,
      headers: merge,
      body: { metadata: { [field]: { "-a": "b" } } },
    })),
    {
      name: "patch with bad finalizers",
      method: "PATCH",
      path: `${at}?dryRun=All`,
      headers: merge,
      body: { metadata: { finalizers: ["a b", "c"] } },
      ...only,
    },
    {
      name: "patch with bad owners",
      method: "PATCH",
      path: at,
      headers: merge,
      body: {
        metadata: {
          ownerReferences: [
            { apiVersion: "", kind: "", name: "", uid: "", controller: true },
            { apiVersion: "v1", kind: "Event", name: "e", uid: "u", controller: true },
          ],
        },
      },
    },
    ...(status
      ? [
          ...["labels", "annotations"].map((field) => ({
            name: `patch the status with bad ${field}`,
            method: "PATCH",
            path: `${at}/status?dryRun=All`,
            headers: merge,
            body: { metadata: { [field]: { "-a": "b" } } },
            ...only,
          })),
          { name: "get the status", method: "GET", path: `${at}/status`, ...only },
          {
            name: "patch the status",
            method: "PATCH",
            path: `${at}/status`,
            headers: merge,
            body: { status, metadata: { labels: { s: "t" } } },
            ...only,
          },
        ]
      : []),
    { name: "a subresource that is not there", method: "GET", path: `${at}/nothing` },
    {
      name: "replace what is not there",
      method: "PUT",
      path: `${collection}/$RUN-none`,
      body: { ...whole, metadata: { name: "$RUN-none" } },
      ...only,
    },
    { name: "delete as a dry run", method: "DELETE", path: `${at}?dryRun=All`, ...only },
    { name: "delete", method: "DELETE", path: `${at}?gracePeriodSeconds=0&propagationPolicy=Background`, ...only },
    {
      name: "delete again",
      method: "DELETE",
      path: at,
      ...(kind === "Namespace" || without?.includes("finalizers") ? { uncompared: "" } : {}),
      ...only,
    },
  ];
  return { name: `${kind} of ${apiVersion}`, steps: steps.filter(({ uncompared }) => uncompared === undefined) };
}

export const kindGroups: readonly Group[] = samples.map(lifeOf);
