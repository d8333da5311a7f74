import { execFile, execFileSync } from "node:child_process";
import { createPublicKey, randomBytes, verify } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@tiphys/clock";
import { clusterAdmin } from "@tiphys/identity";
import { type ClusterConnection, type KubeClient, loadKubeconfig } from "@tiphys/kube";
import { type KubeObject, types } from "@tiphys/resources";
import { Secret } from "@tiphys/secret";
import { silentLogger } from "@tiphys/telemetry";
import { describeWith, programPath } from "@tiphys/testing";
import { createEmbeddedKube, type EmbeddedKube } from "../index.js";
import { raw, until } from "../testing.js";

let dir: string;
let kube: EmbeddedKube;
let admin: KubeClient;
let connection: ClusterConnection;
const start = async () => {
  kube = await createEmbeddedKube({
    dir: join(dir, "kube"),
    clock: systemClock(),
    random: randomBytes,
    log: silentLogger,
  });
  admin = kube.client(clusterAdmin);
  const { kubeconfig } = await kube.listen({ host: "127.0.0.1", port: 0 });
  await writeFile(join(dir, "kubeconfig"), kubeconfig, { mode: 0o600 });
  connection = await loadKubeconfig({ text: kubeconfig });
};
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "tiphys-access-"));
  await start();
  await admin.create(types.namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } });
  await admin.create(types.serviceAccounts, object("v1", "ServiceAccount", "bot"));
  await admin.create(
    rbac("roles"),
    object(RBAC, "Role", "reader", {
      rules: [{ verbs: ["get", "list"], apiGroups: [""], resources: ["configmaps", "pods"] }],
    }),
  );
  const subjects = [
    { kind: "ServiceAccount", name: "bot" },
    { kind: "Group", apiGroup: "rbac.authorization.k8s.io", name: "devs" },
  ];
  const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "reader" };
  await admin.create(rbac("rolebindings"), object(RBAC, "RoleBinding", "read", { roleRef, subjects }));
});
afterAll(async () => {
  await kube.stop();
  await rm(dir, { recursive: true });
});

const RBAC = "rbac.authorization.k8s.io/v1";
const rbac = (resource: string) => ({
  group: "rbac.authorization.k8s.io",
  version: "v1",
  resource,
  kind: resource === "roles" ? "Role" : "RoleBinding",
  namespaced: true,
});
const csrs = {
  group: "certificates.k8s.io",
  version: "v1",
  resource: "certificatesigningrequests",
  kind: "CertificateSigningRequest",
  namespaced: false,
};
const object = (apiVersion: string, kind: string, name: string, more: object = {}): KubeObject => ({
  apiVersion,
  kind,
  metadata: { name, namespace: "shop" },
  ...more,
});
const nobody = () => ({ server: connection.server, ...(connection.ca ? { ca: connection.ca } : {}) });
const maps = "/api/v1/namespaces/shop/configmaps";
const withToken = (bearer: string, path = maps) => raw({ ...nobody(), bearer }, "GET", path);
const tokenFor = async (spec: object, account = "bot"): Promise<string> => {
  const request = object("authentication.k8s.io/v1", "TokenRequest", account, { spec });
  const answer = await admin.create(types.serviceAccounts, request, { subresource: "token" });
  return answer["status"].token;
};

