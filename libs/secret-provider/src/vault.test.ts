import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { virtualClock } from "@tiphys/clock";
import { createDialer } from "@tiphys/dialer";
import { noMetrics, silentLogger } from "@tiphys/telemetry";
import { selfSignedCertificate } from "@tiphys/testing";
import { secretProviderContract } from "./contract.js";
import { createVaultProvider, vaultSettings } from "./index.js";
import { startTestVault, type TestVault, type VaultContent } from "./testing/vault-server.js";

let vault: TestVault;
const clock = virtualClock(new Date("2026-01-01T00:00:00Z"));
const dialer = createDialer({ clock, log: silentLogger, metrics: noMetrics });
const values = { password: "s3cret", port: 5432 };

const start = async (content: VaultContent = {}) => {
  vault = await startTestVault({
    first: { "kv/db": values },
    second: { "secret/data/db": [{ password: "older" }, null, values] },
    ...content,
  });
  vault.tokens.add("root");
};
const open = (entries: Record<string, string> = {}, readFile?: (path: string) => Promise<string>) =>
  createVaultProvider(
    vaultSettings({ VAULT_ADDR: vault.url, AVP_AUTH_TYPE: "token", VAULT_TOKEN: "root", ...entries }, "Secret vault"),
    { dialer, clock, ...(readFile ? { readFile } : {}) },
  );
const now = { maxAge: 0 };
afterEach(() => vault?.close());

describe("KV of version 2", () => {
  secretProviderContract(async () => {
    await start();
    return {
      provider: open(),
      path: "secret/data/db",
      nothing: "secret/data/none",
      change: (held) => void vault.content.second?.["secret/data/db"]?.push(held),
    };
  });

  it("has versions, of which some are deleted", async () => {
    await start();
    const read = (version: string) => open().read({ path: "secret/data/db", version }, now);
    expect(await read("1")).toEqual({ password: "older" });
    await expect(read("2")).rejects.toMatchObject({ code: "NotFound" });
    await expect(read("9")).rejects.toThrow(/has no secret\/data\/db in version 9/);
  });

  it("says that a path lacks /data/", async () => {
    await start();
    await expect(open().read({ path: "secret/db" }, now)).rejects.toThrow("have /data/ after the engine's name");
    await expect(open().read({ path: "kv/db" }, now)).rejects.toThrow("no data of version 2");
  });
});

describe("KV of version 1", () => {
  secretProviderContract(async () => {
    await start();
    return {
      provider: open({ AVP_KV_VERSION: "1" }),
      path: "kv/db",
      nothing: "kv/none",
      change: (held) => void Object.assign(vault.content.first as object, { "kv/db": held }),
    };
  });
});

describe("logins", () => {
  const goodRole = (path: string, body: Record<string, unknown>) =>
    path === "auth/approle/login" && body["role_id"] === "r" && body["secret_id"] === "id"
      ? `t${vault.seen.length}`
      : undefined;
  const approle = { AVP_AUTH_TYPE: "approle", AVP_ROLE_ID: "r", AVP_SECRET_ID: "id" };
  const db = { path: "secret/data/db" };

  it("get one token for many reads, another before it ends, and another when it is no longer good", async () => {
    await start({ login: goodRole, leaseSeconds: 100 });
    const provider = open(approle);
    await Promise.all([1, 2, 3].map(() => provider.read(db, now)));
    const logins = () => vault.seen.filter((each) => each.startsWith("POST")).length;
    expect(logins()).toBe(1);
    await clock.advance(80_000);
    await provider.read(db, now);
    expect(logins()).toBe(2);
    vault.tokens.clear();
    await provider.read(db, now);
    expect(logins()).toBe(3);
  });

  it("as a ServiceAccount send its token and role", async () => {
    await start({
      login: (path, { role, jwt }) =>
        path === "auth/k8s-prod/login" && role === "argo" && jwt === "jwt" ? "t" : undefined,
    });
    const entries = { AVP_AUTH_TYPE: "k8s", AVP_K8S_ROLE: "argo", AVP_K8S_MOUNT_PATH: "auth/k8s-prod" };
    const files: string[] = [];
    const readFile = async (path: string) => {
      files.push(path);
      return "jwt\n";
    };
    expect(await open(entries, readFile).read(db, now)).toEqual(values);
    expect(files).toEqual(["/var/run/secrets/kubernetes.io/serviceaccount/token"]);
    await expect(open(entries).read(db, now)).rejects.toThrow("needs a ServiceAccount");
  });

  it("that are refused say so without what was sent", async () => {
    await start({ login: goodRole });
    const failed = open({ ...approle, AVP_SECRET_ID: "hunter2" }).read(db, now);
    await expect(failed).rejects.toThrow(
      /refuses the login at auth\/approle\/login \(400\): invalid role or secret ID/,
    );
    await expect(failed).rejects.not.toThrow("hunter2");
    await expect(open({ VAULT_TOKEN: "hunter3" }).read(db, now)).rejects.toThrow(
      /refuses secret\/data\/db: permission denied/,
    );
  });
});

it("sends a namespace, and checks certificates by the CA it is given", async () => {
  const tls = await selfSignedCertificate();
  await start({ namespace: "team", tls });
  const db = { path: "secret/data/db" };
  const VAULT_NAMESPACE = "team";
  await expect(open({ VAULT_NAMESPACE }).read(db, now)).rejects.toMatchObject({ code: "Unavailable" });
  expect(await open({ VAULT_NAMESPACE, VAULT_CACERT: tls.cert }).read(db, now)).toEqual(values);
  expect(await open({ VAULT_NAMESPACE, VAULT_SKIP_VERIFY: "true" }).read(db, now)).toEqual(values);
  await expect(open({ VAULT_CACERT: tls.cert }).read(db, now)).rejects.toMatchObject({ code: "NotFound" });
});

it("follows no redirect, as its token is for one server", async () => {
  await start();
  const elsewhere = createServer((_, response) =>
    response.writeHead(307, { location: `${vault.url}/v1/secret/data/db` }).end(),
  );
  await new Promise<void>((resolve) => elsewhere.listen(0, "127.0.0.1", resolve));
  const VAULT_ADDR = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}`;
  await expect(open({ VAULT_ADDR }).read({ path: "secret/data/db" }, now)).rejects.toThrow("is not followed");
  expect(vault.seen).toEqual([]);
  elsewhere.close();
});

it.each([
  [{ AVP_TYPE: "awssecretsmanager" }, "AVP_TYPE awssecretsmanager in Secret vault is not implemented"],
  [{ AVP_AUTH_TYPE: "iam" }, "AVP_AUTH_TYPE iam"],
  [{ AVP_AUTH_TYPE: "approle" }, "AVP_ROLE_ID is missing"],
  [{ VAULT_ADDR: "file:///etc" }, "VAULT_ADDR is not of the form"],
  [{ VAULT_CACERT: "/etc/ca.pem" }, "VAULT_CACERT is no certificate"],
  [{ AVP_KV_VERSION: "3" }, "AVP_KV_VERSION 3"],
])("refuses %j by name", async (entries, problem) => {
  await start();
  expect(() => open(entries)).toThrow(problem);
});

it("refuses paths that lead elsewhere in the API", async () => {
  await start();
  await expect(open().read({ path: "secret/../sys/raw" }, now)).rejects.toThrow(". or ..");
  await expect(open().read({ path: "secret/data/a?list=true" }, now)).rejects.toMatchObject({ code: "NotFound" });
  expect(vault.seen).toEqual(["GET secret/data/a%3Flist%3Dtrue"]);
});
