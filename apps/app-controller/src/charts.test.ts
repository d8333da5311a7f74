import { randomBytes } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname } from "node:path";
import { systemClock } from "@tiphys/clock";
import { createDialer } from "@tiphys/dialer";
import { clusterAdmin } from "@tiphys/identity";
import { createEmbeddedKube, type EmbeddedKube } from "@tiphys/kube-embedded";
import { buildArtifact, buildLayer, createRegistryClient, parseReference, pushPackage } from "@tiphys/oci";
import { type Application, types } from "@tiphys/resources";
import { noMetrics, silentLogger } from "@tiphys/telemetry";
import { describeWith, eventually, startGitServer, startRegistry, type TestRegistry } from "@tiphys/testing";
import { type DeliveryLine, openDeliveryLine } from "./testdata/delivery-line.js";

const automated = { syncPolicy: { automated: { prune: true, selfHeal: true } } };
const healthy = (revision: string) => (app: Application) =>
  app.status?.sync?.status === "Synced" &&
  app.status.health?.status === "Healthy" &&
  app.status.operationState?.phase === "Succeeded" &&
  app.status.sync.revision === revision;
const says = (text: string | RegExp) => (app: Application) =>
  app.status?.conditions?.some(({ message }) =>
    typeof text === "string" ? message.includes(text) : text.test(message),
  );