describe("tokens of service accounts", () => {
  it("carry the rights of their account, and nothing more", async () => {
    const token = await tokenFor({});
    expect((await withToken(token)).code).toBe(200);
    expect((await withToken(token, "/api/v1/namespaces/shop/secrets")).json.message).toBe(
      'secrets is forbidden: User "system:serviceaccount:shop:bot" cannot list resource "secrets" in API group "" in the namespace "shop"',
    );
  });
  it("can be checked by anybody with the published key", async () => {
    const [head, body, signature] = (await tokenFor({ audiences: ["vault"] })).split(".");
    const { json } = await raw(connection, "GET", "/openid/v1/jwks");
    const key = createPublicKey({ key: json.keys[0], format: "jwk" });
    const text = Buffer.from(`${head}.${body}`);
    expect(verify("sha256", text, { key, dsaEncoding: "ieee-p1363" }, Buffer.from(signature ?? "", "base64url"))).toBe(
      true,
    );
    const claims = JSON.parse(Buffer.from(body ?? "", "base64url").toString());
    expect(claims).toMatchObject({
      aud: ["vault"],
      iss: "https://kubernetes.default.svc",
      sub: "system:serviceaccount:shop:bot",
    });
    expect((await raw(connection, "GET", "/.well-known/openid-configuration")).json).toMatchObject({
      issuer: claims.iss,
      jwks_uri: `${connection.server}/openid/v1/jwks`,
    });
  });
  it("are refused when they are meant for others, changed or invented", async () => {
    expect((await withToken(await tokenFor({ audiences: ["vault"] }))).code).toBe(401);
    const token = await tokenFor({});
    const [head, , signature] = token.split(".");
    const forged = Buffer.from(JSON.stringify({ sub: "system:serviceaccount:kube-system:x" })).toString("base64url");
    expect((await withToken(`${head}.${forged}.${signature}`)).code).toBe(401);
    const none = Buffer.from('{"alg":"none"}').toString("base64url");
    expect((await withToken(`${none}.${token.split(".")[1]}.`)).code).toBe(401);
    expect((await withToken("x".repeat(20_000))).code).toBe(401);
  });
  it("end with the pod they are bound to", async () => {
    const spec = { serviceAccountName: "bot", containers: [{ name: "c", image: "x" }] };
    const pod = await admin.create(types.pods, object("v1", "Pod", "runner", { spec }));
    const boundObjectRef = { kind: "Pod", apiVersion: "v1", name: "runner", uid: pod.metadata.uid };
    const token = await tokenFor({ boundObjectRef });
    const review = { apiVersion: "authentication.k8s.io/v1", kind: "TokenReview", spec: { token } };
    const path = "/apis/authentication.k8s.io/v1/tokenreviews";
    expect((await raw(connection, "POST", path, JSON.stringify(review))).json.status.user.extra).toMatchObject({
      "authentication.kubernetes.io/pod-name": ["runner"],
      "authentication.kubernetes.io/pod-uid": [pod.metadata.uid],
    });
    expect((await withToken(token)).code).toBe(200);
    await admin.delete(types.pods, { namespace: "shop", name: "runner" });
    expect((await withToken(token)).code).toBe(401);
    expect((await raw(connection, "POST", path, JSON.stringify(review))).json.status).toEqual({
      user: {},
      error: "[invalid bearer token, service account token has been invalidated]",
    });
  });
  it("end with their account, even when another of its name comes", async () => {
    await admin.create(types.serviceAccounts, object("v1", "ServiceAccount", "brief"));
    const token = await tokenFor({}, "brief");
    expect((await withToken(token)).code).toBe(403);
    await admin.delete(types.serviceAccounts, { namespace: "shop", name: "brief" });
    await admin.create(types.serviceAccounts, object("v1", "ServiceAccount", "brief"));
    expect((await withToken(token)).code).toBe(401);
  });
  it("are kept in Secrets that ask for them, as long as these and the account live", async () => {
    const annotations = { "kubernetes.io/service-account.name": "bot" };
    const metadata = { name: "bot-token", namespace: "shop", annotations };
    const type = "kubernetes.io/service-account-token";
    await admin.create(types.secrets, { apiVersion: "v1", kind: "Secret", metadata, type });
    const key = { namespace: "shop", name: "bot-token" };
    const filled = await until(async () => {
      const secret = await admin.get(types.secrets, key);
      return secret["data"]?.token ? secret : undefined;
    });
    const read = (member: string) => Buffer.from(filled!["data"][member], "base64").toString();
    expect(read("namespace")).toBe("shop");
    expect(read("ca.crt")).toBe(kube.rootCa);
    expect((await withToken(read("token"))).code).toBe(200);
    await admin.delete(types.secrets, key);
    expect((await withToken(read("token"))).code).toBe(401);
    await admin.create(types.secrets, {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { ...metadata, annotations: { ...annotations, "kubernetes.io/service-account.name": "nobody" } },
      type,
    });
    await until(() =>
      admin.get(types.secrets, key).then(
        () => false,
        () => true,
      ),
    );
  });
});

