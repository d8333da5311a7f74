import { randomBytes } from "node:crypto";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "@tiphys/clock";
import { clusterAdmin } from "@tiphys/identity";
import { createEmbeddedKube } from "@tiphys/kube-embedded";
import { type Application, type AppProject, applicationCrd, appProjectCrd, types } from "@tiphys/resources";
import { silentLogger } from "@tiphys/telemetry";
import { createGpg, describeWith, eventually, type Gpg } from "@tiphys/testing";
import { type DeliveryLine, openDeliveryLine } from "./testdata/delivery-line.js";

const configMap = (a: string) =>
  JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "one" }, data: { a } });
const synced = (revision: string) => (app: Application) =>
  app.status?.sync?.status === "Synced" && app.status.sync.revision === revision;

describeWith(["git", "gpg"], "projects that ask for signed commits", () => {
  let gpg: Gpg;
  let kube: Awaited<ReturnType<typeof createEmbeddedKube>>;
  let line: DeliveryLine;
  let key: string;
  let other: string;

  beforeAll(async () => {
    gpg = createGpg();
    [key, other] = [gpg.key("bot <bot@example.test>", "ed25519"), gpg.key("other <o@example.test>", "ed25519")];
    kube = await createEmbeddedKube({
      clock: systemClock(),
      random: randomBytes,
      log: silentLogger,
      crds: [applicationCrd, appProjectCrd],
    });
  });
  afterAll(async () => {
    gpg.dispose();
    await kube.stop();
  });
  beforeEach(async () => {
    line = await openDeliveryLine(kube.client(clusterAdmin));
    const program = join(gpg.home, "run");
    writeFileSync(
      program,
      `#!/bin/sh\nGNUPGHOME=${gpg.home} exec gpg --batch --no-tty --trust-model=always --passphrase= --pinentry-mode=loopback "$@"\n`,
    );
    chmodSync(program, 0o755);
    line.repository.git("config", "gpg.program", program);
  });
  afterEach(() => line.close());

  const keyring = () =>
    line.client.create(types.configMaps, {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "argocd-gpg-keys-cm", namespace: line.control },
      data: Object.fromEntries([key, other].map((each) => [each.slice(-16), gpg.publicKey(each)])),
    });
  const project = (spec: Partial<AppProject["spec"]>) =>
    line.client.patch(
      types.appProjects,
      { namespace: line.control, name: "default" },
      {
        type: "merge",
        body: { spec: { sourceRepos: ["*"], destinations: [{ server: "*", namespace: "*" }], ...spec } },
      },
    );
  const commit = (a: string, by?: string) => {
    line.repository.git("config", "commit.gpgSign", by ? "true" : "false");
    if (by) line.repository.git("config", "user.signingKey", by);
    return line.commit({ "app/a.yaml": configMap(a) });
  };
  const automated = { syncPolicy: { automated: {} } };
  const problem = (message: string) => (app: Application) =>
    app.status?.conditions?.some((each) => each.type === "ComparisonError" && each.message === message);
  const failed = (revision: string, words: string) =>
    `GIT/GPG: Failed verifying revision ${revision} by 'Test Author <author@example.test>': ${words}`;

  it("syncs what an allowed key has signed, and nothing else", async () => {
    await keyring();
    await eventually(() => project({ signatureKeys: [{ keyID: key.slice(-16) }] }).then(() => true));
    const good = commit("1", key);
    await line.create(line.shop, automated);
    await line.reaches(line.shop, synced(good));
    const unsigned = commit("2");
    const app = await line.reaches(line.shop, problem(failed(unsigned, "unsigned (key_id=)")));
    expect(app.status?.sync?.status).toBe("Unknown");
    const strange = commit("3", other);
    await line.reaches(line.shop, problem(failed(strange, `signed with unallowed key (key_id=${other.slice(-16)})`)));
    expect((await line.object("v1", "ConfigMap", "one"))?.["data"]).toEqual({ a: "1" });
    // A person cannot have it either, by whatever name.
    await line.client.patch(
      types.applications,
      { namespace: line.control, name: line.shop },
      { type: "merge", body: { operation: { sync: { revision: unsigned } } } },
    );
    const refused = await line.reaches(line.shop, (each) => each.status?.operationState?.phase === "Error");
    expect(refused.status?.operationState?.message).toContain(failed(unsigned, "unsigned (key_id=)"));
    expect((await line.object("v1", "ConfigMap", "one"))?.["data"]).toEqual({ a: "1" });
    // Once the project does not ask any more, it is deployed.
    await project({ signatureKeys: null as unknown as [] });
    line.controller.refreshRepository(line.repository.url);
    await line.reaches(line.shop, synced(strange));
  });

  it("verifies history and tags by sourceIntegrity", async () => {
    await keyring();
    const policy = (mode: string) => ({
      sourceIntegrity: { git: { policies: [{ repos: [{ url: "*" }], gpg: { mode, keys: [key] } }] } },
    });
    const first = commit("1");
    const tip = commit("2", key);
    line.repository.git("tag", "--local-user", key, "-s", "v1.0.0", "-m", "one", first);
    await eventually(() => project(policy("strict")).then(() => true));
    await line.create(line.shop, automated);
    await line.reaches(line.shop, problem(failed(first, "unsigned (key_id=)")));
    await project(policy("head"));
    line.controller.refreshRepository(line.repository.url);
    await line.reaches(line.shop, synced(tip));
    const body = { spec: { source: { targetRevision: "1.*" } } };
    await line.client.patch(types.applications, { namespace: line.control, name: line.shop }, { type: "merge", body });
    await line.reaches(line.shop, synced(first));
  });
});
