import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describeWith, programPath } from "@tiphys/testing";
import { type ServedCluster, servedCluster } from "../testing/served-cluster.js";

const pod = (name: string, code: number) => `
    metadata: {annotations: {tiphys.dev/fate: '{"exitCode":${code},"endAfter":50}'}}
    spec: {restartPolicy: Never, containers: [{name: ${name}, image: x}]}`;
const chart: Readonly<Record<string, string>> = {
  "Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.2.3\nappVersion: '7'\n",
  "values.yaml": "replicas: 1\ncolor: red\nfails: 0\n",
  "templates/config.yaml":
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ .Release.Name }}-config'}\ndata: {color: '{{ .Values.color }}', kube: '{{ .Capabilities.KubeVersion.Version }}'}\n",
  "templates/web.yaml": `apiVersion: apps/v1
kind: Deployment
metadata: {name: '{{ .Release.Name }}', labels: {app: web}}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}, annotations: {color: '{{ .Values.color }}'}}
    spec: {containers: [{name: web, image: 'nginx', ports: [{containerPort: 80}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: '{{ .Release.Name }}'}
spec: {selector: {app: web}, ports: [{port: 80}]}
`,
  "templates/hook.yaml": `apiVersion: batch/v1
kind: Job
metadata:
  name: '{{ .Release.Name }}-before'
  annotations: {helm.sh/hook: 'pre-install,pre-upgrade', helm.sh/hook-delete-policy: 'before-hook-creation'}
spec:
  backoffLimit: 0
  template:${pod("before", 0).replace('"exitCode":0', '"exitCode":{{ .Values.fails }}')}
`.replace(/^ {4}(metadata|spec): \{(annot|restart)/gm, "    $1: {$2"),
  "templates/tests/check.yaml": `apiVersion: v1
kind: Pod
metadata:
  name: '{{ .Release.Name }}-check'
  annotations: {helm.sh/hook: test, tiphys.dev/fate: '{"exitCode":0,"endAfter":50}'}
spec: {restartPolicy: Never, containers: [{name: check, image: x}]}
`,
  "templates/NOTES.txt": "The shop is {{ .Values.color }}.\n",
};

interface HelmStep {
  readonly args: string;
  readonly code?: number;
  readonly says?: RegExp;
}

const steps: readonly HelmStep[] = [
  { args: "install shop CHART --wait --timeout 60s", says: /STATUS: deployed\nREVISION: 1[\s\S]*The shop is red/ },
  { args: "install shop CHART", code: 1, says: /cannot re-?use a name/ },
  { args: "status shop", says: /STATUS: deployed/ },
  { args: "test shop --timeout 60s", says: /Phase: +Succeeded/ },
  { args: "get manifest shop", says: /color: 'red', kube: 'v1\.\d+/ },
  { args: "get hooks shop", says: /shop-before/ },
  { args: "get notes shop", says: /The shop is red/ },
  { args: "upgrade shop CHART --set color=blue,replicas=2 --wait --timeout 60s", says: /REVISION: 2/ },
  { args: "get values shop", says: /color: blue/ },
  { args: "upgrade shop CHART --set fails=3 --wait --timeout 60s", code: 1, says: /pre-upgrade hooks failed/ },
  { args: "history shop", says: /1 +.*superseded[\s\S]*2 +.*deployed[\s\S]*3 +.*failed/ },
  { args: "rollback shop 1 --wait --timeout 60s", says: /Rollback was a success/ },
  { args: "history shop", says: /\n4\s.*deployed.*Rollback to 1/ },
  { args: "get values shop --all", says: /color: red/ },
  { args: "list", says: /shop\s+default\s+4/ },
  {
    args: "upgrade --install other CHART --set color=green --dry-run=server",
    says: /STATUS: pending-install[\s\S]*green/,
  },
  { args: "uninstall shop --wait --timeout 60s", says: /release "shop" uninstalled/ },
  { args: "list -q", says: /^$/ },
  { args: "status shop", code: 1, says: /not found/ },
];

describeWith(["helm"], "helm on the embedded cluster", () => {
  const outcomes: { code: number; output: string }[] = [];
  let cluster: ServedCluster | undefined;

  beforeAll(async () => {
    cluster = await servedCluster();
    const { home, kubeconfig } = cluster;
    const folder = join(home, "shop");
    for (const [path, text] of Object.entries(chart)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    for (const { args } of steps) {
      outcomes.push(
        await new Promise((resolve) => {
          execFile(
            programPath("helm") ?? "",
            args.replace("CHART", folder).split(" "),
            { timeout: 90_000, env: { PATH: process.env["PATH"], HOME: home, KUBECONFIG: kubeconfig } },
            (error, stdout, stderr) => resolve({ code: error ? Number(error.code ?? 1) : 0, output: stdout + stderr }),
          );
        }),
      );
    }
  }, 240_000);
  afterAll(() => cluster?.stop());

  it.each(steps.map((step, index) => ({ ...step, index })))("$index helm $args", ({ index, code = 0, says }) => {
    const outcome = outcomes[index];
    expect(outcome).toMatchObject({ code });
    if (says) expect(outcome?.output).toMatch(says);
  });
});
