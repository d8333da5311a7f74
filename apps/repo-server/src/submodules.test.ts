import { join } from "node:path";
import type { KubeClient } from "@tiphys/kube";
import { types } from "@tiphys/resources";
import {
  createTestRepository,
  describeWith,
  eventually,
  type TestRepository,
  temporaryDirectory,
} from "@tiphys/testing";
import type { RepoServer } from "./create.js";
import { openRepoServerLine, type RepoServerLine } from "./testdata/repo-server-line.js";

const namespace = "argocd";

describeWith(["git"], "sources with submodules", () => {
  let folder: ReturnType<typeof temporaryDirectory>;
  let line: RepoServerLine;
  let client: KubeClient;
  let server: RepoServer;
  let parent: TestRepository;
  let shared: TestRepository;

  const configMap = (name: string, value: string) =>
    JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data: { value } });
  const pin = (commit: string) => {
    parent.git("update-index", "--add", "--cacheinfo", `160000,${commit},app/shared`);
    parent.git("commit", "--quiet", "-m", "pin");
  };
  beforeAll(async () => {
    folder = temporaryDirectory();
    shared = createTestRepository(join(folder.path, "shared"));
    parent = createTestRepository(join(folder.path, "parent"));
    line = await openRepoServerLine({ folder: folder.path, namespace });
    ({ client, server } = line);
    parent.commit({
      "app/kustomization.yaml": "resources: [shared]\nnamePrefix: app-\n",
      "other/a.yaml": configMap("other", "1"),
      ".gitmodules": '[submodule "shared"]\n\tpath = app/shared\n\turl = ../shared\n',
    });
    pin(shared.commit({ "kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": configMap("a", "1") }));
  });
  afterAll(async () => {
    await line.close();
    folder.dispose();
  });
  const render = async (path: string) => {
    const { manifests, key } = await server.api.render({
      source: { repoURL: parent.url, path },
      revision: "main",
      references: {},
      application: { name: "web", project: "default", namespace: "web" },
      cluster: { kubeVersion: "", apiVersions: [] },
      maxAgeMilliseconds: 0,
      noCache: false,
    });
    return { key, objects: manifests.map(({ json }) => JSON.parse(json)) };
  };

  it("renders them, and again when another commit of one is pinned; what reads none of it stays as it was", async () => {
    const [first, other] = [await render("app"), await render("other")];
    expect(first.objects).toMatchObject([{ metadata: { name: "app-a" }, data: { value: "1" } }]);
    pin(shared.commit({ "a.yaml": configMap("a", "2") }));
    const second = await render("app");
    expect(second.objects).toMatchObject([{ metadata: { name: "app-a" }, data: { value: "2" } }]);
    expect(second.key).not.toBe(first.key);
    expect((await render("other")).key).toBe(other.key);
  });

  it("leaves their folders empty where the operator says so", async () => {
    await client.create(types.configMaps, {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "argocd-cmd-params-cm", namespace },
      data: { "reposerver.enable.git.submodule": "false" },
    });
    const problem = await eventually(() =>
      render("app").then(
        () => undefined,
        (error: Error) => error.message,
      ),
    );
    expect(problem).toMatch(/shared/);
  });
});
