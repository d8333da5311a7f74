import { randomBytes } from "node:crypto";
import { virtualClock } from "@tiphys/clock";
import { accountPrincipal, clusterAdmin } from "@tiphys/identity";
import { ensureRoles } from "@tiphys/kube-controllers";
import { createEmbeddedKube, type EmbeddedKube } from "@tiphys/kube-embedded";
import {
  type AccountName,
  accountName,
  allCrds,
  serviceGrants,
  serviceNames,
  serviceRoles,
  types,
} from "@tiphys/resources";
import { silentLogger } from "@tiphys/telemetry";

const HOME = "argocd";
let kube: EmbeddedKube;
beforeAll(async () => {
  const clock = virtualClock(new Date("2026-01-01T00:00:00Z"));
  kube = await createEmbeddedKube({ clock, random: randomBytes, log: silentLogger, crds: allCrds });
  const admin = kube.client(clusterAdmin);
  await admin.create(types.namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: HOME } });
  await ensureRoles(admin, serviceRoles(HOME));
  for (const namespace of [HOME, "default"])
    await admin.create(types.secrets, { apiVersion: "v1", kind: "Secret", metadata: { name: "own", namespace } });
});
afterAll(() => kube.stop());

const as = (service: AccountName) => kube.client(accountPrincipal(HOME, accountName(service)));
const cannot = (service: AccountName, what: string) =>
  `User "system:serviceaccount:${HOME}:tiphys-${service}" cannot ${what}`;

it("lets nobody but the app-controller do everything", () => {
  const all = serviceNames.filter((name) =>
    serviceGrants[name].some(({ group, resources, verbs }) => [group, ...resources, ...verbs].includes("*")),
  );
  expect(all).toEqual(["app-controller"]);
});

it("says why, wherever somebody may read or change Secrets of all namespaces", () => {
  const readers = serviceNames.filter((name) =>
    serviceGrants[name].some(({ own, resources }) => !own && resources.includes("secrets")),
  );
  expect(readers).toEqual(["rollouts-controller", "events-gateway", "demo"]);
});

it.each(["repo-server", "api-server"] as const)("%s reads Secrets of its own namespace alone", async (service) => {
  const list = (namespace: string) => as(service).list(types.secrets, { namespace });
  const get = (namespace: string) => as(service).get(types.secrets, { namespace, name: "own" });
  const read = service === "repo-server" ? list : get;
  await read(HOME);
  await expect(read("default")).rejects.toThrow(
    cannot(service, `${read === list ? "list" : "get"} resource "secrets"`),
  );
});

it.each(serviceNames.filter((name) => name !== "app-controller"))("%s gives nobody a role", async (service) => {
  const resource = { group: "rbac.authorization.k8s.io", version: "v1", kind: "ClusterRoleBinding" } as const;
  const type = { ...resource, resource: "clusterrolebindings", namespaced: false };
  const binding = {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRoleBinding",
    metadata: { name: `up-${service}` },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "cluster-admin" },
    subjects: [{ kind: "ServiceAccount", name: accountName(service), namespace: HOME }],
  };
  await expect(as(service).create(type, binding)).rejects.toThrow(
    cannot(service, 'create resource "clusterrolebindings"'),
  );
});

it("refuses a service at once when its binding is taken away", async () => {
  const type = {
    group: "rbac.authorization.k8s.io",
    version: "v1",
    kind: "ClusterRoleBinding",
    resource: "clusterrolebindings",
    namespaced: false,
  };
  await as("rollouts-controller").list(types.rollouts);
  await kube.client(clusterAdmin).delete(type, { name: accountName("rollouts-controller") });
  await expect(as("rollouts-controller").list(types.rollouts)).rejects.toThrow(
    cannot("rollouts-controller", 'list resource "rollouts"'),
  );
});
