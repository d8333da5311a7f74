import { createServer, connect as dial } from "node:net";
import { PassThrough, Readable } from "node:stream";
import { describeWith, eventually } from "@tiphys/testing";
import { embeddedCluster } from "./testing/embedded-cluster.js";
import { HTTP_SERVER, startTestNode, type TestNode } from "./testing/node-scenarios.js";

describeWith(["bwrap"], "the JavaScript client of Kubernetes on the embedded API", () => {
  let cluster: Awaited<ReturnType<typeof embeddedCluster>>;
  let node: TestNode;
  // biome-ignore lint/suspicious/noExplicitAny: the client is loaded here alone, and large
  let k8s: any;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  let config: any;
  beforeAll(async () => {
    cluster = await embeddedCluster();
    node = await startTestNode(cluster);
    const { kubeconfig } = await cluster.kube.listen({ host: "127.0.0.1", port: 0 });
    k8s = await import("@kubernetes/client-node");
    config = new k8s.KubeConfig();
    config.loadFromString(kubeconfig);
    await node.createPod("talk", {
      containers: [
        {
          name: "main",
          image: "node:20",
          ports: [{ containerPort: 8080 }],
          command: ["node", "-e", HTTP_SERVER],
          readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 },
        },
      ],
    });
    // This client never ends a connection that the pod did not take.
    await node.waitFor("talk", (pod) => pod["status"]?.containerStatuses?.[0]?.ready === true);
  });
  afterAll(async () => {
    await node?.close();
    await cluster?.close();
  });

  const collect = () => {
    const stream = new PassThrough();
    let text = "";
    stream.on("data", (chunk) => {
      text += String(chunk);
    });
    return { stream, text: () => text };
  };

  it("runs a command with input, and reads its exit code", async () => {
    const [out, err] = [collect(), collect()];
    const status = await new Promise((resolve, reject) => {
      new k8s.Exec(config)
        .exec(
          node.namespace,
          "talk",
          "main",
          ["sh", "-c", "head -c 5; echo; echo problem >&2; exit 9"],
          out.stream,
          err.stream,
          Readable.from([Buffer.from("hello and more")]),
          false,
          resolve,
        )
        .catch(reject);
    });
    expect(status).toMatchObject({
      status: "Failure",
      reason: "NonZeroExitCode",
      details: { causes: [{ message: "9" }] },
    });
    await eventually(() => out.text() === "hello\n" && err.text() === "problem\n", { describe: () => out.text() });
  });

  it("forwards a port", async () => {
    const forward = new k8s.PortForward(config);
    const server = createServer(
      (socket) => void forward.portForward(node.namespace, "talk", [8080], socket, null, socket),
    );
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      const { port } = server.address() as { port: number };
      const text = await eventually(
        () =>
          new Promise<string>((resolve) => {
            let all = "";
            const socket = dial(port, "127.0.0.1", () => socket.write("GET /x HTTP/1.0\r\n\r\n"));
            socket.on("data", (chunk) => {
              all += String(chunk);
              if (all.includes("talk /x")) {
                socket.destroy();
                resolve(all);
              }
            });
            socket.on("error", () => resolve(""));
            socket.on("close", () => resolve(all));
          }),
        { limit: 10_000 },
      );
      expect(text).toContain("talk /x");
    } finally {
      server.close();
    }
  });

  it("reads the pod through the proxy of the API, and its Service", async () => {
    const core = config.makeApiClient(k8s.CoreV1Api);
    const names = { namespace: node.namespace, name: "talk:8080", path: "path" };
    expect(await core.connectGetNamespacedPodProxyWithPath(names)).toBe("talk /path");
  });
});
