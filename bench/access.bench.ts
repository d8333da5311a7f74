import { randomBytes } from "node:crypto";
import { systemClock } from "@tiphys/clock";
import { clusterAdmin } from "@tiphys/identity";
import type { KubeClient } from "@tiphys/kube";
import { AccessIndex, type Attributes } from "@tiphys/kube-access";
import { createEmbeddedKube } from "@tiphys/kube-embedded";
import { types } from "@tiphys/resources";
import { silentLogger } from "@tiphys/telemetry";
import { bench, type Figures } from "./harness.js";

const DECISIONS = 200_000;
const READS = 20_000;

/** Microseconds of one decision, with `bindings` bindings of other users in the same namespace. */
function decision(bindings: number): number {
  const index = new AccessIndex();
  index.setRole(undefined, "view", [
    { verbs: ["get", "list", "watch"], apiGroups: [""], resources: ["pods", "services"] },
  ]);
  const roleRef = { kind: "ClusterRole", name: "view" };
  for (let n = 0; n < bindings; n++) {
    index.setBinding("shop", `b${n}`, { roleRef, subjects: [{ kind: "User", name: `user-${n}` }] });
  }
  const user = { username: "user-7", groups: ["system:authenticated"] };
  const asked: Attributes = { verb: "get", group: "", resource: "pods", namespace: "shop", name: "web" };
  const from = performance.now();
  for (let n = 0; n < DECISIONS; n++) index.authorize(user, asked);
  return ((performance.now() - from) * 1000) / DECISIONS;
}

/** Microseconds of one read in process. */
async function reads(client: KubeClient): Promise<number> {
  const key = { namespace: "default", name: "kube-root-ca.crt" };
  const from = performance.now();
  for (let n = 0; n < READS; n++) await client.get(types.configMaps, key);
  return ((performance.now() - from) * 1000) / READS;
}

// What RBAC costs: a decision does not grow with the number of bindings, and an administrator is not asked.
await bench({
  name: "access",
  async run(): Promise<Figures> {
    const kube = await createEmbeddedKube({ clock: systemClock(), random: randomBytes, log: silentLogger });
    const admin = kube.client(clusterAdmin);
    const subjects = [{ kind: "User", apiGroup: "rbac.authorization.k8s.io", name: "jane" }];
    await admin.create(
      {
        group: "rbac.authorization.k8s.io",
        version: "v1",
        resource: "rolebindings",
        kind: "RoleBinding",
        namespaced: true,
      },
      {
        apiVersion: "rbac.authorization.k8s.io/v1",
        kind: "RoleBinding",
        metadata: { name: "view", namespace: "default" },
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "view" },
        subjects,
      },
    );
    const jane = kube.client({ username: "jane", groups: ["system:authenticated"] });
    await reads(admin);
    const figures = {
      decision_us_10_bindings: decision(10),
      decision_us_10000_bindings: decision(10_000),
      read_us_administrator: await reads(admin),
      read_us_user: await reads(jane),
    };
    await kube.stop();
    return figures;
  },
});
