import { normalizeTemplate, podTemplateHash, sameTemplate, stepHash } from "./template.js";

const template = (over: object = {}) => ({
  metadata: { labels: { app: "web" } },
  spec: {
    containers: [
      { name: "web", image: "web:1", ports: [{ containerPort: 80 }], resources: { limits: { cpu: "0.5" } } },
    ],
    ...over,
  },
});

describe("pod templates", () => {
  it("are the same when the API server filled in its defaults", () => {
    const live = {
      metadata: { labels: { app: "web", "rollouts-pod-template-hash": "abc" }, creationTimestamp: null },
      spec: {
        containers: [
          {
            name: "web",
            image: "web:1",
            imagePullPolicy: "IfNotPresent",
            ports: [{ containerPort: 80, protocol: "TCP" }],
            resources: { limits: { cpu: "500m" }, requests: { cpu: "500m" } },
            terminationMessagePath: "/dev/termination-log",
            terminationMessagePolicy: "File",
          },
        ],
        dnsPolicy: "ClusterFirst",
        restartPolicy: "Always",
        schedulerName: "default-scheduler",
        securityContext: {},
        terminationGracePeriodSeconds: 30,
      },
    };
    expect(sameTemplate(template(), live)).toBe(true);
    expect(podTemplateHash(live)).toBe(podTemplateHash(template()));
  });

  it.each([
    ["an image", { containers: [{ name: "web", image: "web:2" }] }],
    ["a non-default policy", { dnsPolicy: "Default" }],
    ["a volume", { volumes: [{ name: "data", emptyDir: {} }] }],
  ])("differ by %s", (_name, over) => {
    expect(sameTemplate(template(), template(over))).toBe(false);
    expect(podTemplateHash(template())).not.toBe(podTemplateHash(template(over)));
  });

  it("keep which kind an empty volume is", () => {
    expect(
      sameTemplate(template({ volumes: [{ name: "a", emptyDir: {} }] }), template({ volumes: [{ name: "a" }] })),
    ).toBe(false);
  });

  it("get another hash after a collision", () => {
    expect(podTemplateHash(template(), 1)).not.toBe(podTemplateHash(template()));
  });

  it("do not change by normalizing", () => {
    const given = Object.freeze(template());
    normalizeTemplate(given);
    expect(given).toEqual(template());
  });
});

describe("step hashes", () => {
  it("of no steps is Argo Rollouts' text", () => expect(stepHash(undefined)).toBe("5ffbfbbd64"));
});
