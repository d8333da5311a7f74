import { randomBytes } from "node:crypto";
import { virtualClock } from "@tiphys/clock";
import { clusterAdmin } from "@tiphys/identity";
import { bootstrapPolicy } from "@tiphys/kube-access";
import { createEmbeddedKube, type EmbeddedKube } from "@tiphys/kube-embedded";
import { type KubeObject, types } from "@tiphys/resources";
import { silentLogger } from "@tiphys/telemetry";
import { actingAs, controllerPrincipal, controllerRoles, ensureRoles } from "./identities.js";
import { ownIdentities } from "./testing/own-identities.js";

const clock = virtualClock(new Date("2026-01-01T00:00:00Z"));
const bindings = {
  group: "rbac.authorization.k8s.io",
  version: "v1",
  resource: "clusterrolebindings",
  kind: "ClusterRoleBinding",
  namespaced: false,
} as const;
let kube: EmbeddedKube;
beforeAll(async () => {
  kube = await createEmbeddedKube({ clock, random: randomBytes, log: silentLogger });
});
afterAll(() => kube.stop());

const map = (name: string): KubeObject => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace: "default" },
});

it("has a role for every account it names, in the bootstrap policy or of its own", () => {
  const names = new Set([...bootstrapPolicy(), ...controllerRoles()].map(({ metadata }) => metadata.name));
  const accounts = controllerRoles().flatMap((role) => role["subjects"] ?? []) as { name: string }[];
  for (const { name } of accounts) {
    expect(names.has(name.startsWith("tiphys-") ? `tiphys:controller:${name}` : `system:controller:${name}`)).toBe(
      true,
    );
  }
});

it("refuses a controller what its roles do not allow, and says so at the end of a test", async () => {
  const identities = await ownIdentities(kube, clock);
  const { client } = actingAs(identities.informers, controllerPrincipal("root-ca-cert-publisher"));
  await client.create(types.configMaps, map("allowed"));
  identities.check();
  await expect(client.delete(types.configMaps, { namespace: "default", name: "allowed" })).rejects.toThrow(
    'User "system:serviceaccount:kube-system:root-ca-cert-publisher" cannot delete resource "configmaps"',
  );
  expect(() => identities.check()).toThrow(/cannot delete resource "configmaps"/);
  await identities.informers.stop();
});

it("forgets what was allowed when a binding goes, and gets it back", async () => {
  const client = kube.client(controllerPrincipal("root-ca-cert-publisher"));
  const name = "system:controller:root-ca-cert-publisher";
  const admin = kube.client(clusterAdmin);
  const binding = await admin.get(bindings, { name });
  await client.create(types.configMaps, map("first"));
  await admin.delete(bindings, { name });
  await expect(client.create(types.configMaps, map("second"))).rejects.toMatchObject({ status: { code: 403 } });
  const { apiVersion, kind, roleRef, subjects } = binding as KubeObject & { roleRef: unknown; subjects: unknown };
  await admin.create(bindings, { apiVersion, kind, metadata: { name }, roleRef, subjects } as KubeObject);
  await client.create(types.configMaps, map("second"));
});

it("makes its roles once", async () => {
  const admin = kube.client(clusterAdmin);
  const revision = async () => (await admin.list(bindings)).resourceVersion;
  await ensureRoles(admin, controllerRoles());
  const before = await revision();
  await ensureRoles(admin, controllerRoles());
  expect(await revision()).toBe(before);
});
