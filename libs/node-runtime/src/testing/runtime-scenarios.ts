import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type KubeObject, types } from "@tiphys/resources";
import { findProgram } from "@tiphys/sandbox";
import { eventually } from "@tiphys/testing";
import type { NodeRuntimeDeps } from "../deps.js";
import { containerPath } from "../sandbox.js";
import {
  get,
  HTTP_SERVER,
  hostPortOf,
  startTestNode,
  TAINT,
  type TestCluster,
  type TestNode,
} from "./node-scenarios.js";

/** The version of the Node that containers find first, such as v20.20.2; not always the one that runs this test. */
const nodeOfContainers = (): string =>
  execFileSync(findProgram("node", containerPath(process.execPath)) ?? process.execPath, ["--version"], {
    encoding: "utf8",
  });

const sh = (script: string) => ({ image: "alpine:3.20", command: ["sh", "-c", script] });
const server = {
  image: "node:20",
  command: ["node", "-e", HTTP_SERVER],
  ports: [{ containerPort: 8080, name: "http" }],
};
const condition = (pod: KubeObject, type: string) =>
  pod["status"]?.conditions?.find((one: { type: string }) => one.type === type)?.status;
const stateOf = (pod: KubeObject, index = 0) => pod["status"]?.containerStatuses?.[index]?.state ?? {};

const TOOL = `#!/bin/sh
cd "$WORK" || exit 9
git init -q . && git -c user.name=a -c user.email=b@c commit -q --allow-empty -m x
echo "hello $1 node=$(node -p 'process.version.split(".")[0]') git=$(git rev-list --count HEAD) commits $ALL"
`;