const configMap = (name: string, text: string) =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\ndata:\n  text: ${text}\n`;
const packed = async (name: string, version: string, more = "") => {
  const files = {
    "Chart.yaml": `apiVersion: v2\nname: ${name}\nversion: ${version}\n${more}`,
    "values.yaml": "greeting: hello\n",
    "values-prod.yaml": "greeting: welcome\n",
    "templates/config.yaml": configMap(
      `{{ .Release.Name }}-${name}`,
      '{{ printf "%s from %s" .Values.greeting .Chart.Version | quote }}',
    ),
  };
  const entries = Object.entries(files).map(([path, content]) => ({
    path: `${name}/${path}`,
    type: "file" as const,
    content,
  }));
  return buildLayer(entries);
};

describeWith(["git"], "charts and bases from elsewhere", () => {
  let kube: EmbeddedKube;
  let line: DeliveryLine;
  let server: Server;
  let url: string;
  const files = new Map<string, Uint8Array | string>();
  const publish = async (name: string, ...versions: string[]) => {
    const entries = [];
    for (const version of versions) {
      files.set(`/${name}-${version}.tgz`, (await packed(name, version)).content as Uint8Array);
      entries.push({ name, version, urls: [`${name}-${version}.tgz`] });
    }
    const index = JSON.parse(String(files.get("/index.yaml") ?? '{"apiVersion":"v1","entries":{}}'));
    index.entries[name] = entries;
    files.set("/index.yaml", JSON.stringify(index));
  };
  beforeAll(async () => {
    kube = await createEmbeddedKube({ clock: systemClock(), log: silentLogger, random: randomBytes });
    server = createServer((request, response) => {
      const file = files.get(request.url ?? "");
      response.writeHead(file === undefined ? 404 : 200).end(file);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(async () => {
    await kube.stop();
    server.close();
  });
  beforeEach(async () => {
    files.clear();
    line = await openDeliveryLine(kube.client(clusterAdmin));
  });
  afterEach(() => line.close());

  const secret = (name: string, stringData: Record<string, string>, type = "repository") =>
    line.client.create(types.secrets, {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name, namespace: line.control, labels: { "argocd.argoproj.io/secret-type": type } },
      data: Object.fromEntries(
        Object.entries(stringData).map(([key, value]) => [key, Buffer.from(value).toString("base64")]),
      ),
    });
  const text = async (name: string) =>
    ((await line.object("v1", "ConfigMap", name)) as { data?: { text?: string } } | undefined)?.data?.text;
  const refresh = (name: string) =>
    line.client.patch(
      types.applications,
      { namespace: line.control, name },
      { type: "merge", body: { metadata: { annotations: { "argocd.argoproj.io/refresh": "normal" } } } },
      { fieldManager: "test" },
    );

  it("given a chart by a constraint, when a newer version is published, then the cluster follows it", async () => {
    await publish("web", "1.0.0", "1.2.0", "2.0.0");
    const source = { repoURL: url, chart: "web", targetRevision: "^1", helm: { valueFiles: ["values-prod.yaml"] } };
    await line.create("shop", { ...automated, source });
    const app = await line.reaches("shop", healthy("1.2.0"));
    expect(app.status?.sourceType).toBe("Helm");
    expect(app.status?.history?.at(-1)).toMatchObject({ revision: "1.2.0", source });
    expect(await text("shop-web")).toBe("welcome from 1.2.0");
    await publish("web", "1.0.0", "1.2.0", "1.3.0", "2.0.0");
    await refresh("shop");
    await line.reaches("shop", healthy("1.3.0"));
    expect(await text("shop-web")).toBe("welcome from 1.3.0");
  });

  it("takes values of a chart from Git", async () => {
    await publish("web", "1.0.0");
    line.commit({ "prod/values.yaml": "greeting: hi\n" });
    await line.create("shop", {
      ...automated,
      sources: [
        { repoURL: url, chart: "web", targetRevision: "1.0.0", helm: { valueFiles: ["$values/prod/values.yaml"] } },
        { repoURL: line.repository.url, targetRevision: "main", ref: "values" },
      ],
    });
    const app = await line.reaches("shop", (each) => each.status?.operationState?.phase === "Succeeded");
    expect(app.status?.sync?.revisions?.[0]).toBe("1.0.0");
    expect(await text("shop-web")).toBe("hi from 1.0.0");
  });

  it("names what a repository does not have, and what a chart has to say", async () => {
    await publish("web", "1.0.0");
    await line.create("none", { source: { repoURL: url, chart: "web", targetRevision: "^2" } });
    await line.reaches("none", says(`chart "web" in ${url} has no version that fits "^2" (it has 1)`));
    await line.create("bare", { source: { repoURL: url, chart: "web" } });
    await line.reaches("bare", says("targetRevision is required if the manifest source is a helm chart"));
  });

  it("gets what a chart depends on, once a Secret lists where that is", async () => {
    await publish("lib", "1.0.0", "1.1.0");
    line.commit({
      "app/Chart.yaml": `apiVersion: v2\nname: parent\nversion: 1.0.0\ndependencies:\n- {name: lib, version: 1.x, repository: "${url}"}\n- {name: beside, version: "*", repository: "file://../beside"}\n`,
      "beside/Chart.yaml": "apiVersion: v2\nname: beside\nversion: 0.1.0\n",
      "beside/templates/config.yaml": configMap("{{ .Release.Name }}-beside", "here"),
    });
    await line.create("shop", automated);
    await line.reaches("shop", says("it is this machine itself, and the address comes from a file"));
    await secret("charts", { url, type: "helm", name: "stable" });
    await refresh("shop");
    await line.reaches("shop", (app) => app.status?.operationState?.phase === "Succeeded");
    expect(await text("shop-lib")).toBe("hello from 1.1.0");
    expect(await text("shop-beside")).toBe("here");
    // By the name that the Secret gives it, as a kustomization's chart, and as a file.
    files.set("/extra.yaml", configMap("extra", "from-a-file"));
    line.commit({
      "app/Chart.yaml": `apiVersion: v2\nname: parent\nversion: 1.0.1\ndependencies:\n- {name: lib, version: ~1.0, repository: "@stable"}\n`,
    });
    await secret("files", { url: `${url}/extra.yaml` });
    line.commit({
      "overlay/kustomization.yaml": `resources:\n- ${url}/extra.yaml\nhelmCharts:\n- {name: lib, repo: "${url}", version: 1.0.0, releaseName: inflated}\n`,
    });
    await refresh("shop");
    await eventually(async () => (await text("shop-lib")) === "hello from 1.0.0");
    await line.create("overlay", {
      ...automated,
      source: { repoURL: line.repository.url, path: "overlay", targetRevision: "main" },
    });
    await line.reaches("overlay", (app) => app.status?.operationState?.phase === "Succeeded");
    expect(await text("inflated-lib")).toBe("hello from 1.0.0");
    expect(await text("extra")).toBe("from-a-file");
  });

  it("gets bases from other repositories by their refs", async () => {
    const git = await startGitServer(dirname(line.repository.directory));
    try {
      const sha = line.commit({
        "base/kustomization.yaml": "resources: [config.yaml]\n",
        "base/config.yaml": configMap("base", "first"),
      });
      line.commit({ "base/config.yaml": configMap("base", "second") });
      line.commit({
        "overlay/kustomization.yaml": `namePrefix: my-\nresources:\n- ${git.url}/config//base?ref=${sha}&timeout=30s\n`,
      });
      const source = { repoURL: line.repository.url, path: "overlay", targetRevision: "main" };
      await line.create("shop", { ...automated, source });
      await line.reaches("shop", says("it is this machine itself"));
      await secret("bases", { url: `${git.url}/config` });
      await refresh("shop");
      await line.reaches("shop", (app) => app.status?.operationState?.phase === "Succeeded");
      expect(await text("my-base")).toBe("first");
    } finally {
      await git.close();
    }
  });

  it.each([
    ["file:///etc", "files of the server are not read"],
    ["http://169.254.169.254/latest/meta-data", "link-local or cloud metadata address"],
    ["https://169.254.169.254/org/repo.git//base?ref=x", "link-local or cloud metadata address"],
    ["http://metadata.google.internal/x.yaml", "cloud metadata service"],
    ["http://[::1]:1/x.yaml", "it is this machine itself"],
  ])("refuses the base %s", async (address, why) => {
    line.commit({ "overlay/kustomization.yaml": `resources:\n- ${address}\n` });
    await line.create("shop", {
      source: { repoURL: line.repository.url, path: "overlay", targetRevision: "main" },
    });
    await line.reaches("shop", says(why));
  });
});

