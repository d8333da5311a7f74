import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createSpawner, type Spawner } from "@tiphys/child-process";
import type { KubeClient } from "@tiphys/kube";
import { type ApplicationSource, types } from "@tiphys/resources";
import { findSandbox } from "@tiphys/sandbox";
import { silentLogger as log } from "@tiphys/telemetry";
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
const recorded = (path: string) => readFileSync(join(process.cwd(), "libs/sops/src/testdata", path), "utf8");

describeWith(["git", "bwrap"], "sources for plugins, and encrypted ones", () => {
  let folder: ReturnType<typeof temporaryDirectory>;
  let origin: TestRepository;
  let line: RepoServerLine;
  let client: KubeClient;
  let server: RepoServer;
  let spawner: Spawner;
  const kept = new Map<string, Uint8Array>();

  beforeAll(async () => {
    folder = temporaryDirectory();
    origin = createTestRepository(join(folder.path, "source"));
    spawner = createSpawner({ log });
    line = await openRepoServerLine({
      folder: folder.path,
      namespace,
      plugins: { sandbox: () => findSandbox({ spawner, searchPath: "/usr/sbin:/usr/bin:/sbin:/bin" }) },
      cacheOver: (below) => ({
        ...below,
        set: (key, value, ttl) => {
          kept.set(key, value);
          return below.set(key, value, ttl);
        },
      }),
    });
    ({ client, server } = line);
  });
  afterAll(async () => {
    await line.close();
    await spawner.stop();
    folder.dispose();
  });

  const render = async (source: Partial<ApplicationSource> = {}, project = "default") => {
    const { manifests, sourceType } = await server.api.render({
      source: { path: "app", ...source, repoURL: origin.url },
      revision: "main",
      references: {},
      application: { name: "web", project, namespace: "shop" },
      cluster: { kubeVersion: "v1.36.3", apiVersions: ["v1"] },
      maxAgeMilliseconds: 0,
      noCache: false,
    });
    return { sourceType, objects: manifests.map(({ json }) => JSON.parse(json)) };
  };

  describe("plugins of ConfigMaps", () => {
    const plugin = (name: string, spec: object) =>
      client.create(types.configMaps, {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { name, namespace, labels: { "tiphys.dev/config-management-plugin": "true" } },
        data: { "plugin.yaml": JSON.stringify({ kind: "ConfigManagementPlugin", metadata: { name }, spec }) },
      });
    const shell = (script: string) => ({ command: ["sh", "-c", script] });
    const PRINT = `printf 'apiVersion: v1\\nkind: ConfigMap\\nmetadata: {name: %s}\\ndata: {file: "%s", env: "%s"}\\n' "$ARGOCD_APP_NAME" "$(cat one.txt)" "$ARGOCD_ENV_A"`;

    it("render the sources that name them, and again when a file changes", async () => {
      origin.commit({ "app/one.txt": "first" });
      await plugin("print", { generate: shell(PRINT) });
      const source = { plugin: { name: "print", env: [{ name: "A", value: "of $ARGOCD_APP_NAMESPACE" }] } };
      const first = await eventually(() => render(source));
      expect(first.sourceType).toBe("Plugin");
      expect(first.objects[0]).toMatchObject({ metadata: { name: "web" }, data: { file: "first", env: "of shop" } });
      origin.commit({ "app/one.txt": "second" });
      expect((await render(source)).objects[0].data.file).toBe("second");
    });

    it("find sources by what is in them, before any other kind of source", async () => {
      origin.commit({ "app/Chart.yaml": "name: a\nversion: 1.0.0\n", "app/one.txt": "found" });
      await plugin("finder", { generate: shell(PRINT), discover: { fileName: "one.*" } });
      await eventually(async () => (await render()).sourceType === "Plugin");
      expect((await render({ helm: {} })).sourceType).toBe("Helm");
      await client.delete(types.configMaps, { namespace, name: "finder" });
      await eventually(async () => (await render()).sourceType === "Helm");
      await expect(render({ plugin: {} })).rejects.toThrow("could not find plugin supporting the given repository");
    });

    it("are named where they fail, where they print what is no manifest, and where they are not there", async () => {
      await plugin("broken", { generate: shell("echo no chart >&2; exit 4") });
      await plugin("chatty", { generate: shell("echo hello") });
      await eventually(() =>
        render({ plugin: { name: "broken" } }).then(
          () => false,
          (error: Error) => /plugin broken: the generate command failed with exit code 4: no chart/.test(error.message),
        ),
      );
      await expect(render({ plugin: { name: "chatty" } })).rejects.toThrow(/plugin-output-000001.yaml.*not an object/);
      await expect(render({ plugin: { name: "none" } })).rejects.toThrow('plugin with name "none"');
    });
  });

  describe("files that SOPS encrypted", () => {
    const clear = "correct horse";
    const secret = () =>
      client.create(types.secrets, {
        apiVersion: "v1",
        kind: "Secret",
        metadata: { name: "keys", namespace, labels: { "tiphys.dev/secret-type": "sops-keys" } },
        data: {
          projects: Buffer.from("team-*, ops").toString("base64"),
          "keys.txt": Buffer.from(recorded("keys/one.age")).toString("base64"),
        },
      });

    it("are decrypted for the projects that a Secret of keys names, and for no other", async () => {
      origin.commit({ "secrets/db.yaml": recorded("encrypted/encrypted-regex--secret.yaml") });
      const source = { path: "secrets" };
      const sealed = await render(source, "team-a");
      expect(sealed.objects[0].stringData.password).toMatch(/^ENC\[/);
      await secret();
      const opened = await eventually(async () => {
        const result = await render(source, "team-a");
        return result.objects[0].stringData.password === clear && result;
      });
      expect(opened.objects[0]).toEqual({
        apiVersion: "v1",
        kind: "Secret",
        metadata: { name: "db", labels: { tier: "1", replicas: "0x10" } },
        type: "Opaque",
        data: { user: "YWRtaW4=" },
        stringData: { password: clear, port: "5432" },
      });
      // From the cache, where it is not in clear text.
      expect((await render(source, "team-a")).objects[0].stringData.password).toBe(clear);
      expect((await render(source, "other")).objects[0].stringData.password).toMatch(/^ENC\[/);
      const texts = [...kept.values()].map((value) => Buffer.from(value).toString("latin1"));
      expect(texts.filter((text) => text.includes(clear))).toEqual([]);
    });

    it("are decrypted as value files, with the schemes that helm-secrets has", async () => {
      const template =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {p: {{ .Values.stringData.password | quote }}}\n";
      origin.commit({
        "chart/Chart.yaml": "apiVersion: v2\nname: a\nversion: 1.0.0\n",
        "chart/templates/c.yaml": template,
        "chart/enc.yaml": recorded("encrypted/two-recipients--secret.yaml"),
      });
      for (const file of ["enc.yaml", "secrets://enc.yaml", "secrets+age-import:///keys/key.txt?enc.yaml"]) {
        const { objects } = await render({ path: "chart", helm: { valueFiles: [file] } }, "ops");
        expect(objects[0].data.p).toBe(clear);
      }
    });

    it("are decrypted with a PGP key too", async () => {
      await client.create(types.secrets, {
        apiVersion: "v1",
        kind: "Secret",
        metadata: { name: "pgp", namespace, labels: { "tiphys.dev/secret-type": "sops-keys" } },
        data: {
          projects: Buffer.from("signed").toString("base64"),
          "curve.asc": Buffer.from(recorded("keys/curve.asc")).toString("base64"),
        },
      });
      origin.commit({ "pgp/db.yaml": recorded("encrypted/curve--secret.yaml") });
      await eventually(async () => {
        const { objects } = await render({ path: "pgp" }, "signed").catch(() => ({ objects: [] }));
        return objects[0]?.stringData?.password === clear;
      });
    });

    it("are named where no key fits, without a word of what is in them", async () => {
      const encrypted = recorded("encrypted/encrypted-regex--secret.yaml").replace('tier: "1"', 'tier: "2"');
      origin.commit({ "changed/db.yaml": encrypted });
      await expect(render({ path: "changed" }, "ops")).rejects.toThrow("db.yaml: its checksum does not fit");
    });

    it("are given to plugins as they are", async () => {
      await client.create(types.configMaps, {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { name: "cat", namespace, labels: { "tiphys.dev/config-management-plugin": "true" } },
        data: {
          "plugin.yaml": JSON.stringify({
            kind: "ConfigManagementPlugin",
            metadata: { name: "cat" },
            spec: { generate: { command: ["cat", "db.yaml"] } },
          }),
        },
      });
      const { objects } = await eventually(() => render({ path: "secrets", plugin: { name: "cat" } }, "ops"));
      expect(objects[0].stringData.password).toMatch(/^ENC\[/);
    });
  });
});
