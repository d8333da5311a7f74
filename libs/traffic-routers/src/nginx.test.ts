import type { KubeObject, Rollout } from "@tiphys/resources";
import { nginxCanaryIngress, nginxRouter } from "./nginx.js";

const rollout = (over: object = {}): Rollout => ({
  apiVersion: "argoproj.io/v1alpha1",
  kind: "Rollout",
  metadata: { name: "web", namespace: "shop", uid: "u1" },
  spec: {
    strategy: {
      canary: {
        stableService: "web",
        canaryService: "web-canary",
        trafficRouting: { nginx: { stableIngress: "site", ...over } },
      },
    },
  },
});
const backend = (name: string) => ({ service: { name, port: { number: 80 } } });
const stable: KubeObject = {
  apiVersion: "networking.k8s.io/v1",
  kind: "Ingress",
  metadata: { name: "site", namespace: "shop", annotations: { "kubernetes.io/ingress.class": "nginx" } },
  spec: {
    tls: [{ hosts: ["shop.example"] }],
    rules: [
      {
        host: "shop.example",
        http: {
          paths: [
            { path: "/", pathType: "Prefix", backend: backend("web") },
            { path: "/admin", pathType: "Prefix", backend: backend("admin") },
          ],
        },
      },
      { host: "other.example", http: { paths: [{ path: "/", pathType: "Prefix", backend: backend("other") }] } },
    ],
  },
};

describe("the nginx router", () => {
  it("makes a canary Ingress of the paths that lead to the stable Service", () => {
    const ingress = nginxCanaryIngress(rollout(), stable, 20);
    expect(ingress.metadata.name).toBe("web-site-canary");
    expect(ingress.metadata.annotations).toEqual({
      "kubernetes.io/ingress.class": "nginx",
      "nginx.ingress.kubernetes.io/canary": "true",
      "nginx.ingress.kubernetes.io/canary-weight": "20",
    });
    expect(ingress["spec"]).toEqual({
      tls: [{ hosts: ["shop.example"] }],
      rules: [
        { host: "shop.example", http: { paths: [{ path: "/", pathType: "Prefix", backend: backend("web-canary") }] } },
      ],
    });
  });

  it("prefixes additional annotations and takes canary annotations as they are", () => {
    const given = {
      annotationPrefix: "custom",
      additionalIngressAnnotations: { "canary-by-header": "x" },
      canaryIngressAnnotations: { team: "a" },
    };
    expect(nginxCanaryIngress(rollout(given), stable, 5).metadata.annotations).toMatchObject({
      "custom/canary": "true",
      "custom/canary-weight": "5",
      "custom/canary-by-header": "x",
      team: "a",
    });
  });

  it("writes only what differs", () => {
    const live = nginxCanaryIngress(rollout(), stable, 20);
    const objects = { "ingresses/site": stable, "ingresses/web-site-canary": live };
    expect(nginxRouter.writes(rollout(), objects, 20)).toEqual([]);
    expect(nginxRouter.writes(rollout(), objects, 40)).toEqual([
      expect.objectContaining({
        verb: "merge",
        body: { metadata: { annotations: { "nginx.ingress.kubernetes.io/canary-weight": "40" } } },
      }),
    ]);
    expect(nginxRouter.writes(rollout(), { "ingresses/site": stable }, 0)).toHaveLength(1);
  });

  it.each([
    ["the Ingress is missing", {}, 'ingress "site" not found'],
    [
      "no rule leads to the stable Service",
      { "ingresses/site": { ...stable, spec: { rules: [] } } },
      'ingress "site" has no rule with the service "web"',
    ],
    [
      "somebody else has the canary Ingress",
      { "ingresses/site": stable, "ingresses/web-site-canary": { ...stable, metadata: { name: "web-site-canary" } } },
      'ingress "web-site-canary" exists already and does not belong to this Rollout',
    ],
  ])("says so when %s", (_name, objects, problem) => {
    expect(nginxRouter.problems(rollout(), objects)).toEqual([
      { field: "spec.strategy.canary.trafficRouting.nginx.stableIngress", problem },
    ]);
  });
});
