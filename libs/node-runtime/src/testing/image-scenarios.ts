import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { open as openFile } from "node:fs/promises";
import { join } from "node:path";
import { systemClock } from "@tiphys/clock";
import { createDialer } from "@tiphys/dialer";
import { createRegistryClient, type ImageConfig, keyringOf, parseReference, pushPackage } from "@tiphys/oci";
import { type KubeObject, types } from "@tiphys/resources";
import { noMetrics, silentLogger } from "@tiphys/telemetry";
import { eventually, startRegistry, type TestRegistry } from "@tiphys/testing";
import type { NodeRuntimeDeps } from "../deps.js";
import { hostImage } from "./host-image.js";
import { startTestNode, type TestCluster, type TestNode } from "./node-scenarios.js";

const clock = systemClock();
const LOGIN = { username: "puller", password: randomBytes(6).toString("hex") };
const PROGRAMS = ["sh", "cat", "ls", "id", "sleep", "tail", "head", "readlink", "mkdir", "touch", "stat", "true"];
const CONFIG: ImageConfig["config"] = {
  Entrypoint: ["sh", "-c"],
  Cmd: ['echo "$GREETING from $(id -u):$(id -g) in $PWD as $$"; cat greeting'],
  Env: ["GREETING=hi", "PATH=/bin"],
  User: "web",
  WorkingDir: "/srv",
};
/** Writes into a named pipe; fails where nobody reads it. */
async function appendInput(pipe: string, text: string): Promise<void> {
  const file = await openFile(pipe, constants.O_WRONLY | constants.O_NONBLOCK);
  await file.writeFile(text).finally(() => file.close());
}
const statusOf = (pod: KubeObject) => pod["status"]?.containerStatuses?.[0] ?? {};
const waiting = (pod: KubeObject) => statusOf(pod).state?.waiting ?? {};