describe("tokens kept in Secrets", () => {
  const today = () => new Date().toISOString().slice(0, 10);
  const key = { namespace: "shop", name: "noted" };
  const used = "kubernetes.io/legacy-token-last-used";
  const relabel = (labels: object) =>
    admin.patch(types.secrets, key, { type: "merge", body: { metadata: { labels } } });
  let token: string;
  beforeAll(async () => {
    const annotations = { "kubernetes.io/service-account.name": "bot" };
    const secret = object("v1", "Secret", "noted", { type: "kubernetes.io/service-account-token" });
    await admin.create(types.secrets, { ...secret, metadata: { ...secret.metadata, annotations } });
    const data = await until(async () => (await admin.get(types.secrets, key))["data"]?.token);
    token = Buffer.from(data, "base64").toString();
  });
  it("carry the day of their last use, as the API server's own", async () => {
    expect((await withToken(token)).code).toBe(200);
    const { metadata } = await admin.get(types.secrets, key);
    expect(metadata.labels).toEqual({ [used]: today() });
    const owned = metadata.managedFields?.find(({ manager }) => manager === "kube-apiserver");
    expect(owned?.fieldsV1).toEqual({ "f:metadata": { "f:labels": { ".": {}, [`f:${used}`]: {} } } });
    expect((await withToken(token)).code).toBe(200);
    expect((await admin.get(types.secrets, key)).metadata.resourceVersion).toBe(metadata.resourceVersion);
  });
  it("get the new day when they are used again", async () => {
    await relabel({ [used]: "2020-01-01" });
    await withToken(token);
    expect((await admin.get(types.secrets, key)).metadata.labels).toEqual({ [used]: today() });
  });
  it("are refused when they are marked invalid, which is a use, too", async () => {
    await relabel({ [used]: null, "kubernetes.io/legacy-token-invalid-since": "2026-01-01" });
    expect((await withToken(token)).code).toBe(401);
    expect((await admin.get(types.secrets, key)).metadata.labels).toMatchObject({ [used]: today() });
    await relabel({ "kubernetes.io/legacy-token-invalid-since": null });
  });
  it("are warned about when their account lists them", async () => {
    const account = { namespace: "shop", name: "bot" };
    const body = { secrets: [{ name: "noted" }] };
    await admin.patch(types.serviceAccounts, account, { type: "merge", body });
    const { headers } = await withToken(token);
    expect(headers["warning"]).toMatch(/Use tokens from the TokenRequest API .* instead of auto-generated/);
    await admin.patch(types.serviceAccounts, account, { type: "merge", body: { secrets: null } });
  });
  it("are noted since the day that a ConfigMap names, whose nonsense is mended", async () => {
    const map = { namespace: "kube-system", name: "kube-apiserver-legacy-service-account-token-tracking" };
    expect((await admin.get(types.configMaps, map))["data"]).toEqual({ since: today() });
    await admin.patch(types.configMaps, map, { type: "merge", body: { data: { since: "long ago" } } });
    await until(async () => (await admin.get(types.configMaps, map))["data"].since === today());
  });
});

describe("pods", () => {
  const pod = (name: string, spec: object = {}) =>
    admin.create(types.pods, object("v1", "Pod", name, { spec: { containers: [{ name: "c", image: "x" }], ...spec } }));
  it("get their account's token mounted where nothing else is", async () => {
    const { spec } = await pod("plain");
    expect(spec).toMatchObject({ serviceAccountName: "default", serviceAccount: "default" });
    expect(spec.volumes).toEqual([
      { name: expect.stringMatching(/^kube-api-access-.{5}$/), projected: expect.anything() },
    ]);
    const mountPath = "/var/run/secrets/kubernetes.io/serviceaccount";
    expect(spec.containers[0].volumeMounts).toEqual([{ name: spec.volumes[0].name, readOnly: true, mountPath }]);
    const own = {
      containers: [{ name: "c", image: "x", volumeMounts: [{ name: "v", mountPath }] }],
      volumes: [{ name: "v", emptyDir: {} }],
    };
    expect((await pod("own", own))["spec"].volumes).toHaveLength(1);
  });
  it("do without where the pod or its account says so, the pod first", async () => {
    await admin.create(
      types.serviceAccounts,
      object("v1", "ServiceAccount", "shy", {
        automountServiceAccountToken: false,
        imagePullSecrets: [{ name: "pull" }],
      }),
    );
    const shy = (await pod("shy", { serviceAccountName: "shy" }))["spec"];
    expect([shy.volumes, shy.imagePullSecrets]).toEqual([undefined, [{ name: "pull" }]]);
    expect(
      (await pod("bold", { serviceAccountName: "shy", automountServiceAccountToken: true }))["spec"].volumes,
    ).toHaveLength(1);
    expect((await pod("off", { automountServiceAccountToken: false }))["spec"].volumes).toBeUndefined();
  });
  it("are refused without their account", async () => {
    await expect(pod("lost", { serviceAccountName: "none" })).rejects.toThrow(
      'pods "lost" is forbidden: error looking up service account shop/none: serviceaccount "none" not found',
    );
  });
});