/** What the node does for pods, on whatever control plane `connect` gives. */
export function describeNode(connect: () => Promise<TestCluster>, options: Partial<NodeRuntimeDeps> = {}): void {
  let cluster: TestCluster;
  let node: TestNode;
  let tool: string | undefined;
  beforeAll(async () => {
    cluster = await connect();
    tool = mkdtempSync(join(tmpdir(), "tiphys-tool-"));
    mkdirSync(join(tool, "bin"));
    writeFileSync(join(tool, "bin", "hello"), TOOL, { mode: 0o755 });
    node = await startTestNode(cluster, { images: [{ pattern: "tiphys/test-tool", root: tool }], ...options });
  });
  afterAll(async () => {
    await node?.close();
    await cluster?.close();
    if (tool) rmSync(tool, { recursive: true, force: true });
  });

  it("registers a ready node with a lease", async () => {
    const object = await node.client.get(types.nodes, { name: node.nodeName });
    expect(condition(object, "Ready")).toBe("True");
    expect(object["status"].nodeInfo.kubeletVersion).toMatch(/^v1\.36\.\d+-tiphys$/);
    const lease = await node.client.get(types.leases, { namespace: "kube-node-lease", name: node.nodeName });
    expect(lease["spec"].holderIdentity).toBe(node.nodeName);
  });

  it("runs a pod to its real exit code, with its log", async () => {
    await node.createPod("fails", {
      restartPolicy: "Never",
      initContainers: [
        {
          name: "first",
          ...sh("echo from-init > /shared/file"),
          volumeMounts: [{ name: "shared", mountPath: "/shared" }],
        },
      ],
      containers: [
        {
          name: "main",
          ...sh("cat /shared/file; echo oops >&2; exit 7"),
          volumeMounts: [{ name: "shared", mountPath: "/shared" }],
        },
      ],
      volumes: [{ name: "shared", emptyDir: {} }],
    });
    const pod = await node.waitFor("fails", (one) => one["status"]?.phase === "Failed");
    expect(stateOf(pod).terminated).toMatchObject({ exitCode: 7, reason: "Error" });
    expect(pod["status"].initContainerStatuses[0].state.terminated).toMatchObject({ exitCode: 0, reason: "Completed" });
    expect([condition(pod, "Initialized"), condition(pod, "Ready")]).toEqual(["True", "False"]);
    expect(await node.log("fails")).toBe("from-init\noops\n");
    expect(await node.log("fails", { tailLines: 1, timestamps: true })).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z oops\n$/);
  });

  it("keeps the log whole when a container opens its outputs anew", async () => {
    const script = [
      "echo a; echo b > /dev/stderr; echo c > /dev/stdout; echo d | tee /dev/stderr",
      "echo e >> /proc/self/fd/1; (echo f >&2) 2> /dev/stdout; : > /dev/stderr; echo g",
    ].join("; ");
    await node.createPod("reopens", {
      restartPolicy: "Never",
      securityContext: { runAsUser: process.getuid?.() === 0 ? 1234 : (process.getuid?.() ?? 0) },
      containers: [{ name: "main", ...sh(script) }],
    });
    await node.waitFor("reopens", (one) => one["status"]?.phase === "Succeeded");
    const lines = (await node.log("reopens")).split("\n").sort();
    expect(lines).toEqual(["", "a", "b", "c", "d", "d", "e", "f", "g"]);
  });

  it("gives configuration as environment and files, and says what is missing until it is there", async () => {
    await node.createPod("configured", {
      restartPolicy: "Never",
      containers: [
        {
          name: "main",
          ...sh('echo "$A-$(B) $NAME $C"; cat /etc/conf/key'),
          env: [
            { name: "A", value: "1" },
            { name: "B", value: "$(A)2" },
            { name: "NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
            { name: "C", valueFrom: { secretKeyRef: { name: "hidden", key: "c" } } },
          ],
          volumeMounts: [{ name: "conf", mountPath: "/etc/conf" }],
        },
      ],
      volumes: [{ name: "conf", configMap: { name: "conf" } }],
    });
    await node.waitFor("configured", (pod) => /"conf" not found/.test(stateOf(pod).waiting?.message));
    const metadata = (name: string) => ({ name, namespace: node.namespace });
    await node.client.create(types.configMaps, {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: metadata("conf"),
      data: { key: "value" },
    });
    await node.waitFor("configured", (pod) => stateOf(pod).waiting?.reason === "CreateContainerConfigError");
    await node.client.create(types.secrets, {
      apiVersion: "v1",
      kind: "Secret",
      metadata: metadata("hidden"),
      data: { c: "M0M=" },
    });
    await node.waitFor("configured", (pod) => pod["status"]?.phase === "Succeeded");
    expect(await node.log("configured")).toBe("1-12 configured 3C\nvalue");
  });

  it("shows an image's files as a volume, runs node and git, and keeps to its sandbox", async () => {
    await node.createPod("tools", {
      restartPolicy: "Never",
      containers: [
        {
          name: "main",
          image: "node:20",
          command: ["/tool/bin/hello"],
          args: ["$(WHO)"],
          env: [
            { name: "WHO", value: "$(POD)!" },
            { name: "POD", value: "world" },
            { name: "ALL", value: "$(POD)" },
            { name: "WORK", value: "/pod-work" },
          ],
          volumeMounts: [
            { name: "tool", mountPath: "/tool" },
            { name: "work", mountPath: "/pod-work" },
          ],
        },
      ],
      volumes: [
        { name: "tool", image: { reference: "tiphys/test-tool:1" } },
        { name: "work", emptyDir: {} },
      ],
    });
    await node.waitFor("tools", (one) => one["status"]?.phase === "Succeeded" || one["status"]?.phase === "Failed");
    expect(await node.log("tools")).toBe(
      "hello $(POD)! node=v20 git=1 commits world\n".replace("v20", nodeOfContainers().split(".")[0] ?? ""),
    );
  });

  it("refuses a volume that leads out of itself", async () => {
    const volume = { name: "work", mountPath: "/pod-work" };
    await node.createPod("escape", {
      restartPolicy: "Never",
      initContainers: [
        {
          name: "link",
          ...sh("ln -s /etc $DIR/out"),
          env: [{ name: "DIR", value: "/pod-work" }],
          volumeMounts: [volume],
        },
      ],
      containers: [{ name: "main", ...sh("true"), volumeMounts: [{ ...volume, subPath: "out" }] }],
      volumes: [{ name: "work", emptyDir: {} }],
    });
    await node.waitFor("escape", (pod) => /leads out of the volume/.test(stateOf(pod).waiting?.message));
    await node.client.delete(types.pods, { namespace: node.namespace, name: "escape" }, { gracePeriodSeconds: 0 });
  });

  it("reports an image that cannot run here, and never success", async () => {
    await node.createPod("bad-image", { containers: [{ name: "main", image: "example.com/who/knows:1" }] });
    const pod = await node.waitFor("bad-image", (one) => stateOf(one).waiting?.reason === "ErrImagePull");
    expect(stateOf(pod).waiting.message).toContain('image "example.com/who/knows:1" is not in the image table');
    expect(pod["status"].phase).toBe("Pending");
  });

  it("says that a program is not there", async () => {
    await node.createPod("no-program", {
      restartPolicy: "Never",
      containers: [{ name: "main", image: "busybox", command: ["no-such-program"] }],
    });
    const pod = await node.waitFor("no-program", (one) => one["status"]?.phase === "Failed");
    expect(stateOf(pod).terminated).toMatchObject({ exitCode: 128, reason: "StartError" });
  });

  it("restarts by policy, backs off, and keeps the log before", async () => {
    await node.createPod("crashes", {
      restartPolicy: "Always",
      containers: [{ name: "main", ...sh("echo run; exit 3") }],
    });
    const pod = await node.waitFor("crashes", (one) => stateOf(one).waiting?.reason === "CrashLoopBackOff");
    expect(pod["status"]).toMatchObject({
      phase: "Running",
      containerStatuses: [{ restartCount: 1, lastState: { terminated: { exitCode: 3 } } }],
    });
    expect(await node.log("crashes", { previous: true })).toBe("run\n");
    const { uid } = pod.metadata;
    const message = `Back-off restarting failed container main in pod crashes_${node.namespace}(${uid})`;
    await eventually(async () => {
      const { items } = await node.client.list(types.events, { namespace: node.namespace });
      return items.some(
        (event) => event["type"] === "Warning" && event["reason"] === "BackOff" && event["message"] === message,
      );
    });
    await node.client.delete(types.pods, { namespace: node.namespace, name: "crashes" });
  });

  it("is ready when the probe says so, follows its log, and ends gracefully on deletion", async () => {
    await node.createPod("web", {
      terminationGracePeriodSeconds: 20,
      containers: [
        {
          ...server,
          name: "web",
          command: [
            "node",
            "-e",
            `${HTTP_SERVER}; console.log("up"); process.on("SIGTERM", () => { console.log("bye"); process.exit(0); });`,
          ],
          readinessProbe: { httpGet: { path: "/", port: "http" }, periodSeconds: 1 },
        },
      ],
    });
    const pod = await node.waitFor("web", (one) => condition(one, "Ready") === "True");
    expect(pod["status"]).toMatchObject({
      phase: "Running",
      hostIP: "127.0.0.1",
      podIP: expect.stringMatching(/^10\.244\./),
      qosClass: "BestEffort",
    });
    const answer = await get(`http://127.0.0.1:${hostPortOf(pod, 8080)}/x`);
    expect(answer).toEqual({ status: 200, body: "web /x" });
    const following = node.log("web", { follow: true });
    await node.client.delete(types.pods, { namespace: node.namespace, name: "web" });
    await eventually(() =>
      node.pod("web").then(
        () => false,
        () => true,
      ),
    );
    expect(await following).toBe("up\nbye\n");
  });

  it("restarts what fails its liveness probe", async () => {
    await node.createPod("sick", {
      containers: [
        {
          ...server,
          name: "sick",
          livenessProbe: {
            httpGet: { path: "/sick", port: 8080 },
            periodSeconds: 1,
            failureThreshold: 1,
            initialDelaySeconds: 0,
          },
        },
      ],
    });
    await node.waitFor("sick", (pod) => pod["status"]?.containerStatuses?.[0]?.restartCount >= 1);
    await node.client.delete(types.pods, { namespace: node.namespace, name: "sick" }, { gracePeriodSeconds: 0 });
  });

  it("runs an exec probe inside the container", async () => {
    await node.createPod("exec", {
      restartPolicy: "Never",
      containers: [
        {
          name: "main",
          ...sh("echo ok > /shared/ready; exec sleep 100"),
          volumeMounts: [{ name: "shared", mountPath: "/shared" }],
          readinessProbe: {
            exec: { command: ["sh", "-c", "test $HOSTNAME = exec && cat /shared/ready"] },
            periodSeconds: 1,
          },
        },
      ],
      volumes: [{ name: "shared", emptyDir: {} }],
    });
    await node.waitFor("exec", (pod) => condition(pod, "Ready") === "True");
    await node.client.delete(types.pods, { namespace: node.namespace, name: "exec" }, { gracePeriodSeconds: 0 });
  });

  it("loses nothing and does nothing twice when it dies and comes back", async () => {
    const volume = { volumeMounts: [{ name: "go", mountPath: "/go" }] };
    const waiting = (name: string) => ({
      restartPolicy: "Never",
      containers: [
        { name: "main", ...sh("echo begin; until test -e /go/file; do sleep 0.05; done; echo end; exit 5"), ...volume },
        { name: "opener", ...sh(`sleep ${name === "during" ? 0.7 : 2}; touch /go/file`), ...volume },
      ],
      volumes: [{ name: "go", emptyDir: {} }],
    });
    await node.createPod("during", waiting("during"));
    await node.createPod("after", waiting("after"));
    await Promise.all(
      ["during", "after"].map((name) => node.waitFor(name, (pod) => pod["status"]?.phase === "Running")),
    );
    await node.crash();
    for (const name of ["during", "after"]) {
      const pod = await node.waitFor(name, (one) => one["status"]?.phase === "Failed");
      expect(pod["status"].containerStatuses).toMatchObject([
        { restartCount: 0, state: { terminated: { exitCode: 5 } } },
        { state: { terminated: { exitCode: 0 } } },
      ]);
      expect(await node.log(name, { container: "main" })).toBe("begin\nend\n");
    }
  });

  it("ends its pods when it stops, and says so", async () => {
    const spec = {
      image: "alpine",
      command: ["sh", "-c", "trap 'exit 3' TERM; echo up; while :; do sleep 0.05; done"],
    };
    await node.createPod("stopped", { restartPolicy: "Never", containers: [{ name: "main", ...spec }] });
    await node.createPod("again", { restartPolicy: "Always", containers: [{ name: "main", ...spec }] });
    for (const name of ["stopped", "again"]) {
      await node.waitFor(name, (pod) => pod["status"]?.phase === "Running");
      await eventually(async () => (await node.log(name)) === "up\n");
    }
    await node.restart();
    const pod = await node.waitFor("stopped", (one) => one["status"]?.phase === "Failed");
    expect(pod["status"]).toMatchObject({
      reason: "Terminated",
      containerStatuses: [{ state: { terminated: { exitCode: 3 } } }],
    });
    await node.waitFor(
      "again",
      (one) => one["status"]?.containerStatuses?.[0]?.restartCount === 1 && condition(one, "Ready") === "True",
    );
    await node.client.delete(types.pods, { namespace: node.namespace, name: "again" }, { gracePeriodSeconds: 0 });
  });

  it("completes a Job and serves a Deployment through its Service", async () => {
    const template = (spec: object) => ({
      metadata: { labels: { app: "shop" } },
      spec: {
        nodeSelector: { "kubernetes.io/hostname": node.nodeName },
        tolerations: [{ ...TAINT, operator: "Equal" }],
        ...spec,
      },
    });
    const metadata = (name: string) => ({ name, namespace: node.namespace });
    await node.client.create(types.jobs, {
      apiVersion: "batch/v1",
      kind: "Job",
      metadata: metadata("once"),
      spec: {
        backoffLimit: 0,
        template: {
          ...template({ restartPolicy: "Never", containers: [{ name: "main", ...sh("echo done") }] }),
          metadata: {},
        },
      },
    });
    await node.client.create(types.services, {
      apiVersion: "v1",
      kind: "Service",
      metadata: metadata("shop"),
      spec: { selector: { app: "shop" }, ports: [{ port: 80, targetPort: "http" }] },
    });
    await node.client.create(types.deployments, {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: metadata("shop"),
      spec: {
        replicas: 2,
        selector: { matchLabels: { app: "shop" } },
        template: template({
          terminationGracePeriodSeconds: 1,
          containers: [{ ...server, name: "web", readinessProbe: { httpGet: { port: 8080 }, periodSeconds: 1 } }],
        }),
      },
    });
    const have = (type: typeof types.jobs, name: string, field: string, value: number) =>
      eventually(
        async () => (await node.client.get(type, { namespace: node.namespace, name }))["status"]?.[field] === value,
        {
          describe: () => `${name} ${field}`,
        },
      );
    await have(types.jobs, "once", "succeeded", 1);
    await have(types.deployments, "shop", "availableReplicas", 2);
    const resolver = node.runtime.resolver();
    const host = `shop.${node.namespace}.svc.cluster.local`;
    const seen = new Set<string>();
    await eventually(async () => {
      const endpoint = await resolver.resolve(host, 80).catch(() => undefined);
      if (endpoint) seen.add((await get(`http://${endpoint.host}:${endpoint.port}/`)).body);
      return seen.size === 2;
    });
    await expect(resolver.resolve("shop", 81, node.namespace)).rejects.toThrow("has no port 81");
    await expect(resolver.resolve("example.com", 80, node.namespace)).resolves.toBeUndefined();
  });
}
