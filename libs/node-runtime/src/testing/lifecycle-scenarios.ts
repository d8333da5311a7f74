import { existsSync, readFileSync } from "node:fs";
import { type KubeObject, types } from "@tiphys/resources";
import { eventually } from "@tiphys/testing";
import type { NodeRuntimeDeps } from "../deps.js";
import { startTestNode, type TestCluster, type TestNode } from "./node-scenarios.js";

const sh = (script: string) => ({ image: "alpine:3.20", command: ["sh", "-c", script] });
const statusOf = (pod: KubeObject, index = 0) => pod["status"]?.containerStatuses?.[index] ?? {};

/** What a pod's life is like on the node, on whatever control plane `connect` gives. */
export function describeLifecycle(connect: () => Promise<TestCluster>, options: Partial<NodeRuntimeDeps> = {}): void {
  let cluster: TestCluster;
  let node: TestNode;
  beforeAll(async () => {
    cluster = await connect();
    node = await startTestNode(cluster, options);
  });
  afterAll(async () => {
    await node?.close();
    await cluster?.close();
  });
  const over = (pod: KubeObject) => ["Succeeded", "Failed"].includes(pod["status"]?.phase);
  const put = (type: typeof types.configMaps, kind: string, name: string, more: object) =>
    node.client.create(type, { apiVersion: "v1", kind, metadata: { name, namespace: node.namespace }, ...more });
  const remove = (name: string) =>
    node.client.delete(types.pods, { namespace: node.namespace, name }, { gracePeriodSeconds: 0 });

  it("renews mounted ConfigMaps and Secrets, and labels, but no subPath", async () => {
    await put(types.configMaps, "ConfigMap", "fresh", { data: { a: "1", b: "1" } });
    await put(types.secrets, "Secret", "fresh", { data: { s: "MQ==" } });
    const script =
      'while :; do echo "$(cat /conf/a)$(cat /conf/b)$(cat /all/s) $(cat /all/labels) $(cat /one)"; sleep 0.2; done';
    await node.createPod("fresh", {
      terminationGracePeriodSeconds: 0,
      containers: [
        {
          name: "main",
          ...sh(script),
          volumeMounts: [
            { name: "conf", mountPath: "/conf" },
            { name: "conf", mountPath: "/one", subPath: "a" },
            { name: "all", mountPath: "/all" },
          ],
        },
      ],
      volumes: [
        { name: "conf", configMap: { name: "fresh" } },
        {
          name: "all",
          projected: {
            sources: [
              { secret: { name: "fresh" } },
              { downwardAPI: { items: [{ path: "labels", fieldRef: { fieldPath: "metadata.labels['app']" } }] } },
            ],
          },
        },
      ],
    });
    const last = async () => (await node.log("fresh", { tailLines: 1 })).trim();
    await eventually(
      async () => (await node.waitFor("fresh", (pod) => statusOf(pod).ready)) && (await last()) === "111 fresh 1",
    );
    const key = { namespace: node.namespace, name: "fresh" };
    await node.client.patch(types.configMaps, key, { type: "merge", body: { data: { a: "2", b: "2" } } });
    await node.client.patch(types.secrets, key, { type: "merge", body: { data: { s: "Mg==" } } });
    await node.client.patch(types.pods, key, { type: "merge", body: { metadata: { labels: { app: "renewed" } } } });
    await eventually(async () => (await last()) === "222 renewed 1");
    await remove("fresh");
  });

  it("tells containers of the Services that are there, unless they do not want it", async () => {
    await put(types.services, "Service", "shop-web", {
      spec: {
        ports: [
          { name: "http", port: 80 },
          { name: "dns", port: 53, protocol: "UDP" },
        ],
      },
    });
    const script =
      'echo "$SHOP_WEB_SERVICE_PORT $SHOP_WEB_SERVICE_PORT_DNS $SHOP_WEB_PORT_53_UDP_PROTO"; echo "$SHOP_WEB_PORT"';
    await eventually(() =>
      node.informers.informer(types.services).get({ namespace: node.namespace, name: "shop-web" }),
    );
    for (const [name, enableServiceLinks] of [
      ["linked", true],
      ["unlinked", false],
    ] as const) {
      await node.createPod(name, {
        restartPolicy: "Never",
        enableServiceLinks,
        containers: [{ name: "main", ...sh(script) }],
      });
      await node.waitFor(name, over);
    }
    expect(await node.log("linked")).toMatch(/^80 53 udp\ntcp:\/\/10\.\d+\.\d+\.\d+:80\n$/);
    expect(await node.log("unlinked")).toBe("  \n\n");
  });

  it("runs postStart before the next container, preStop before the signal, and ends a container whose hook fails", async () => {
    const mount = { volumeMounts: [{ name: "w", mountPath: "/w" }] };
    const exec = (script: string) => ({ exec: { command: ["sh", "-c", script] } });
    await node.createPod("hooks", {
      terminationGracePeriodSeconds: 10,
      containers: [
        {
          name: "first",
          ...sh("trap 'cat /w/stop; exit 0' TERM; while :; do sleep 0.05; done"),
          ...mount,
          lifecycle: {
            postStart: exec("sleep 0.5; echo started > /w/start"),
            preStop: exec("echo stopping > /w/stop"),
          },
        },
        { name: "second", ...sh("cat /w/start; exec sleep 100"), ...mount },
      ],
      volumes: [{ name: "w", emptyDir: {} }],
    });
    await node.waitFor("hooks", (pod) => statusOf(pod, 0).ready && statusOf(pod, 1).ready);
    const second = () => node.log("hooks", { container: "second" });
    let seen = "";
    await eventually(
      async () => {
        seen = await second();
        return seen === "started\n";
      },
      { describe: () => seen },
    );
    const following = node.log("hooks", { container: "first", follow: true });
    await node.client.delete(types.pods, { namespace: node.namespace, name: "hooks" });
    expect(await following).toBe("stopping\n");
    await node.createPod("bad-hook", {
      restartPolicy: "Never",
      terminationGracePeriodSeconds: 0,
      containers: [{ name: "main", ...sh("exec sleep 100"), lifecycle: { postStart: exec("exit 3") } }],
    });
    const pod = await node.waitFor("bad-hook", over);
    // As process 1 it would not have heard the signal.
    expect([137, 143]).toContain(statusOf(pod).state.terminated.exitCode);
  });

  it("starts sidecars one after another by their probes, ends them last, and does not wait for them", async () => {
    const note = (name: string, script: string) => ({
      name,
      ...sh(`trap 'echo ${name} >> /w/ends; exit 0' TERM; ${script}; while :; do sleep 0.05; done`),
      restartPolicy: "Always",
      volumeMounts: [{ name: "w", mountPath: "/w" }],
    });
    await node.createPod("sidecars", {
      restartPolicy: "Never",
      terminationGracePeriodSeconds: 10,
      initContainers: [
        {
          ...note("one", "sleep 0.3; echo one > /w/one"),
          startupProbe: { exec: { command: ["cat", "/w/one"] }, periodSeconds: 1, failureThreshold: 30 },
        },
        note("two", "cat /w/one > /w/two"),
      ],
      containers: [
        {
          name: "main",
          ...sh("until cat /w/two; do sleep 0.05; done; exit 0"),
          volumeMounts: [{ name: "w", mountPath: "/w" }],
        },
      ],
      volumes: [{ name: "w", emptyDir: {} }],
    });
    const pod = await node.waitFor("sidecars", over);
    expect(pod["status"].phase).toBe("Succeeded");
    expect(await node.log("sidecars", { container: "main" })).toContain("one");
    const ends = pod["status"].initContainerStatuses.map(
      (one: { state: { terminated: { finishedAt: string } } }) => one.state.terminated,
    );
    expect(ends).toMatchObject([{ exitCode: 0 }, { exitCode: 0 }]);
    expect(ends[0].finishedAt >= ends[1].finishedAt).toBe(true);
  });

  it("restarts a main container beside a sidecar that waits to be restarted", async () => {
    await node.createPod("busy", {
      terminationGracePeriodSeconds: 0,
      initContainers: [{ name: "side", ...sh("sleep 0.3; exit 1"), restartPolicy: "Always" }],
      containers: [{ name: "main", ...sh("sleep 0.6; exit 2") }],
    });
    await node.waitFor("busy", (pod) => statusOf(pod).restartCount >= 1);
    await remove("busy");
  });

  it("reports what a container says at its end, and where it ran out of memory", async () => {
    const hog = "head -c 300M /dev/zero | tail; echo survived";
    await node.createPod("says", {
      restartPolicy: "Never",
      containers: [
        { name: "file", ...sh("echo -n done > /dev/my/message"), terminationMessagePath: "/dev/my/message" },
        { name: "log", ...sh("echo last words; exit 1"), terminationMessagePolicy: "FallbackToLogsOnError" },
        { name: "hog", ...sh(`exec sh -c '${hog}'`), resources: { limits: { memory: "40Mi" } } },
      ],
    });
    const pod = await node.waitFor("says", over);
    const ends = Object.fromEntries(
      pod["status"].containerStatuses.map((one: { name: string; state: { terminated: object } }) => [
        one.name,
        one.state.terminated,
      ]),
    );
    expect(ends["file"].message).toBe("done");
    expect(ends["log"].message).toBe("last words\n");
    if (process.getuid?.() === 0) expect(await node.log("says", { container: "hog" })).not.toContain("all of it");
  });

  it("kills a container that takes more memory than it may", async () => {
    if (process.getuid?.() !== 0) return;
    await node.createPod("hog", {
      restartPolicy: "Never",
      containers: [
        {
          name: "main",
          image: "node:20",
          command: ["node", "-e", "const a = []; for (;;) a.push(Buffer.alloc(1e6, 1))"],
          resources: { limits: { memory: "80Mi" } },
        },
      ],
    });
    const pod = await node.waitFor("hog", over);
    expect(statusOf(pod).state.terminated).toMatchObject({ exitCode: 137, reason: "OOMKilled" });
  });

  it("evicts a pod that writes more than its volume may hold", async () => {
    await node.createPod("full", {
      terminationGracePeriodSeconds: 0,
      containers: [
        {
          name: "main",
          ...sh("head -c 3M /dev/zero > /w/x; exec sleep 100"),
          volumeMounts: [{ name: "w", mountPath: "/w" }],
        },
      ],
      volumes: [{ name: "w", emptyDir: { sizeLimit: "1Mi", medium: "Memory" } }],
    });
    const pod = await eventually(
      async () => {
        const one = await node.pod("full");
        return one["status"]?.phase === "Failed" ? one : undefined;
      },
      { limit: 25_000 },
    );
    expect(pod["status"]).toMatchObject({
      reason: "Evicted",
      message: 'Usage of EmptyDir volume "w" exceeds the limit "1Mi". ',
    });
  });

  it("knows names by its own hosts file, and a subPathExpr", async () => {
    await node.createPod("names", {
      restartPolicy: "Never",
      hostname: "me",
      subdomain: "sub",
      hostAliases: [{ ip: "10.1.2.3", hostnames: ["foo.local", "bar.local"] }],
      dnsPolicy: "None",
      dnsConfig: { nameservers: ["10.9.9.9"], searches: ["a.b"], options: [{ name: "ndots", value: "2" }] },
      containers: [
        {
          name: "main",
          ...sh("hostname; cat /etc/hosts /etc/resolv.conf; echo here > /w/file"),
          env: [{ name: "POD", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }],
          volumeMounts: [
            { name: "w", mountPath: "/w", subPathExpr: "for/$(POD)" },
            { name: "w", mountPath: "/all" },
          ],
        },
        {
          name: "other",
          ...sh("until cat /all/for/names/file; do sleep 0.05; done"),
          volumeMounts: [{ name: "w", mountPath: "/all" }],
        },
      ],
      volumes: [{ name: "w", emptyDir: {} }],
    });
    await node.waitFor("names", over);
    const log = await node.log("names", { container: "main" });
    expect(log).toMatch(/^me\n/);
    expect(log).toContain(`\tme.sub.${node.namespace}.svc.cluster.local\tme\n`);
    expect(log).toContain("10.1.2.3\tfoo.local\tbar.local\n");
    expect(log).toMatch(/search a\.b\nnameserver 10\.9\.9\.9\noptions ndots:2\n$/);
    expect(await node.log("names", { container: "other" })).toContain("here");
  });

  it("refuses folders of the host by name, and names what it does not give", async () => {
    await node.createPod("host-path", {
      containers: [{ name: "main", ...sh("true"), volumeMounts: [{ name: "h", mountPath: "/h" }] }],
      volumes: [{ name: "h", hostPath: { path: "/etc" } }],
    });
    await node.waitFor("host-path", (pod) =>
      /hostPath "\/etc" is not allowed/.test(statusOf(pod).state?.waiting?.message),
    );
    await remove("host-path");
    await node.createPod("named", {
      restartPolicy: "Never",
      securityContext: { seccompProfile: { type: "RuntimeDefault" } },
      containers: [{ name: "main", ...sh("true"), securityContext: { capabilities: { add: ["SYS_ADMIN"] } } }],
    });
    const pod = await node.waitFor("named", over);
    expect(pod.metadata.annotations?.["tiphys.dev/not-honoured"]?.split(",")).toEqual([
      "containers[main].securityContext.capabilities.add[SYS_ADMIN]",
      "spec.securityContext.seccompProfile",
    ]);
  });

  const patchPart = (name: string, subresource: string, spec: object) =>
    node.client.patch(
      types.pods,
      { namespace: node.namespace, name },
      { type: "strategic", body: { spec } },
      { subresource },
    );
  const conditionOf = (pod: KubeObject, type: string) =>
    pod["status"]?.conditions?.find((one: { type: string }) => one.type === type);
  const resize = (name: string, resources: object) =>
    patchPart(name, "resize", { containers: [{ name: "main", resources }] });

  it("resizes a running container in place, starts one anew that asks for it, and says what the node has not", async () => {
    const resources = { requests: { cpu: "50m", memory: "32Mi" }, limits: { memory: "64Mi", cpu: "500m" } };
    const container = { name: "main", ...sh("exec sleep 1000"), resources };
    await node.createPod("grows", { containers: [container] });
    await node.createPod("again", {
      containers: [{ ...container, resizePolicy: [{ resourceName: "memory", restartPolicy: "RestartContainer" }] }],
    });
    const first = await node.waitFor("grows", (pod) => statusOf(pod).state?.running);
    expect(statusOf(first)).toMatchObject({ resources, allocatedResources: resources.requests });
    await node.waitFor("again", (pod) => statusOf(pod).state?.running);

    const more = { limits: { memory: "96Mi", cpu: "1" } };
    await resize("grows", more);
    await resize("again", more);
    if (process.getuid?.() === 0) {
      const grown = await node.waitFor("grows", (pod) => statusOf(pod).resources?.limits?.memory === "96Mi");
      expect(statusOf(grown)).toMatchObject({ restartCount: 0, resources: more });
      const folder = ["/sys/fs/cgroup/memory/tiphys", "/sys/fs/cgroup/tiphys"].find(existsSync)!;
      const group = `${folder}/${node.nodeName}/${grown.metadata.uid}-main-1`;
      const file = [`${group}/memory.limit_in_bytes`, `${group}/memory.max`].find(existsSync)!;
      expect(readFileSync(file, "utf8").trim()).toBe(String(96 * 1024 ** 2));
      const anew = await node.waitFor(
        "again",
        (pod) => statusOf(pod).restartCount === 1 && statusOf(pod).state.running,
      );
      expect(statusOf(anew).resources.limits.memory).toBe("96Mi");
    } else {
      const kept = await node.waitFor("grows", (pod) => conditionOf(pod, "PodResizePending"));
      expect(conditionOf(kept, "PodResizePending").message).toContain("control groups");
    }
    const huge = { requests: { memory: "999Ti" }, limits: { memory: "999Ti" } };
    await expect(resize("grows", huge)).rejects.toThrow(
      /pods "grows" is forbidden: node didn't have enough allocatable resources: memory, requested: 1098412116148224, allocatable: \d+$/,
    );
    await expect(
      patchPart("grows", "resize", { containers: [{ name: "main", resources: { limits: { memory: null } } }] }),
    ).rejects.toThrow("resource limits cannot be removed");
    for (const name of ["grows", "again"]) await remove(name);
  });

  it("runs a container that is added to a running pod, once, and keeps it as it is", async () => {
    await node.createPod("looked-into", {
      containers: [{ name: "main", ...sh("exec sleep 1000"), volumeMounts: [{ name: "work", mountPath: "/work" }] }],
      volumes: [{ name: "work", emptyDir: {} }],
    });
    await node.waitFor("looked-into", (pod) => statusOf(pod).state?.running);
    const look = { name: "look", ...sh("echo seen > /work/file; cat /work/file; exit 3") };
    const volumeMounts = [{ name: "work", mountPath: "/work" }];
    await patchPart("looked-into", "ephemeralcontainers", { ephemeralContainers: [{ ...look, volumeMounts }] });
    const pod = await node.waitFor(
      "looked-into",
      (one) => one["status"]?.ephemeralContainerStatuses?.[0]?.state?.terminated,
    );
    expect(pod["status"].phase).toBe("Running");
    expect(pod["status"].ephemeralContainerStatuses[0]).toMatchObject({
      name: "look",
      restartCount: 0,
      state: { terminated: { exitCode: 3 } },
    });
    expect(await node.log("looked-into", { container: "look" })).toBe("seen\n");
    await expect(
      patchPart("looked-into", "ephemeralcontainers", {
        ephemeralContainers: [{ ...look, image: "other", volumeMounts }],
      }),
    ).rejects.toThrow('existing ephemeral containers "look" may not be changed');
    await remove("looked-into");
  });
}
