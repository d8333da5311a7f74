import { types } from "@tiphys/resources";
import { embeddedCluster } from "./testing/embedded-cluster.js";
import { startTestNode, type TestNode } from "./testing/node-scenarios.js";

describe("a node without a sandbox", () => {
  let cluster: Awaited<ReturnType<typeof embeddedCluster>>;
  let node: TestNode;
  beforeAll(async () => {
    cluster = await embeddedCluster();
    node = await startTestNode(cluster, { sandbox: "process" });
  });
  afterAll(async () => {
    await node?.close();
    await cluster?.close();
  });
  const main = (more: object = {}) => ({
    restartPolicy: "Never",
    containers: [{ name: "main", image: "alpine", command: ["sh", "-c", "echo ran in $(pwd)"], ...more }],
  });

  it("runs what needs no files of its own, in a folder of the container's", async () => {
    await node.createPod("bare", main());
    await node.waitFor("bare", (pod) => pod["status"]?.phase === "Succeeded");
    expect(await node.log("bare")).toMatch(/^ran in .*\/scratch\n$/);
  });

  it.each([
    ["volume", { ...main(), volumes: [{ name: "w", emptyDir: {} }] }, /^volume w: this node has no sandbox/],
    ["message", main({ terminationMessagePath: "/out/message" }), /terminationMessagePath \/out\/message is outside/],
  ])("refuses a pod with a %s by a condition, and never runs it", async (name, spec, problem) => {
    await node.createPod(name, spec);
    const pod = await node.waitFor(name, (one) =>
      one["status"]?.conditions?.some((condition: { reason?: string }) => condition.reason === "SandboxInsufficient"),
    );
    const condition = pod["status"].conditions.find(
      ({ type }: { type: string }) => type === "PodReadyToStartContainers",
    );
    expect(condition).toMatchObject({ status: "False", message: expect.stringMatching(problem) });
    const { waiting } = pod["status"].containerStatuses[0].state;
    expect(waiting).toMatchObject({ reason: "CreateContainerConfigError", message: expect.stringMatching(problem) });
    expect(pod["status"].phase).toBe("Pending");
    await node.client.delete(types.pods, { namespace: node.namespace, name }, { gracePeriodSeconds: 0 });
  });
});