describeWith(["git", "docker-registry"], "charts and manifests from a registry", () => {
  let kube: EmbeddedKube;
  let line: DeliveryLine;
  let registry: TestRegistry;
  const clock = systemClock();
  beforeAll(async () => {
    kube = await createEmbeddedKube({ clock, log: silentLogger, random: randomBytes });
    registry = await startRegistry();
    line = await openDeliveryLine(kube.client(clusterAdmin));
  });
  afterAll(async () => {
    await line.close();
    await kube.stop();
    await registry[Symbol.asyncDispose]();
  });
  const push = (name: string, built: Parameters<typeof pushPackage>[2]) =>
    pushPackage(
      createRegistryClient({ dialer: createDialer({ clock, log: silentLogger, metrics: noMetrics }), clock }),
      parseReference(`${registry.host}/${name}`),
      built,
    );
  const pushChart = async (version: string) => {
    const layer = await packed("web", version);
    const content = { ...layer, descriptor: { ...layer.descriptor, mediaType: CHART_LAYER } };
    const config = await buildLayer([{ path: "x", type: "file", content: version }]);
    return push(
      `charts/web:${version.replace("+", "_")}`,
      buildArtifact({
        artifactType: CHART_CONFIG,
        layers: [content],
        config: { ...config, descriptor: { ...config.descriptor, mediaType: CHART_CONFIG } },
      }),
    );
  };
  const CHART_CONFIG = "application/vnd.cncf.helm.config.v1+json";
  const CHART_LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";
  const text = async (name: string) =>
    ((await line.object("v1", "ConfigMap", name)) as { data?: { text?: string } } | undefined)?.data?.text;

  it("syncs a chart by its version, and the same chart as an artifact by its digest", async () => {
    await pushChart("1.0.0");
    const digest = await pushChart("1.2.0+b1");
    await line.create("chart", {
      ...automated,
      source: { repoURL: `${registry.host}/charts`, chart: "web", targetRevision: "1.x" },
    });
    await line.reaches("chart", healthy("1.2.0+b1"));
    expect(await text("chart-web")).toBe("hello from 1.2.0+b1");
    await line.create("artifact", {
      ...automated,
      source: {
        repoURL: `oci://${registry.host}/charts/web`,
        path: ".",
        targetRevision: "^1",
        helm: { parameters: [{ name: "greeting", value: "hey" }] },
      },
    });
    await line.reaches("artifact", healthy(digest));
    expect(await text("artifact-web")).toBe("hey from 1.2.0+b1");
  });

  it("syncs plain manifests of an artifact, and follows its tag", async () => {
    const pushFiles = async (content: string) =>
      push(
        "apps/plain:stable",
        buildArtifact({
          artifactType: "application/vnd.example",
          layers: [await buildLayer([{ path: "app/a.yaml", type: "file", content: configMap("plain", content) }])],
        }),
      );
    const first = await pushFiles("first");
    const source = { repoURL: `oci://${registry.host}/apps/plain`, path: "app", targetRevision: "stable" };
    await line.create("plain", { ...automated, source });
    const app = await line.reaches("plain", healthy(first));
    expect(app.status?.sourceType).toBe("Directory");
    expect(await text("plain")).toBe("first");
    const second = await pushFiles("second");
    await line.client.patch(
      types.applications,
      { namespace: line.control, name: "plain" },
      { type: "merge", body: { metadata: { annotations: { "argocd.argoproj.io/refresh": "normal" } } } },
      { fieldManager: "test" },
    );
    await line.reaches("plain", healthy(second));
    expect(await text("plain")).toBe("second");
  });
});
