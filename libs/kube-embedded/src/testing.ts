import type { KubeObject, ResourceType } from "@tiphys/resources";

/** Asks again until the answer is truthy; fails after five seconds. */
export async function until<T>(ask: () => Promise<T> | T): Promise<T> {
  const end = performance.now() + 5000;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (performance.now() > end) throw new Error("the condition did not come true within 5 s");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export const widgets: ResourceType = { group: "tests.tiphys.dev", version: "v1", resource: "widgets", kind: "Widget", namespaced: true };

const schema = {
  type: "object",
  required: ["spec"],
  properties: {
    spec: {
      type: "object",
      required: ["size"],
      properties: {
        size: { type: "integer", minimum: 0, maximum: 10 },
        color: { type: "string", default: "red", enum: ["red", "green"] },
        replicas: { type: "integer" },
      },
    },
    status: { type: "object", properties: { ready: { type: "integer" } } },
  },
};

const version = (name: string, storage: boolean) => ({
  name,
  served: true,
  storage,
  schema: { openAPIV3Schema: schema },
  subresources: { status: {}, scale: { specReplicasPath: ".spec.replicas", statusReplicasPath: ".status.ready" } },
  additionalPrinterColumns: [{ name: "Size", type: "integer", jsonPath: ".spec.size" }],
});

/** A custom kind for the tests of this lib. */
export const widgetCrd: KubeObject = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "widgets.tests.tiphys.dev" },
  spec: {
    group: "tests.tiphys.dev",
    scope: "Namespaced",
    names: { plural: "widgets", singular: "widget", kind: "Widget", listKind: "WidgetList", shortNames: ["wi"] },
    versions: [version("v1", true), version("v1beta1", false)],
  },
};
