/** One call of kubectl. `NS` stands for the namespace. */
export interface KubectlStep {
  readonly args: string;
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Exit code; absent: 0. */
  readonly code?: number;
  /** What of the output is compared: all of it, its lines with types of fields, or its exit code alone. */
  readonly compare?: "all" | "fields" | "code";
  /** The output of the embedded side has to match. */
  readonly says?: RegExp;
  /** Needs a node, which a shared control plane has none of: played on the embedded side alone. */
  readonly embedded?: true;
}

const map = (data: string, more = "") =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: applied, namespace: NS${more}}\ndata: ${data}\n`;
const deployment = (image: string, replicas = 0) => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: NS, labels: {app: web}}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: c, image: "${image}", ports: [{containerPort: 80}]}]
`;

const explained: readonly KubectlStep[] = [
  "pods",
  "pods.spec.containers --recursive",
  "deployments.spec.strategy",
  "jobs.spec",
  "ingress.spec.rules",
  "services.spec.ports",
  "roles.rules",
  "hpa.spec --api-version=autoscaling/v1",
  "hpa.spec.metrics",
  "crds.spec.versions",
  "events --api-version=events.k8s.io/v1",
  "validatingwebhookconfigurations.webhooks",
  "storageclasses",
  "leases.spec",
].map((what) => ({ args: `explain ${what}`, compare: "fields" as const }));
/** Differs in one word, which docs/compatibility.md names. */
const explainedDeeply: KubectlStep = { args: "explain cronjobs.spec.jobTemplate.spec --recursive", compare: "code" };

const created: readonly KubectlStep[] = [
  "configmap c --from-literal=a=b",
  "secret generic s --from-literal=a=b",
  "secret tls t --cert=/dev/null --key=/dev/null",
  "serviceaccount sa",
  "deployment d --image=x --replicas=0",
  "job j --image=x",
  "cronjob cj --image=x --schedule=*/5****",
  "service clusterip svc --tcp=80:80",
  "service externalname ext --external-name=example.com",
  "ingress i --rule=example.com/*=svc:80",
  "role r --verb=get,list --resource=pods,deployments.apps",
  "rolebinding rb --role=r --user=u",
  "quota q --hard=pods=3",
  "pdb p --selector=app=web --min-available=1",
  "priorityclass NS-pc --value=7",
  "clusterrole NS-cr --verb=get --resource=nodes",
].map((what) => ({
  args: `create ${what} --dry-run=server -o yaml`,
  ...(what.startsWith("secret tls") || what.startsWith("cronjob") ? { compare: "code" as const, code: 1 } : {}),
}));