describe("in process", () => {
  it("a client has the rights of its principal", async () => {
    const jane = kube.client({ username: "jane", groups: ["devs", "system:authenticated"] });
    expect((await jane.list(types.configMaps, { namespace: "shop" })).items).toHaveLength(1);
    await expect(jane.list(types.configMaps)).rejects.toMatchObject({ status: { code: 403 } });
    await expect(jane.create(types.configMaps, object("v1", "ConfigMap", "x"))).rejects.toThrow(
      'configmaps is forbidden: User "jane" cannot create resource "configmaps" in API group "" in the namespace "shop"',
    );
    const patch = { type: "apply", body: object("v1", "ConfigMap", "x") } as const;
    await expect(
      jane.patch(types.configMaps, { namespace: "shop", name: "x" }, patch, { fieldManager: "j" }),
    ).rejects.toThrow(/cannot patch/);
  });
  it("a right that is taken away is gone for the next request", async () => {
    const joe = kube.client({ username: "joe", groups: [] });
    const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "view" };
    const subjects = [{ kind: "User", apiGroup: "rbac.authorization.k8s.io", name: "joe" }];
    await admin.create(rbac("rolebindings"), object(RBAC, "RoleBinding", "joe", { roleRef, subjects }));
    expect((await joe.list(types.pods, { namespace: "shop" })).items.length).toBeGreaterThan(0);
    await admin.delete(rbac("rolebindings"), { namespace: "shop", name: "joe" });
    await expect(joe.list(types.pods, { namespace: "shop" })).rejects.toMatchObject({ status: { code: 403 } });
  });
});

