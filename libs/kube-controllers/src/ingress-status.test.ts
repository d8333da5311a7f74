import type { KubeObject } from "@tiphys/resources";
import { ingressStatusReconciler } from "./ingress-status.js";

const now = new Date("2026-01-01T00:00:00Z");
const ingress = (spec: object, status?: object): KubeObject => ({
  apiVersion: "networking.k8s.io/v1",
  kind: "Ingress",
  metadata: { namespace: "demo", name: "shop" },
  spec,
  ...(status ? { status } : {}),
});
const served = { loadBalancer: { ingress: [{ hostname: "localhost" }] } };

it.each([
  { why: "an Ingress of the nginx class is served", given: ingress({ ingressClassName: "nginx" }), want: served },
  { why: "an Ingress without a class is served", given: ingress({}), want: served },
  {
    why: "another controller's Ingress is left alone",
    given: ingress({ ingressClassName: "traefik" }),
    want: undefined,
  },
  { why: "what is right is not written again", given: ingress({}, served), want: undefined },
])("$why", ({ given, want }) => {
  expect(ingressStatusReconciler("localhost").plan(given, now).status).toEqual(want);
});
