import { createHash } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { servicePrincipal } from "@tiphys/identity";
import { buildLayer } from "@tiphys/oci";
import { repositoryReposerver } from "@tiphys/proto";
import { types } from "@tiphys/resources";
import { bindGrpc, type Client, createGrpcServer, grpcChannel } from "@tiphys/rpc";
import { noMetrics, silentLogger } from "@tiphys/telemetry";
import {
  createTestRepository,
  describeWith,
  eventually,
  type TestRepository,
  temporaryDirectory,
} from "@tiphys/testing";
import { openRepoServerLine, type RepoServerLine } from "../testdata/repo-server-line.js";

describeWith(["git"], "the stock repo-server's service", () => {
  const folder = temporaryDirectory();
  let line: RepoServerLine;
  let repository: TestRepository;
  let web: Server;
  let charts: string;
  let client: Client<typeof repositoryReposerver.RepoServerServiceDefinition>;
  let stop = () => {};
  let first: string;
  let second: string;

  beforeAll(async () => {
    line = await openRepoServerLine({
      folder: folder.path,
      namespace: "argocd",
      plugins: { sandbox: async () => undefined },
    });
    repository = createTestRepository(join(folder.path, "config"));
    first = repository.commit({
      "plain/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
      "chart/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
      "chart/values.yaml": "image: {tag: v1}\nlist: [{name: x}]\n",
      "chart/values-prod.yaml": "image: {tag: v2}\n",
      "chart/templates/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Values.image.tag }}}\n",
      "overlay/kustomization.yaml": "resources: [pod.yaml]\nimages: [{name: nginx, newTag: '1'}]\n",
      "overlay/pod.yaml":
        "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: nginx}]}\n",
      ".hidden/deep/x.txt": "x",
    });
    repository.git("tag", "v1.0.0");
    second = repository.commit(
      { "plain/b.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n" },
      "Second\n",
    );
    const files = new Map<string, Uint8Array | string>();
    for (const version of ["1.0.0", "1.2.0"]) {
      const chart = `apiVersion: v2\nname: web\nversion: ${version}\ndescription: A web\nhome: https://web.example\nmaintainers: [{name: Jo, email: jo@web.example}]\n`;
      const layer = await buildLayer([{ path: "web/Chart.yaml", type: "file", content: chart }]);
      files.set(`/web-${version}.tgz`, layer.content as Uint8Array);
    }
    const entries = ["1.0.0", "1.2.0"].map((version) => ({ name: "web", version, urls: [`web-${version}.tgz`] }));
    files.set("/index.yaml", JSON.stringify({ apiVersion: "v1", entries: { web: entries } }));
    web = createServer((request, response) => void response.end(files.get(request.url ?? "")));
    await new Promise<void>((resolve) => web.listen(0, "127.0.0.1", resolve));
    charts = `http://127.0.0.1:${(web.address() as AddressInfo).port}`;
    const grpc = await createGrpcServer({
      services: [line.server.stock],
      authenticate: async () => servicePrincipal("app-controller"),
      log: silentLogger,
      metrics: noMetrics,
    });
    const channel = grpcChannel({ target: `127.0.0.1:${await bindGrpc(grpc, "127.0.0.1:0")}` });
    client = channel.client(repositoryReposerver.RepoServerServiceDefinition);
    stop = () => {
      channel.close();
      grpc.forceShutdown();
    };
  });
  afterAll(async () => {
    stop();
    await line.close();
    web.close();
    folder.dispose();
  });

  const repo = () => ({ repo: repository.url, type: "git" });
  const request = (path: string, more: object = {}) => ({
    repo: repo(),
    revision: "main",
    appName: "shop",
    namespace: "prod",
    appLabelKey: "app.kubernetes.io/instance",
    applicationSource: { repoURL: repository.url, path, targetRevision: "main", ...more },
  });
  const names = (manifests: string[] | undefined) => (manifests ?? []).map((json) => JSON.parse(json).metadata.name);

  it("generates manifests, and says in each whose it is", async () => {
    const plain = await client.generateManifest(request("plain"));
    expect(plain).toMatchObject({ revision: second, sourceType: "Directory" });
    expect(names(plain.manifests)).toEqual(["a", "b"]);
    expect(JSON.parse(plain.manifests?.[0] ?? "").metadata.annotations).toEqual({
      "argocd.argoproj.io/tracking-id": "shop:/ConfigMap:prod/a",
    });
    const labelled = await client.generateManifest({ ...request("plain"), trackingMethod: "label" });
    expect(JSON.parse(labelled.manifests?.[0] ?? "").metadata).toEqual({
      name: "a",
      labels: { "app.kubernetes.io/instance": "shop" },
    });
    const helm = { valuesObject: { raw: Buffer.from('{"image":{"tag":"v3"}}') } };
    expect(names((await client.generateManifest(request("chart", { helm }))).manifests)).toEqual(["v3"]);
    const patch = JSON.stringify([{ op: "add", path: "/metadata/labels", value: { a: "b" } }]);
    const kustomize = { namePrefix: "my-", patches: [{ patch, target: { resId: { gvk: { kind: "Pod" } } } }] };
    const [pod = ""] = (await client.generateManifest(request("overlay", { kustomize }))).manifests ?? [];
    expect(JSON.parse(pod).metadata).toMatchObject({ name: "my-p", labels: { a: "b" } });
  });

  it("generates manifests from files that are streamed", async () => {
    const layer = await buildLayer([
      { path: "app", type: "directory" },
      { path: "app/a.yaml", type: "file", content: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: sent}\n" },
    ]);
    const packed = Buffer.from(layer.content as Uint8Array);
    const checksum = createHash("sha256").update(packed).digest("hex");
    async function* messages(sum: string) {
      yield { request: request("app") };
      yield { metadata: { checksum: sum, size: packed.length } };
      for (let at = 0; at < packed.length; at += 50) yield { chunk: { chunk: packed.subarray(at, at + 50) } };
    }
    expect(names((await client.generateManifestWithFiles(messages(checksum))).manifests)).toEqual(["sent"]);
    await expect(client.generateManifestWithFiles(messages("0"))).rejects.toThrow("the streamed files have checksum");
  });

  it("resolves revisions of Git and of charts, and lists what there is", async () => {
    const resolve = (source: object, ambiguousRevision: string) =>
      client.resolveRevision({ repo: repo(), app: { spec: { source } }, ambiguousRevision, sourceIndex: 0 } as never);
    expect(await resolve({ repoURL: repository.url }, "v1.0.0")).toEqual({
      revision: first,
      ambiguousRevision: `v1.0.0 (${first})`,
    });
    expect(await resolve({ repoURL: charts, chart: "web" }, "^1")).toMatchObject({ revision: "1.2.0" });
    expect(await client.listRefs({ repo: repo() })).toEqual({ branches: ["main"], tags: ["v1.0.0"] });
    expect(await client.listApps({ repo: repo(), revision: "main" })).toEqual({
      apps: { chart: "Helm", overlay: "Kustomize" },
    });
    expect(await client.getHelmCharts({ repo: { repo: charts, type: "helm" } })).toEqual({
      items: [{ name: "web", versions: ["1.2.0", "1.0.0"] }],
    });
    expect(await client.testRepository({ repo: repo() })).toEqual({ verifiedRepository: true });
    expect(await client.testRepository({ repo: { repo: charts, type: "helm" } })).toEqual({ verifiedRepository: true });
  });

  it("tells of revisions and versions", async () => {
    const metadata = await client.getRevisionMetadata({ repo: repo(), revision: first });
    expect(metadata).toMatchObject({ author: "Test Author <author@example.test>", tags: ["v1.0.0"] });
    expect(metadata.date?.seconds).toBe(Date.parse("2030-01-02T03:04:05Z") / 1000);
    expect(await client.getRevisionChartDetails({ repo: { repo: charts }, name: "web", revision: "1.0.0" })).toEqual({
      description: "A web",
      home: "https://web.example",
      maintainers: ["Jo <jo@web.example>"],
    });
  });

  it("tells what a source is made of", async () => {
    const details = (path: string, more: object = {}) =>
      client.getAppDetails({ repo: repo(), source: { repoURL: repository.url, path, ...more }, appName: "shop" });
    expect(await details("chart", { helm: { valueFiles: ["values-prod.yaml"] } })).toMatchObject({
      type: "Helm",
      helm: {
        name: "web",
        valueFiles: ["values-prod.yaml", "values.yaml"],
        parameters: [
          { name: "image.tag", value: "v2" },
          { name: "list[0].name", value: "x" },
        ],
        values: "image: {tag: v1}\nlist: [{name: x}]\n",
      },
    });
    expect(await details("overlay")).toMatchObject({ type: "Kustomize", kustomize: { images: ["nginx:1"] } });
    expect(await details("plain")).toMatchObject({ type: "Directory", directory: {} });
  });

  it("gives files and folders to generators, and says what changed", async () => {
    const files = async (path: string, NewGitFileGlobbingEnabled: boolean) =>
      Object.keys(
        (await client.getGitFiles({ repo: repo(), revision: "main", path, NewGitFileGlobbingEnabled })).map ?? {},
      );
    expect(await files("*.yaml", false)).toContain("plain/a.yaml");
    expect(await files("*/a.yaml", true)).toEqual(["plain/a.yaml"]);
    expect(await files("**/a.yaml", true)).toEqual(["chart/templates/a.yaml", "plain/a.yaml"]);
    expect((await client.getGitDirectories({ repo: repo(), revision: "main" })).paths).toEqual([
      "chart",
      "chart/templates",
      "overlay",
      "plain",
    ]);
    const changes = async (...paths: string[]) =>
      (await client.updateRevisionForPaths({ repo: repo(), revision: "main", syncedRevision: first, paths })).changes ??
      false;
    expect([await changes("plain"), await changes("chart"), await changes("pl*")]).toEqual([true, false, false]);
  });

  it("lists the plugins that there are", async () => {
    await line.client.create(types.configMaps, {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "tool", namespace: "argocd", labels: { "tiphys.dev/config-management-plugin": "true" } },
      data: {
        "plugin.yaml":
          "kind: ConfigManagementPlugin\nmetadata: {name: tool}\nspec: {generate: {command: [cat]}, discover: {fileName: none}}\n",
      },
    });
    await eventually(async () => (await client.listPlugins({})).items?.some(({ name }) => name === "tool"));
  });

  it("refuses what it does not do by name", async () => {
    await expect(
      client.generateManifest({ ...request("plain"), kustomizeOptions: { buildOptions: "--load-restrictor none" } }),
    ).rejects.toThrow("kustomizeOptions.buildOptions of repository.RepoServerService is not implemented yet");
    await expect(client.generateManifest({ ...request("plain"), verifySignature: true })).rejects.toMatchObject({
      code: "Unimplemented",
    });
    await expect(client.generateManifest({ ...request("plain"), applicationSource: undefined })).rejects.toMatchObject({
      code: "InvalidArgument",
    });
  });
});
