import { randomBytes } from "node:crypto";
import { systemClock } from "@tiphys/clock";
import { clusterAdmin } from "@tiphys/identity";
import { createHttpKubeClient, type KubeClient, loadKubeconfig } from "@tiphys/kube";
import { createEmbeddedKube } from "@tiphys/kube-embedded";
import { type Application, applicationCrd, appProjectCrd } from "@tiphys/resources";
import { silentLogger } from "@tiphys/telemetry";
import { describeWith, realClusterKubeconfig } from "@tiphys/testing";
import { type DeliveryLine, openDeliveryLine } from "./testdata/delivery-line.js";

const automated = { syncPolicy: { automated: { prune: true, selfHeal: true } } };
const healthy = (revision?: string) => (app: Application) =>
  app.status?.sync?.status === "Synced" &&
  app.status.health?.status === "Healthy" &&
  app.status.operationState?.phase === "Succeeded" &&
  (revision === undefined || app.status.sync.revision === revision);

const yaml = (kind: string, name: string, rest = "") =>
  `apiVersion: v1\nkind: ${kind}\nmetadata:\n  name: ${name}\n${rest}`;

const chart = (folder: string): Record<string, string> => ({
  [`${folder}/Chart.yaml`]: "apiVersion: v2\nname: web\nversion: 1.2.3\n",
  [`${folder}/values.yaml`]: "greeting: hello\nsize: 1\nrevision: none\n",
  [`${folder}/values-prod.yaml`]: "greeting: welcome\n",
  [`${folder}/templates/_helpers.tpl`]: '{{ define "web.name" }}{{ .Release.Name }}-{{ .Chart.Name }}{{ end }}\n',
  [`${folder}/templates/config.yaml`]: [
    "apiVersion: v1",
    "kind: ConfigMap",
    "metadata:",
    '  name: {{ include "web.name" . }}',
    "data:",
    "  greeting: {{ .Values.greeting | quote }}",
    "  size: {{ .Values.size | quote }}",
    "  namespace: {{ .Release.Namespace }}",
    "  revision: {{ .Values.revision | quote }}",
    '  served: {{ .Capabilities.APIVersions.Has "argoproj.io/v1alpha1/Application" | quote }}',
    "  minor: {{ .Capabilities.KubeVersion.Minor | quote }}",
    "",
  ].join("\n"),
});

