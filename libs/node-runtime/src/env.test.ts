import { containerEnv, expand } from "./env.js";

describe("container environment", () => {
  const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "p", namespace: "n", labels: { app: "web" } } };
  const facts = { podIP: "10.244.0.9", hostIP: "127.0.0.1" };
  const object = (name: string, data: Record<string, string>) => ({
    apiVersion: "v1",
    kind: "X",
    metadata: { name },
    data,
  });
  const sources = {
    configMap: async (name: string) => (name === "conf" ? object("conf", { A: "1", "not a name!": "x" }) : undefined),
    secret: async (name: string) => (name === "sec" ? object("sec", { S: "c2VjcmV0" }) : undefined),
  };
  const env = (container: object) => containerEnv(pod, container, { PATH: "/bin" }, sources, facts);

  it("joins envFrom, values, references and fields in order", async () => {
    const got = await env({
      resources: { limits: { memory: "64Mi" } },
      envFrom: [
        { configMapRef: { name: "conf" }, prefix: "P_" },
        { secretRef: { name: "sec" } },
        { configMapRef: { name: "gone", optional: true } },
      ],
      env: [
        { name: "B", value: "$(P_A)-$(S)-$(NOPE)-$$(P_A)" },
        { name: "IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } },
        { name: "APP", valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } },
        { name: "MEM", valueFrom: { resourceFieldRef: { resource: "limits.memory", divisor: "1Mi" } } },
        { name: "OPT", valueFrom: { secretKeyRef: { name: "sec", key: "gone", optional: true } } },
      ],
    });
    expect(got).toEqual({
      PATH: "/bin",
      P_A: "1",
      S: "secret",
      B: "1-secret-$(NOPE)-$(P_A)",
      IP: "10.244.0.9",
      APP: "web",
      MEM: "64",
    });
  });

  it.each([
    { container: { envFrom: [{ configMapRef: { name: "gone" } }] }, says: 'configmap "gone" not found' },
    {
      container: { env: [{ name: "X", valueFrom: { secretKeyRef: { name: "sec", key: "k" } } }] },
      says: "couldn't find key k in secret n/sec",
    },
    { container: { env: [{ name: "X", valueFrom: { fileKeyRef: {} } }] }, says: "fileKeyRef is not supported" },
  ])("says what is missing: $says", async ({ container, says }) => {
    await expect(env(container)).rejects.toThrow(says);
  });

  it("expands known names only", () => expect(expand("$(A) $B $(C", { A: "1" })).toBe("1 $B $(C"));
});
