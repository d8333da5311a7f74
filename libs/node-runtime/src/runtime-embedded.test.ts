import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describeWith, programPath } from "@tiphys/testing";
import { embeddedCluster } from "./testing/embedded-cluster.js";
import { describeImages } from "./testing/image-scenarios.js";
import { describeLifecycle } from "./testing/lifecycle-scenarios.js";
import { startTestNode } from "./testing/node-scenarios.js";
import { describeNode } from "./testing/runtime-scenarios.js";

describeWith(["git"], "node runtime on the embedded API", () => describeNode(embeddedCluster));

it("ends what serves at a stop that keeps jobs, and leaves a job to the next start, which reports its end", async () => {
  const cluster = await embeddedCluster();
  const node = await startTestNode(cluster, { onStop: "keep-jobs" });
  try {
    const container = (command: string) => [{ name: "main", image: "busybox", command: ["sh", "-c", command] }];
    await node.createPod("serves", { containers: container("exec sleep 1000") });
    await node.createPod("ends", { restartPolicy: "Never", containers: container("sleep 1; echo done") });
    for (const name of ["serves", "ends"])
      await node.waitFor(name, (pod) => pod["status"]?.containerStatuses?.[0]?.state?.running);
    await node.restart();
    const job = await node.waitFor("ends", (pod) => pod["status"]?.phase === "Succeeded");
    expect(job["status"].containerStatuses[0].restartCount).toBe(0);
    const server = await node.waitFor("serves", (pod) => pod["status"]?.containerStatuses?.[0]?.state?.running);
    expect(server["status"].containerStatuses[0].restartCount).toBe(1);
  } finally {
    await node.close();
    await cluster.close();
  }
});

describeWith(["kubectl"], "kubectl logs", () => {
  it("shows a container's log through the embedded API", async () => {
    const cluster = await embeddedCluster();
    const node = await startTestNode(cluster);
    const dir = mkdtempSync(join(tmpdir(), "tiphys-kubectl-"));
    try {
      const config = join(dir, "kubeconfig");
      const { kubeconfig } = await cluster.kube.listen({ host: "127.0.0.1", port: 0 });
      writeFileSync(config, kubeconfig, { mode: 0o600 });
      await node.createPod("talks", {
        restartPolicy: "Never",
        containers: [{ name: "main", image: "busybox", command: ["sh", "-c", "echo one; echo two"] }],
      });
      await node.waitFor("talks", (pod) => pod["status"]?.phase === "Succeeded");
      const kubectl = async (...args: string[]) =>
        (await promisify(execFile)(programPath("kubectl")!, ["--kubeconfig", config, "-n", node.namespace, ...args]))
          .stdout;
      expect(await kubectl("logs", "talks")).toBe("one\ntwo\n");
      expect(await kubectl("logs", "talks", "--tail=1")).toBe("two\n");
      expect(await kubectl("get", "pod", "talks")).toMatch(/talks\s+0\/1\s+Completed/);
    } finally {
      await node.close();
      await cluster.close();
      rmSync(dir, { recursive: true, force: true });
    }
  });
});

describeWith(["bwrap"], "a pod's own token", () => {
  it("lets the pod ask the API as its account, and for nothing else", async () => {
    const cluster = await embeddedCluster();
    const { url } = await cluster.kube.listen({ host: "127.0.0.1", port: 0 });
    const node = await startTestNode(cluster, { apiServer: { host: "127.0.0.1", port: Number(new URL(url).port) } });
    const ask = (path: string) => `
      const { readFileSync } = require("fs");
      const read = (name) => readFileSync("/var/run/secrets/kubernetes.io/serviceaccount/" + name, "utf8");
      const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = process.env;
      const headers = { authorization: "Bearer " + read("token") };
      const path = "/api/v1/namespaces/" + read("namespace") + "${path}";
      require("https").get({ host, port, path, headers, ca: read("ca.crt") }, (answer) => {
        let text = "";
        answer.on("data", (part) => { text += part; });
        answer.on("end", () => { const body = JSON.parse(text); console.log(answer.statusCode, body.message ?? body.metadata.name); });
      });`;
    const pod = (name: string, path: string) =>
      node.createPod(name, {
        restartPolicy: "Never",
        containers: [{ name: "main", image: "node", command: ["node", "-e", ask(path)] }],
      });
    try {
      await cluster.client.create(roleBindings, {
        apiVersion: "rbac.authorization.k8s.io/v1",
        kind: "RoleBinding",
        metadata: { name: "view", namespace: node.namespace },
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "view" },
        subjects: [{ kind: "ServiceAccount", name: "default" }],
      });
      await pod("asks", "/pods/asks");
      await pod("steals", "/secrets/any");
      for (const name of ["asks", "steals"]) await node.waitFor(name, (one) => one["status"]?.phase === "Succeeded");
      expect(await node.log("asks")).toBe("200 asks\n");
      expect(await node.log("steals")).toBe(
        `403 secrets "any" is forbidden: User "system:serviceaccount:${node.namespace}:default" cannot get resource "secrets" in API group "" in the namespace "${node.namespace}"\n`,
      );
    } finally {
      await node.close();
      await cluster.close();
    }
  });
});

const roleBindings = {
  group: "rbac.authorization.k8s.io",
  version: "v1",
  resource: "rolebindings",
  kind: "RoleBinding",
  namespaced: true,
};

describeWith(["bwrap", "docker-registry"], "images on the embedded API", () => describeImages(embeddedCluster));
describeWith(["docker-registry"], "images with unshare on the embedded API", () =>
  describeImages(embeddedCluster, { sandbox: "unshare" }),
);
describeWith(["bwrap"], "pods' lives on the embedded API", () => describeLifecycle(embeddedCluster));