function renders(open: () => Promise<{ client: KubeClient; close(): Promise<void> }>): void {
  let cluster: Awaited<ReturnType<typeof open>>;
  let line: DeliveryLine;
  beforeAll(async () => {
    cluster = await open();
  });
  afterAll(() => cluster.close());
  beforeEach(async () => {
    line = await openDeliveryLine(cluster.client);
  });
  afterEach(() => line.close());

  it("given a chart in Git, when its values change by file and parameter, then the cluster follows", async () => {
    const sha = line.commit(chart("app"));
    const helm = {
      valueFiles: ["values-prod.yaml", "values-$ARGOCD_APP_NAME.yaml"],
      ignoreMissingValueFiles: true,
      parameters: [
        { name: "size", value: "3" },
        { name: "revision", value: "$ARGOCD_APP_REVISION_SHORT", forceString: true },
      ],
    };
    await line.create(line.shop, {
      ...automated,
      source: { repoURL: line.repository.url, path: "app", targetRevision: "main", helm },
    });
    const app = await line.reaches(line.shop, healthy(sha));
    expect(app.status).toMatchObject({ sourceType: "Helm", sync: { comparedTo: { source: { helm } } } });
    const config = async () => (await line.object("v1", "ConfigMap", `${line.shop}-web`))?.["data"];
    expect(await config()).toEqual({
      greeting: "welcome",
      size: "3",
      namespace: line.destination,
      revision: sha.slice(0, 7),
      served: "true",
      minor: expect.stringMatching(/^\d+/),
    });
    const next = line.commit({ [`app/values-${line.shop}.yaml`]: "greeting: hi\n" });
    await line.reaches(line.shop, healthy(next));
    expect(await config()).toMatchObject({ greeting: "hi", size: "3", revision: next.slice(0, 7) });
  });

  it("given a chart with hooks, definitions and tests, then they are installed, run in their phases, and left out", async () => {
    const group = `${line.destination}.example.com`;
    const hook = (name: string, when: string) =>
      yaml(
        "ConfigMap",
        name,
        `  annotations:\n    helm.sh/hook: ${when}\n    helm.sh/hook-delete-policy: before-hook-creation\n`,
      );
    line.commit({
      ...chart("app"),
      "app/crds/widget.yaml": `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.${group}}
spec:
  group: ${group}
  scope: Namespaced
  names: {kind: Widget, plural: widgets, singular: widget}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
`,
      "app/templates/widget.yaml": `apiVersion: ${group}/v1\nkind: Widget\nmetadata: {name: first}\n`,
      "app/templates/before.yaml": hook("before", "pre-install,pre-upgrade"),
      "app/templates/after.yaml": hook("after", "post-install"),
      "app/templates/test.yaml": hook("probe", "test"),
    });
    await line.create(line.shop, automated);
    const app = await line.reaches(line.shop, healthy());
    const results = app.status?.operationState?.syncResult?.resources ?? [];
    const names = results.map(({ kind, name }) => `${kind} ${name}`);
    expect([names[0], names.at(-1)]).toEqual(["ConfigMap before", "ConfigMap after"]);
    expect(new Set(names.slice(1, -1))).toEqual(
      new Set([`ConfigMap ${line.shop}-web`, `CustomResourceDefinition widgets.${group}`, "Widget first"]),
    );
    expect(results.filter(({ hookType }) => hookType).map(({ name, hookType }) => [name, hookType])).toEqual([
      ["before", "PreSync"],
      ["after", "PostSync"],
    ]);
    expect(await line.object(`${group}/v1`, "Widget", "first")).toBeDefined();
    expect(await line.object("v1", "ConfigMap", "probe")).toBeUndefined();
  });

  it("given an overlay over ../base, when the application names images, replicas and more, then they are in it", async () => {
    const sha = line.commit({
      "base/kustomization.yaml": "resources: [deployment.yaml]\n",
      "base/deployment.yaml": `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "nginx:1"}]}
`,
      "app/kustomization.yaml":
        "resources: [../base]\nconfigMapGenerator: [{name: settings, literals: [a=1], options: {disableNameSuffixHash: true}}]\n",
      "parts/limits/kustomization.yaml":
        "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\ncommonAnnotations: {limited: 'yes'}\n",
    });
    await line.create(line.shop, {
      syncPolicy: {},
      source: {
        repoURL: line.repository.url,
        path: "app",
        targetRevision: "main",
        kustomize: {
          namePrefix: "my-",
          images: ["nginx=registry.example.com/nginx:$ARGOCD_APP_REVISION_SHORT"],
          replicas: [{ name: "web", count: 0 }],
          commonLabels: { team: "shop" },
          commonAnnotations: { app: "${ARGOCD_APP_NAME}" },
          commonAnnotationsEnvsubst: true,
          components: ["../parts/limits", "../parts/none"],
          ignoreMissingComponents: true,
          patches: [{ target: { kind: "Deployment" }, patch: "- {op: add, path: /spec/minReadySeconds, value: 3}" }],
        },
      },
    });
    await line.reaches(line.shop, (each) => each.status?.sync?.status === "OutOfSync");
    await line.client.patch(
      await line.client.resourceFor("argoproj.io/v1alpha1", "Application"),
      { namespace: line.control, name: line.shop },
      { type: "merge", body: { operation: { sync: {} } } },
    );
    const app = await line.reaches(line.shop, (each) => each.status?.operationState?.phase === "Succeeded");
    expect(app.status?.sourceType).toBe("Kustomize");
    expect(await line.object("apps/v1", "Deployment", "my-web")).toMatchObject({
      metadata: { labels: { team: "shop" }, annotations: { app: line.shop, limited: "yes" } },
      spec: {
        replicas: 0,
        minReadySeconds: 3,
        selector: { matchLabels: { app: "web", team: "shop" } },
        template: { spec: { containers: [{ image: `registry.example.com/nginx:${sha.slice(0, 7)}` }] } },
      },
    });
    expect(await line.object("v1", "ConfigMap", "my-settings")).toBeDefined();
  });

  it("given Jsonnet with arguments and a library, then its objects are delivered", async () => {
    const sha = line.commit({
      "app/main.jsonnet": `local lib = import 'names.libsonnet';
function(tier, count) [
  { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: lib.name(tier) + '-' + i }, data: { app: std.extVar('app') } }
  for i in std.range(1, count)
]`,
      "vendor/names.libsonnet": "{ name(tier): 'settings-' + tier }",
    });
    const jsonnet = {
      tlas: [
        { name: "tier", value: "gold" },
        { name: "count", value: "2", code: true },
      ],
      extVars: [{ name: "app", value: "$ARGOCD_APP_NAME" }],
      libs: ["vendor"],
    };
    await line.create(line.shop, {
      ...automated,
      source: { repoURL: line.repository.url, path: "app", targetRevision: "main", directory: { jsonnet } },
    });
    const app = await line.reaches(line.shop, healthy(sha));
    expect(app.status?.sourceType).toBe("Directory");
    expect(app.status?.resources?.map(({ name }) => name)).toEqual(["settings-gold-1", "settings-gold-2"]);
    expect((await line.object("v1", "ConfigMap", "settings-gold-2"))?.["data"]).toEqual({ app: line.shop });
  });

  it("given several sources, one of them the values of another, then all are delivered as one", async () => {
    const sha = line.commit({
      ...chart("charts/web"),
      "env/prod/web.yaml": "greeting: from values\n",
      "plain/a.yaml": yaml("ConfigMap", "plain"),
    });
    const { url: repoURL } = line.repository;
    const sources = [
      {
        repoURL,
        path: "charts/web",
        targetRevision: "main",
        helm: { valueFiles: ["values-prod.yaml", "$values/env/prod/*.yaml"] },
      },
      { repoURL, targetRevision: "main", ref: "values" },
      { repoURL, path: "plain", targetRevision: "main" },
    ];
    // The line's own spec has a source, which the list outranks.
    await line.create(line.shop, { ...automated, sources });
    const app = await line.reaches(line.shop, (each) => healthy()(each) && each.status?.sync?.revisions?.[2] === sha);
    expect(app.status).toMatchObject({
      sourceTypes: ["Helm", "", "Directory"],
      sync: { revisions: [sha, sha, sha], comparedTo: { sources } },
      history: [{ id: 0, revisions: [sha, sha, sha], sources }],
      operationState: { syncResult: { revisions: [sha, sha, sha], sources } },
    });
    expect((await line.object("v1", "ConfigMap", `${line.shop}-web`))?.["data"]).toMatchObject({
      greeting: "from values",
    });
    expect(await line.object("v1", "ConfigMap", "plain")).toBeDefined();
    const next = line.commit({ "env/prod/web.yaml": "greeting: changed\n" });
    await line.reaches(line.shop, (each) => healthy()(each) && each.status?.sync?.revisions?.[0] === next);
    expect((await line.object("v1", "ConfigMap", `${line.shop}-web`))?.["data"]).toMatchObject({ greeting: "changed" });
    await line.client.patch(
      await line.client.resourceFor("argoproj.io/v1alpha1", "Application"),
      { namespace: line.control, name: line.shop },
      { type: "merge", body: { spec: { syncPolicy: null }, operation: { sync: { revisions: [sha, sha, sha] } } } },
    );
    const back = await line.reaches(line.shop, (each) => each.status?.history?.length === 3);
    expect(back.status?.history?.[2]).toMatchObject({ revisions: [sha, sha, sha] });
    expect((await line.object("v1", "ConfigMap", `${line.shop}-web`))?.["data"]).toMatchObject({
      greeting: "from values",
    });
  });
}

describeWith(["git"], "sources of every kind into the embedded cluster", () => {
  renders(async () => {
    const kube = await createEmbeddedKube({
      clock: systemClock(),
      random: randomBytes,
      log: silentLogger,
      crds: [applicationCrd, appProjectCrd],
    });
    return { client: kube.client(clusterAdmin), close: () => kube.stop() };
  });
});

describeWith(["real-cluster", "git"], "sources of every kind into a real cluster", () => {
  renders(async () => {
    const connection = await loadKubeconfig({ path: realClusterKubeconfig() ?? "" });
    const client = createHttpKubeClient({ connection, log: silentLogger, clock: systemClock() });
    return { client, close: async () => client.close() };
  });
});