describeWith(["openssl", "kubectl"], "with kubectl", () => {
  const kubectl = (...args: string[]) =>
    new Promise<string>((resolve) => {
      const all = ["--kubeconfig", join(dir, "kubeconfig"), ...args];
      execFile(programPath("kubectl") ?? "", all, { env: { HOME: dir } }, (_, out, err) => resolve((out + err).trim()));
    });
  const request = (subject: string, file: string): string => {
    const args = [
      "req",
      "-new",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-nodes",
      "-keyout",
      join(dir, file),
    ];
    return execFileSync("openssl", [...args, "-subj", subject], { stdio: ["ignore", "pipe", "ignore"] }).toString(
      "base64",
    );
  };
  const ask = (client: KubeClient, name: string, spec: object) =>
    client.create(csrs, {
      apiVersion: "certificates.k8s.io/v1",
      kind: csrs.kind,
      metadata: { name },
      spec,
    } as KubeObject);
  const signed = (name: string) =>
    until(async () => (await admin.get(csrs, { name }))["status"]?.certificate as string | undefined);

  it("a request is approved, signed, and its certificate lets its holder in", async () => {
    const spec = {
      request: request("/O=devs/CN=jane", "jane.key"),
      signerName: "kubernetes.io/kube-apiserver-client",
      usages: ["client auth"],
      expirationSeconds: 3600,
    };
    await ask(admin, "jane", spec);
    expect(await kubectl("get", "csr", "jane", "--no-headers")).toMatch(
      /^jane .* kubernetes.io\/kube-apiserver-client +admin +60m +Pending$/,
    );
    expect(await kubectl("certificate", "approve", "jane")).toBe(
      "certificatesigningrequest.certificates.k8s.io/jane approved",
    );
    const clientCert = Buffer.from((await signed("jane")) ?? "", "base64").toString();
    const clientKey = new Secret(await readFile(join(dir, "jane.key"), "utf8"));
    expect((await raw({ ...nobody(), clientCert, clientKey }, "GET", maps)).code).toBe(200);
    expect((await raw({ ...nobody(), clientCert, clientKey }, "GET", "/api/v1/nodes")).json.message).toContain(
      'User "jane"',
    );
    expect(await kubectl("get", "csr", "jane", "--no-headers")).toMatch(/Approved,Issued$/);
  });
  it("a denied request stays unsigned, and one that breaks its signer's rules fails", async () => {
    const client = "kubernetes.io/kube-apiserver-client";
    await ask(admin, "denied", { request: request("/CN=eve", "eve.key"), signerName: client, usages: ["client auth"] });
    await kubectl("certificate", "deny", "denied");
    expect(await kubectl("get", "csr", "denied", "--no-headers")).toMatch(/Denied$/);
    await ask(admin, "server", { request: request("/CN=eve", "eve.key"), signerName: client, usages: ["server auth"] });
    await kubectl("certificate", "approve", "server");
    await until(async () => (await kubectl("get", "csr", "server", "--no-headers")).endsWith("Approved,Failed"));
  });
  it("kubelets get theirs without a human where roles let them", async () => {
    const spec = {
      request: request("/O=system:nodes/CN=system:node:n1", "n1.key"),
      signerName: "kubernetes.io/kube-apiserver-client-kubelet",
      usages: ["digital signature", "client auth"],
    };
    const node = kube.client({ username: "system:node:n1", groups: ["system:nodes", "system:authenticated"] });
    const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "system:node" };
    const clusterBinding = { ...rbac("clusterrolebindings"), kind: "ClusterRoleBinding", namespaced: false };
    const bind = (name: string, role: string) =>
      admin.create(clusterBinding, {
        apiVersion: RBAC,
        kind: "ClusterRoleBinding",
        metadata: { name },
        roleRef: { ...roleRef, name: role },
        subjects: [{ kind: "Group", apiGroup: "rbac.authorization.k8s.io", name: "system:nodes" }],
      });
    await bind("nodes", "system:node");
    await bind("renew", "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient");
    await ask(node, "n1", spec);
    expect(await signed("n1")).toBeTruthy();
    const { conditions } = (await admin.get(csrs, { name: "n1" }))["status"];
    expect(conditions[0]).toMatchObject({
      reason: "AutoApproved",
      message: expect.stringContaining("self kubelet client"),
    });
  });
  it("says who one is and what one may", async () => {
    const as = ["--as", "jane", "--as-group", "devs", "--as-group", "system:authenticated"];
    expect(await kubectl("auth", "whoami", ...as)).toMatch(/Username +jane\nGroups +\[devs system:authenticated\]/);
    expect(await kubectl("auth", "can-i", "list", "pods", "-n", "shop", ...as)).toBe("yes");
    expect(await kubectl("auth", "can-i", "delete", "pods", "-n", "shop", ...as)).toBe("no");
    expect(await kubectl("auth", "can-i", "get", "/version", ...as)).toBe("yes");
    expect(await kubectl("auth", "can-i", "--list", "-n", "shop", ...as)).toMatch(
      /^configmaps +\[\] +\[\] +\[get list\]$/m,
    );
    expect(await kubectl("get", "secrets", "-n", "shop", ...as)).toBe(
      'Error from server (Forbidden): secrets is forbidden: User "jane" cannot list resource "secrets" in API group "" in the namespace "shop"',
    );
  });
  it("creates tokens and reconciles roles", async () => {
    const token = await kubectl("create", "token", "bot", "-n", "shop", "--duration", "1h");
    expect((await withToken(token)).code).toBe(200);
    const file = join(dir, "role.yaml");
    await writeFile(
      file,
      `apiVersion: ${RBAC}\nkind: Role\nmetadata: {name: reader, namespace: shop}\nrules:\n- {apiGroups: [""], resources: [services], verbs: [get]}\n`,
    );
    expect(await kubectl("auth", "reconcile", "-f", file)).toBe(
      "role.rbac.authorization.k8s.io/reader reconciled\n\treconciliation required update\n\tmissing rules added:\n\t\t{Verbs:[get] APIGroups:[] Resources:[services] ResourceNames:[] NonResourceURLs:[]}",
    );
    expect((await admin.get(rbac("roles"), { namespace: "shop", name: "reader" }))["rules"]).toHaveLength(2);
  });
});

it("tokens, certificates and roles outlive a restart", async () => {
  const token = await tokenFor({});
  const before = connection;
  await kube.stop();
  await start();
  expect(connection.ca).toBe(before.ca);
  expect((await withToken(token)).code).toBe(200);
  expect((await raw({ ...before, server: connection.server }, "GET", "/api/v1/nodes")).code).toBe(200);
});
