import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { systemClock } from "@tiphys/clock";
import { createDialer } from "@tiphys/dialer";
import {
  buildArtifact,
  buildLayer,
  createRegistryClient,
  keyringOf,
  type LayerEntry,
  parseReference,
  pushPackage,
} from "@tiphys/oci";
import { Secret } from "@tiphys/secret";
import { noMetrics, silentLogger } from "@tiphys/telemetry";
import { describeWith, programPath, startRegistry, type TestRegistry } from "@tiphys/testing";
import { type ChartCredentials, createChartSource } from "./index.js";
import { readArtifactFiles } from "./unpack.js";

const clock = systemClock();
const dialer = createDialer({ clock, log: silentLogger, metrics: noMetrics });
const folder = mkdtempSync(join(tmpdir(), "tiphys-oci-charts-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;
const now = { maxAge: 0 };

const source = (credentials: ChartCredentials = {}) =>
  createChartSource({
    directory: join(folder, `cache-${count++}`),
    dialer,
    clock,
    credentials: async () => ({ credentials, listed: true }),
  });

describeWith(["docker-registry", "helm"], "charts and artifacts of a registry", () => {
  let registry: TestRegistry;
  const home = join(folder, "home");
  const helm = async (...args: string[]): Promise<string> => {
    const env = { PATH: process.env["PATH"] ?? "", HOME: home };
    const { stdout } = await promisify(execFile)(programPath("helm")!, args, { env, cwd: home });
    return stdout;
  };
  const login = { username: "bot", password: "pw" };
  const credentials: ChartCredentials = { username: "bot", password: new Secret("pw") };

  beforeAll(async () => {
    registry = await startRegistry({ login });
    mkdirSync(join(home, "web/templates"), { recursive: true });
    writeFileSync(join(home, "web/templates/a.yaml"), "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n");
    await helm("registry", "login", registry.host, "-u", login.username, "-p", login.password, "--plain-http");
    for (const version of ["1.0.0", "1.2.0", "1.3.0-rc.1", "2.0.0+build.7"]) {
      writeFileSync(join(home, "web/Chart.yaml"), `apiVersion: v2\nname: web\nversion: ${version}\n`);
      await helm("package", "web");
      await helm("push", `web-${version}.tgz`, `oci://${registry.host}/charts`, "--plain-http");
    }
  });
  afterAll(async () => registry?.[Symbol.asyncDispose]());

  it.each([
    { revision: "1.2.0", version: "1.2.0" },
    { revision: "^1", version: "1.2.0" },
    { revision: "~1.0", version: "1.0.0" },
    { revision: "^1.3.0-0", version: "1.3.0-rc.1" },
    { revision: "*", version: "2.0.0+build.7" },
    { revision: "2.0.0+build.7", version: "2.0.0+build.7" },
  ])("takes $revision as helm's $version, byte by byte", async ({ revision, version }) => {
    for (const repository of [`oci://${registry.host}/charts`, `${registry.host}/charts`]) {
      const charts = await source(credentials);
      const wanted = { repository, name: "web", revision };
      expect(await charts.resolveChart(wanted, now)).toBe(version);
      const archive = await charts.chart(wanted, now);
      expect(archive.version).toBe(version);
      expect(readFileSync(archive.file).equals(readFileSync(join(home, `web-${version}.tgz`)))).toBe(true);
    }
  });

  it("takes a registry that a Secret calls one, though it is written with https", async () => {
    const charts = await source({ ...credentials, enableOci: true });
    const wanted = { repository: `https://${registry.host}/charts`, name: "web", revision: "^1" };
    expect((await charts.chart(wanted, now)).version).toBe("1.2.0");
  });

  it("lists tags, `_` as `+`, and lets no one in without a login", async () => {
    const tags = await (await source(credentials)).tags(`oci://${registry.host}/charts/web`, now);
    expect([...tags].sort()).toEqual(["1.0.0", "1.2.0", "1.3.0-rc.1", "2.0.0+build.7"]);
    const stranger = await source();
    await expect(stranger.tags(`oci://${registry.host}/charts/web`, now)).rejects.toMatchObject({
      code: "Unauthenticated",
    });
    await expect(stranger.test(`oci://${registry.host}/charts`, now)).rejects.toMatchObject({
      code: "Unauthenticated",
    });
    await (await source(credentials)).test(`oci://${registry.host}/charts`, now);
  });

  it("names a chart and a version that are not there", async () => {
    const charts = await source(credentials);
    const repository = `oci://${registry.host}/charts`;
    await expect(charts.chart({ repository, name: "web", revision: "9.9.9" }, now)).rejects.toThrow(
      /chart "web" in oci:.*\/charts\/web has no version that fits "9.9.9"/,
    );
    await expect(charts.chart({ repository, name: "db", revision: "^1" }, now)).rejects.toThrow(
      /chart "db" is not in oci:/,
    );
  });

  const client = () => createRegistryClient({ dialer, clock });
  const push = async (name: string, entries: LayerEntry[], more: Partial<Parameters<typeof buildArtifact>[0]> = {}) => {
    const layer = await buildLayer(entries);
    const built = buildArtifact({ artifactType: "application/vnd.example.manifests", layers: [layer], ...more });
    const auth = Buffer.from("bot:pw").toString("base64");
    const keyring = keyringOf([JSON.stringify({ auths: { [registry.host]: { auth } } })]);
    return pushPackage(client(), parseReference(`${registry.host}/${name}`), built, { keyring });
  };
  const text = (path: string, content: string): LayerEntry => ({ path, type: "file", content });

  it("finds an artifact by tag, digest and constraint, and reads its files", async () => {
    const digest = await push("apps/web:1.4.0", [
      { path: "app", type: "directory" },
      text("app/a.yaml", "kind: A"),
      text("b.yaml", "kind: B"),
    ]);
    await push("apps/web:latest", [text("c.yaml", "kind: C")]);
    const charts = await source(credentials);
    const repository = `oci://${registry.host}/apps/web`;
    for (const revision of ["1.4.0", digest, "^1.2", ">=1"]) {
      expect(await charts.resolveArtifact({ repository, revision }, now)).toBe(digest);
    }
    expect(await charts.resolveArtifact({ repository, revision: "latest" }, now)).not.toBe(digest);
    await expect(charts.resolveArtifact({ repository, revision: "main" }, now)).rejects.toMatchObject({
      code: "NotFound",
    });
    const artifact = await charts.artifact({ repository, digest }, now);
    expect(artifact.kind).toBe("files");
    const files = await readArtifactFiles(artifact);
    expect([...files].map(([path, data]) => [path, Buffer.from(data).toString()])).toEqual([
      ["app/a.yaml", "kind: A"],
      ["b.yaml", "kind: B"],
    ]);
  });

  it("reads a chart as an artifact, without its folder", async () => {
    const charts = await source(credentials);
    const repository = `oci://${registry.host}/charts/web`;
    const digest = await charts.resolveArtifact({ repository, revision: "^1" }, now);
    const artifact = await charts.artifact({ repository, digest }, now);
    expect(artifact.kind).toBe("chart");
    expect([...(await readArtifactFiles(artifact)).keys()].sort()).toEqual(["Chart.yaml", "templates/a.yaml"]);
  });

  it.each([
    { why: "a link out", entry: { path: "x", type: "symlink", link: "../../etc/passwd" }, error: 'symbolic link "x"' },
    { why: "a link inside", entry: { path: "x", type: "symlink", link: "a.yaml" }, error: 'symbolic link "x"' },
    { why: "a hard link", entry: { path: "x", type: "link", link: "a.yaml" }, error: 'link "x"' },
  ] as { why: string; entry: LayerEntry; error: string }[])("refuses $why in an artifact", async ({ entry, error }) => {
    const digest = await push("bad/link:1", [text("a.yaml", "kind: A"), entry]);
    const charts = await source(credentials);
    const artifact = await charts.artifact({ repository: `oci://${registry.host}/bad/link`, digest }, now);
    await expect(readArtifactFiles(artifact)).rejects.toThrow(error);
  });

  it("refuses artifacts with several contents, and of other media types", async () => {
    const layers = [await buildLayer([text("a", "a")]), await buildLayer([text("b", "b")])];
    const two = await push("bad/two:1", [], { layers });
    const charts = await source(credentials);
    await expect(charts.artifact({ repository: `oci://${registry.host}/bad/two`, digest: two }, now)).rejects.toThrow(
      "expected only a single oci content layer, got 2",
    );
    const odd = { ...layers[0]!, descriptor: { ...layers[0]!.descriptor, mediaType: "application/x.tar+gzip" } };
    const other = await push("bad/type:1", [], { layers: [odd] });
    await expect(
      charts.artifact({ repository: `oci://${registry.host}/bad/type`, digest: other }, now),
    ).rejects.toThrow("oci layer media type application/x.tar+gzip is not in the list of allowed media types");
    await expect(
      charts.chart({ repository: `oci://${registry.host}/bad`, name: "two", revision: two }, now),
    ).rejects.toThrow("is no Helm chart");
  });
});