/** What images from registries do, on whatever control plane `connect` gives. */
export function describeImages(connect: () => Promise<TestCluster>, options: Partial<NodeRuntimeDeps> = {}): void {
  let cluster: TestCluster;
  let node: TestNode;
  let open: TestRegistry;
  let locked: TestRegistry;
  const push = async (registry: TestRegistry, name: string, image: Awaited<ReturnType<typeof hostImage>>) => {
    const client = createRegistryClient({
      dialer: createDialer({ clock, log: silentLogger, metrics: noMetrics }),
      clock,
      registries: registry.ca ? { [registry.host]: { ca: registry.ca } } : {},
    });
    const auth = Buffer.from(`${LOGIN.username}:${LOGIN.password}`).toString("base64");
    const keyring = keyringOf([JSON.stringify({ auths: { [registry.host]: { auth } } })]);
    return pushPackage(client, parseReference(`${registry.host}/${name}`), image, { keyring });
  };
  let digest: string;
  beforeAll(async () => {
    cluster = await connect();
    [open, locked] = await Promise.all([startRegistry(), startRegistry({ login: LOGIN, tls: true })]);
    const image = await hostImage(CONFIG, PROGRAMS);
    digest = await push(open, "team/app:1", image);
    await push(
      open,
      "team/other:1",
      await hostImage({ ...CONFIG, Cmd: ["echo other; exec sleep 100"] }, ["sh", "sleep"]),
    );
    await push(locked, "private/app:1", image);
    node = await startTestNode(cluster, {
      pull: {
        dialer: createDialer({ clock, log: silentLogger, metrics: noMetrics }),
        registries: { [locked.host]: { ca: locked.ca! } },
      },
      ...options,
    });
  });
  afterAll(async () => {
    await node?.close();
    await cluster?.close();
    await open?.[Symbol.asyncDispose]();
    await locked?.[Symbol.asyncDispose]();
  });
  const app = () => `${open.host}/team/app:1`;
  const run = async (name: string, container: object, spec: object = {}): Promise<KubeObject> => {
    await node.createPod(name, {
      restartPolicy: "Never",
      containers: [{ name: "main", image: app(), ...container }],
      ...spec,
    });
    return node.waitFor(name, (pod) => ["Succeeded", "Failed"].includes(pod["status"]?.phase));
  };
  const eventsOf = async (name: string): Promise<KubeObject[]> => {
    const { items } = await node.client.list(types.events, { namespace: node.namespace });
    return items.filter((event) => event["involvedObject"].name === name);
  };

  it("pulls an image and runs it as it says: entry point, variables, user, folder, files of its own", async () => {
    const pod = await run("plain", {});
    expect(await node.log("plain")).toBe("hi from 101:102 in /srv as 1\nhello from the image\n");
    expect(statusOf(pod)).toMatchObject({
      image: app(),
      imageID: `${open.host}/team/app@${digest}`,
      state: { terminated: { exitCode: 0, reason: "Completed" } },
    });
    await eventually(async () => (await eventsOf("plain")).some(({ reason }) => reason === "Started"));
    const said = (await eventsOf("plain")).map((event) => `${event["reason"]}: ${event["message"]}`);
    expect(said).toEqual(
      expect.arrayContaining([
        `Pulling: Pulling image "${app()}"`,
        expect.stringMatching(
          /^Pulled: Successfully pulled image ".*" in .*s \(.*s including waiting\)\. Image size: \d+ bytes\.$/,
        ),
        "Created: Container created",
        "Started: Container started",
      ]),
    );
  });

  it.each([
    { who: "root", runAsUser: 0 },
    { who: "another user", runAsUser: 101 },
  ])("gives a shell of $who a terminal of its own, with jobs that Ctrl-C ends", async ({ runAsUser }) => {
    const name = `shell-${runAsUser}`;
    await node.createPod(name, {
      restartPolicy: "Never",
      containers: [
        { name: "main", image: app(), command: ["sh"], stdin: true, tty: true, securityContext: { runAsUser } },
      ],
    });
    const { metadata } = await node.waitFor(name, (pod) => pod["status"]?.phase === "Running");
    const type = async (text: string) =>
      appendInput(join(node.dir, "pods", metadata.uid!, "containers/main/1/stdin"), text);
    // Who interrupts before the shell is there interrupts its start.
    await eventually(async () => /[$#] $/.test(await node.log(name)), { limit: 10_000 });
    await type("sleep 1000\n");
    await eventually(
      async () => {
        await type("\u0003");
        await type("echo co''de $?\n");
        return (await node.log(name)).includes("code 130");
      },
      { limit: 10_000, interval: 100 },
    );
    await type("exit 6\n");
    const pod = await node.waitFor(name, (one) => one["status"]?.phase === "Failed");
    expect(statusOf(pod).state.terminated.exitCode).toBe(6);
    expect(await node.log(name)).not.toContain("job control turned off");
  });

  it("runs by digest, from what is there already, and overrides as the container says", async () => {
    const image = `${open.host}/team/app@${digest}`;
    await run("digest", {
      image,
      imagePullPolicy: "IfNotPresent",
      args: ["echo $(WHO) $GREETING"],
      env: [
        { name: "WHO", value: "me" },
        { name: "GREETING", value: "yo" },
      ],
    });
    expect(await node.log("digest")).toBe("me yo\n");
    await eventually(async () =>
      (await eventsOf("digest")).some(({ message }) => String(message).includes("already present on machine")),
    );
    await run("command", { command: ["ls", "/"], securityContext: { runAsUser: 0 } });
    expect((await node.log("command")).split("\n")).not.toContain("usr-host");
    expect(await node.log("command")).not.toContain("home");
  });

  it("keeps what a container writes to itself, and nothing when its root is read-only", async () => {
    const write = 'touch /tmp/mine && ls /tmp; touch /etc/mine 2>/dev/null && echo root || echo "not root"';
    await run("writes", { args: [write], securityContext: { runAsUser: 0 } });
    expect(await node.log("writes")).toBe("mine\nroot\n");
    await run("again", { args: ["ls /tmp /etc"] });
    expect(await node.log("again")).not.toContain("mine");
    const pod = await run(
      "readonly",
      {
        args: ["touch /tmp/mine; touch /work/yes && ls /work"],
        securityContext: { readOnlyRootFilesystem: true },
        volumeMounts: [{ name: "work", mountPath: "/work" }],
      },
      { volumes: [{ name: "work", emptyDir: {} }] },
    );
    expect(await node.log("readonly")).toMatch(/Read-only file system[\s\S]*yes\n$/);
    expect(pod["status"].phase).toBe("Succeeded");
  });

  it("becomes the user and the groups that the pod asks for, and gives volumes to its group", async () => {
    const script = 'id -u; id -g; id -G; stat -c "%g %a" /work; touch /work/x; stat -c "%u %g" /work/x; cat /conf/key';
    await node.client.create(types.configMaps, {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "group", namespace: node.namespace },
      data: { key: "readable" },
    });
    await run(
      "users",
      {
        args: [script],
        volumeMounts: [
          { name: "work", mountPath: "/work" },
          { name: "conf", mountPath: "/conf" },
        ],
      },
      {
        securityContext: { runAsUser: 1234, runAsGroup: 2345, fsGroup: 3456, supplementalGroups: [4567] },
        volumes: [
          { name: "work", emptyDir: {} },
          { name: "conf", configMap: { name: "group", defaultMode: 0o400 } },
        ],
      },
    );
    expect(await node.log("users")).toBe("1234\n2345\n2345 3456 4567\n3456 2777\n1234 3456\nreadable");
  });

  it("refuses root where the pod forbids it, and what nobody gets here", async () => {
    await node.createPod("non-root", {
      containers: [{ name: "main", image: app(), securityContext: { runAsNonRoot: true } }],
    });
    await node.waitFor("non-root", (pod) => /non-numeric user \(web\), cannot verify/.test(waiting(pod).message));
    await node.createPod("privileged", {
      containers: [{ name: "main", image: app(), securityContext: { privileged: true } }],
    });
    const pod = await node.waitFor("privileged", (one) => waiting(one).reason === "CreateContainerConfigError");
    expect(waiting(pod).message).toContain("securityContext.privileged is not supported");
    for (const name of ["non-root", "privileged"]) {
      await node.client.delete(types.pods, { namespace: node.namespace, name }, { gracePeriodSeconds: 0 });
    }
  });

  it("keeps root from what containers may not do", async () => {
    const script =
      "mkdir /m; (: > /proc/sys/vm/swappiness) 2>/dev/null && echo bad; cat /proc/self/status > /tmp/s; while read k v; do [ $k = CapEff: ] && echo $v; done < /tmp/s";
    await run("capable", {
      args: [script],
      securityContext: { runAsUser: 0, capabilities: { drop: ["ALL"], add: ["CHOWN"] } },
    });
    expect(await node.log("capable")).toBe("0000000000000001\n");
  });

  it("says why an image cannot be had, first by the error, then by the wait, and never succeeds", async () => {
    const cases = [
      ["missing", `${open.host}/team/nothing:1`, "ErrImagePull", /not found: .*404/],
      ["upper", "team/UPPER", "InvalidImageName", /repository name \(.*team\/UPPER\) must be lowercase/],
      ["never", `${open.host}/team/never:1`, "ErrImageNeverPull", /is not present with pull policy of Never/],
      ["locked", `${locked.host}/private/app:1`, "ErrImagePull", /pull access denied/],
    ] as const;
    for (const [name, image, reason, message] of cases) {
      const policy = name === "never" ? { imagePullPolicy: "Never" } : {};
      await node.createPod(name, { containers: [{ name: "main", image, ...policy }] });
      const pod = await node.waitFor(name, (one) => waiting(one).reason === reason);
      expect([name, waiting(pod).message, pod["status"].phase]).toEqual([
        name,
        expect.stringMatching(message),
        "Pending",
      ]);
    }
    const pod = await node.waitFor("missing", (one) => waiting(one).reason === "ImagePullBackOff");
    expect(waiting(pod).message).toMatch(/^Back-off pulling image ".*": ErrImagePull: /);
    expect((await eventsOf("missing")).map(({ reason }) => reason)).toEqual(
      expect.arrayContaining(["Pulling", "Failed", "BackOff"]),
    );
    for (const [name] of cases)
      await node.client.delete(types.pods, { namespace: node.namespace, name }, { gracePeriodSeconds: 0 });
  });

  it("logs in with the pod's secrets or its ServiceAccount's", async () => {
    const auth = Buffer.from(`${LOGIN.username}:${LOGIN.password}`).toString("base64");
    const config = Buffer.from(JSON.stringify({ auths: { [locked.host]: { auth } } })).toString("base64");
    await node.client.create(types.secrets, {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "pull", namespace: node.namespace },
      type: "kubernetes.io/dockerconfigjson",
      data: { ".dockerconfigjson": config },
    });
    const image = `${locked.host}/private/app:1`;
    await run("by-pod", { image }, { imagePullSecrets: [{ name: "missing-one" }, { name: "pull" }] });
    expect(await node.log("by-pod")).toContain("hello from the image");
    await node.client.create(types.serviceAccounts, {
      apiVersion: "v1",
      kind: "ServiceAccount",
      metadata: { name: "pulls", namespace: node.namespace },
      imagePullSecrets: [{ name: "pull" }],
    });
    await run("by-account", { image, imagePullPolicy: "Always" }, { serviceAccountName: "pulls" });
    expect(await node.log("by-account")).toContain("hello from the image");
  });

  it("mounts through an image's links, and shows another image as a volume", async () => {
    const script =
      "cat /etc/resolv.conf > /dev/null && echo names; cat /var/run/conf/key; echo; cat /other/srv/greeting; readlink /var/run";
    await node.client.create(types.configMaps, {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "linked", namespace: node.namespace },
      data: { key: "through" },
    });
    await run(
      "links",
      {
        args: [script],
        securityContext: { runAsUser: 0 },
        volumeMounts: [
          { name: "conf", mountPath: "/var/run/conf" },
          { name: "other", mountPath: "/other" },
        ],
      },
      {
        volumes: [
          { name: "conf", configMap: { name: "linked" } },
          { name: "other", image: { reference: `${open.host}/team/other:1` } },
        ],
      },
    );
    expect(await node.log("links")).toBe("names\nthrough\nhello from the image\n/run\n");
  });

  it("starts anew when the image of a running container changes", async () => {
    await node.createPod("changes", {
      containers: [{ name: "main", image: app(), args: ["echo first; exec sleep 100"] }],
      terminationGracePeriodSeconds: 1,
    });
    await node.waitFor("changes", (pod) => statusOf(pod).ready);
    const image = `${open.host}/team/other:1`;
    const body = { spec: { containers: [{ name: "main", image }] } };
    await node.client.patch(types.pods, { namespace: node.namespace, name: "changes" }, { type: "strategic", body });
    const pod = await node.waitFor("changes", (one) => statusOf(one).restartCount === 1 && statusOf(one).ready);
    expect(statusOf(pod)).toMatchObject({ image, lastState: { terminated: { exitCode: 137 } } });
    await eventually(async () =>
      (await eventsOf("changes")).some(
        ({ message }) => message === "Container main definition changed, will be restarted",
      ),
    );
    await node.client.delete(types.pods, { namespace: node.namespace, name: "changes" }, { gracePeriodSeconds: 0 });
  });

  it("runs a literal pod as any kubelet would: no host programs, no variables of ours, its token as it finds it", async () => {
    const script =
      'echo "$$$$ $PORT-$HTTP_PROXY-$TIPHYS_PROXY $KUBERNETES_SERVICE_PORT"; ls /var/run/secrets/kubernetes.io/serviceaccount; cat /etc/hostname';
    const literal = { metadata: { annotations: { "tiphys.dev/node-mode": "literal" } } };
    const create = (name: string, container: object) =>
      node.client.create(types.pods, {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name, namespace: node.namespace, ...literal.metadata },
        spec: {
          nodeName: node.nodeName,
          restartPolicy: "Never",
          initContainers: [{ name: "side", image: app(), args: ["sleep 1000"], restartPolicy: "Always" }],
          containers: [{ name: "main", image: app(), ports: [{ containerPort: 8080 }], ...container }],
          terminationGracePeriodSeconds: 0,
        },
      });
    await create("literal", { args: [script] });
    await node.waitFor("literal", (pod) => pod["status"]?.phase === "Succeeded");
    const log = await node.log("literal", { container: "main" });
    expect(log).toMatch(/^1 -- \d+\n/);
    expect(log).toMatch(/ca\.crt\nnamespace\ntoken\nliteral\n$/);
    await create("no-table", { image: "alpine:3.20", imagePullPolicy: "Never" });
    await node.waitFor("no-table", (pod) => waiting(pod).reason === "ErrImageNeverPull");
    await node.client.delete(types.pods, { namespace: node.namespace, name: "no-table" }, { gracePeriodSeconds: 0 });
  });

  it("takes up a container of an image after a crash, and cleans up what it wrote", async () => {
    await node.createPod("survives", {
      restartPolicy: "Never",
      containers: [
        {
          name: "main",
          image: app(),
          args: ["echo up; until [ -e /work/go ]; do sleep 0.1; done; cat greeting"],
          volumeMounts: [{ name: "work", mountPath: "/work" }],
        },
        {
          name: "helper",
          image: app(),
          args: ["sleep 1; touch /work/go"],
          volumeMounts: [{ name: "work", mountPath: "/work" }],
        },
      ],
      volumes: [{ name: "work", emptyDir: {} }],
    });
    await node.waitFor("survives", (pod) => statusOf(pod).state?.running);
    await node.crash();
    const pod = await node.waitFor("survives", (one) => one["status"]?.phase === "Succeeded");
    expect(pod["status"].containerStatuses.map((one: { restartCount: number }) => one.restartCount)).toEqual([0, 0]);
    expect(await node.log("survives", { container: "main" })).toBe("up\nhello from the image\n");
  });
}