export const kubectlSteps: readonly KubectlStep[] = [
  { args: "version", compare: "code", says: /Server Version: v1\./ },
  { args: "cluster-info", compare: "code", says: /control plane/ },
  { args: "api-versions", compare: "code", says: /flowcontrol\.apiserver\.k8s\.io\/v1/ },
  {
    args: "api-resources",
    compare: "code",
    says: /horizontalpodautoscalers +hpa +autoscaling\/v2 +true +HorizontalPodAutoscaler/,
  },
  { args: "api-resources --api-group=apps -o wide" },
  { args: "get --raw /apis/batch", compare: "all" },
  ...explained,
  explainedDeeply,
  { args: "explain pods.spec.nothing", code: 1 },
  { args: "explain pods.spec.containers --output plaintext-openapiv2", compare: "fields", says: /FIELDS/ },
  ...created,
  { args: "apply -f -", input: map("{a: '1'}") },
  { args: "apply -f -", input: map("{a: '1'}") },
  { args: "diff -f -", input: map("{a: '2'}"), code: 1, compare: "code", says: /\+ {2}a: "2"/ },
  { args: "diff -f -", input: map("{a: '1'}") },
  { args: "apply -f -", input: map("{b: '2'}") },
  { args: "get configmap applied -n NS -o yaml" },
  { args: "apply --server-side -f -", input: map("{b: '2'}") },
  // Differs in the times of entries that an apply left as they were: docs/compatibility.md.
  { args: "get configmap applied -n NS -o yaml --show-managed-fields", compare: "code" },
  { args: "apply --server-side --field-manager=other -f -", input: map("{b: '4'}"), code: 1 },
  { args: "apply --server-side --field-manager=other --force-conflicts -f -", input: map("{b: '4'}") },
  { args: "apply -f -", input: map("{b: '4'}", ", nothing: x"), code: 1 },
  { args: "create --validate=strict -f -", input: map("{b: '4'}\nnothing: x").replace("applied", "strict"), code: 1 },
  { args: "create --validate=warn -f -", input: map("{b: '4'}\nnothing: x").replace("applied", "warned") },
  { args: "create --validate=ignore -f -", input: map("{b: '4'}\nnothing: x").replace("applied", "ignored") },
  { args: "label configmap applied -n NS a=b" },
  { args: "label configmap applied -n NS a=c", code: 1 },
  { args: "label configmap applied -n NS a=c --overwrite" },
  { args: "label configmap applied -n NS a-" },
  { args: "annotate configmap applied -n NS note=text" },
  { args: 'patch configmap applied -n NS -p {"data":{"p":"1"}}' },
  { args: 'patch configmap applied -n NS --type=json -p [{"op":"remove","path":"/data/p"}]' },
  { args: 'patch configmap applied -n NS --type=json -p [{"op":"remove","path":"/data/p"}]', code: 1 },
  { args: "get configmaps -n NS -l note" },
  { args: "get configmap applied -n NS -o name" },
  { args: "get configmap applied -n NS -o jsonpath={.data}" },
  { args: "get configmap applied -n NS -o custom-columns=N:.metadata.name,D:.data.b" },
  { args: "get configmap nothing -n NS", code: 1 },
  { args: "get nothings -n NS", code: 1 },
  { args: "wait --for=jsonpath={.data.b}=4 configmap/applied -n NS --timeout=5s" },
  { args: "wait --for=delete configmap/nothing -n NS --timeout=5s" },
  { args: "edit configmap applied -n NS", env: { KUBE_EDITOR: "sed -i s/note/noted/" } },
  { args: "replace -f -", input: map("{r: '1'}") },
  { args: "replace --force -f -", input: map("{r: '2'}") },
  { args: "describe configmap applied -n NS" },
  { args: "create -f -", input: deployment("nginx:1") },
  { args: "rollout status deployment/web -n NS --timeout=20s", says: /successfully rolled out/, compare: "code" },
  { args: "set image deployment/web -n NS c=nginx:2" },
  { args: "rollout status deployment/web -n NS --timeout=20s", says: /successfully rolled out/, compare: "code" },
  { args: "rollout history deployment/web -n NS" },
  { args: "rollout undo deployment/web -n NS" },
  { args: "rollout status deployment/web -n NS --timeout=20s", says: /successfully rolled out/, compare: "code" },
  { args: "get deployment web -n NS -o jsonpath={.spec.template.spec.containers[0].image}" },
  { args: "rollout restart deployment/web -n NS" },
  { args: "rollout pause deployment/web -n NS" },
  { args: "rollout resume deployment/web -n NS" },
  { args: "set env deployment/web -n NS A=b" },
  { args: "set resources deployment/web -n NS --limits=cpu=1" },
  { args: "set serviceaccount deployment/web -n NS default" },
  { args: "rollout status deployment/web -n NS --timeout=20s", says: /successfully rolled out/, compare: "code" },
  { args: "autoscale deployment web -n NS --min=1 --max=3 --cpu=80%" },
  { args: "delete hpa web -n NS" },
  { args: "expose deployment web -n NS --port=80" },
  { args: "get deployment,service -n NS" },
  { args: "get deployment web -n NS -o wide" },
  { args: "describe deployment web -n NS", compare: "code", says: /OldReplicaSets/ },
  { args: "describe service web -n NS", compare: "code", says: /Endpoints/ },
  { args: "describe namespace NS" },
  { args: "describe serviceaccount default -n NS", compare: "code", says: /Name: +default/ },
  { args: "events -n NS", compare: "code" },
  { args: "top pods -n NS", code: 1 },
  { args: "top nodes", code: 1 },
  { args: "scale deployment web -n NS --replicas=0" },
  { args: "scale deployment web -n NS --replicas=2", embedded: true },
  { args: "rollout status deployment/web -n NS --timeout=20s", embedded: true, says: /successfully rolled out/ },
  { args: "get pods -n NS -o wide", embedded: true, says: /Running/ },
  { args: "describe pods -n NS", embedded: true, says: /Node: +n1/ },
  { args: "describe node n1", embedded: true, says: /Allocated resources/ },
  { args: "cordon n1", embedded: true, says: /node\/n1 cordoned/ },
  {
    args: "drain n1 --ignore-daemonsets --force --delete-emptydir-data --timeout=20s",
    embedded: true,
    says: /node\/n1 drained/,
  },
  { args: "uncordon n1", embedded: true, says: /node\/n1 uncordoned/ },
  { args: "taint nodes n1 a=b:NoSchedule", embedded: true, says: /node\/n1 tainted/ },
  { args: "taint nodes n1 a-", embedded: true, says: /node\/n1 untainted/ },
  { args: "delete deployment web -n NS --cascade=foreground --timeout=20s" },
  { args: "delete service web -n NS" },
  { args: "delete configmap applied warned ignored -n NS" },
  { args: "delete configmap applied -n NS", code: 1 },
  { args: "delete configmap applied -n NS --ignore-not-found" },
  { args: "get all -n NS", compare: "code" },
];
