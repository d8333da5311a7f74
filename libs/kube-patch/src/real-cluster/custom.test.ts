import { compilePrinterColumns, compileSchema } from "@tiphys/kube-schema";
import type { KubeObject } from "@tiphys/resources";
import { connectOracle, describeWith, type Oracle, realClusterKubeconfig, withNamespace } from "@tiphys/testing";
import { badSpecs, goodSpecs, widgetColumns, widgetSchema } from "./custom-cases.js";

const group = `s${process.pid}.tiphys.example`;
const definition = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: `widgets.${group}` },
  spec: {
    group,
    scope: "Namespaced",
    names: { plural: "widgets", kind: "Widget" },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        additionalPrinterColumns: widgetColumns,
        schema: { openAPIV3Schema: widgetSchema },
      },
    ],
  },
};
const titled = (list: readonly object[]) => list.map((spec) => ({ title: JSON.stringify(spec), spec }));

describeWith(["real-cluster"], "custom resources, compared with a real API server", () => {
  const compiled = compileSchema(widgetSchema);
  const printer = compilePrinterColumns(widgetColumns);
  let oracle: Oracle;
  let namespace: { name: string; remove(): Promise<void> };
  const crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
  const widgets = () => `/apis/${group}/v1/namespaces/${namespace.name}/widgets`;

  beforeAll(async () => {
    oracle = connectOracle(realClusterKubeconfig()!);
    namespace = await withNamespace(oracle, `custom-${process.pid}`);
    expect((await oracle.request("POST", crds, definition)).status).toBe(201);
    for (let tries = 0; tries < 400; tries++) {
      const probe = await oracle.request("POST", `${widgets()}?dryRun=All`, widget({ name: "abc" }));
      if (probe.status === 201) return;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    throw new Error("the definition was not served in ten seconds");
  });
  afterAll(async () => {
    await oracle?.request("DELETE", `${crds}/widgets.${group}`);
    await namespace?.remove();
  });

  const widget = (spec: object): KubeObject => ({
    apiVersion: `${group}/v1`,
    kind: "Widget",
    metadata: { name: "w", namespace: namespace.name, labels: { "app.io/x": "l" } },
    spec,
  });
  const admit = (object: KubeObject) => {
    const { value, unknown } = compiled.prune(object);
    return { object: compiled.applyDefaults(value), unknown };
  };

  it.each(titled(goodSpecs))("prunes and fills in the same: $title", async ({ spec }) => {
    const theirs = await oracle.request("POST", `${widgets()}?dryRun=All`, widget(spec));
    expect(theirs).toMatchObject({ status: 201 });
    const { object, unknown } = admit(widget(spec));
    expect(object["spec"]).toEqual(theirs.body.spec);
    expect(compiled.validate(object).errors).toEqual([]);
    const strict = await oracle.request("POST", `${widgets()}?dryRun=All&fieldValidation=Strict`, widget(spec));
    expect(strict.status).toBe(unknown.length > 0 ? 400 : 201);
    for (const field of unknown) expect(strict.body.message).toContain(`unknown field ${JSON.stringify(field)}`);
  });

  it.each(titled(badSpecs))("finds the same mistakes: $title", async ({ spec }) => {
    const theirs = await oracle.request("POST", `${widgets()}?dryRun=All`, widget(spec));
    expect(theirs).toMatchObject({ status: 422 });
    expect(compiled.validate(admit(widget(spec)).object).errors).toEqual(theirs.body.details.causes);
  });

  it("prints the same rows", async () => {
    const spec = {
      name: "abc",
      when: "2026-01-01T00:00:00Z",
      labels: { a: "b" },
      on: false,
      items: [{ name: "p" }, { name: "q" }],
    };
    await oracle.request("POST", widgets(), widget(spec));
    const table = await oracle.request("GET", `${widgets()}?as=Table`);
    const stored = await oracle.request("GET", `${widgets()}/w`);
    const shape = ({ name, type, format, priority }: Record<string, unknown>) => ({ name, type, format, priority });
    expect(printer.columns.map((one) => shape({ ...one }))).toEqual(table.body.columnDefinitions.map(shape));
    const now = new Date(stored.body.metadata.creationTimestamp);
    const isTime = printer.columns.map(({ type }) => type === "date");
    const untimed = (cells: readonly unknown[]) => cells.map((cell, at) => (isTime[at] ? typeof cell : cell));
    expect(untimed(printer.row(stored.body, now))).toEqual(untimed(table.body.rows[0].cells));
  });
});
