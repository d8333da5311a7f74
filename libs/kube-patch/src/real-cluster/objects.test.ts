import { invalidMessage } from "@tiphys/kube-schema";
import type { KubeObject } from "@tiphys/resources";
import { connectOracle, describeWith, type Oracle, realClusterKubeconfig, withNamespace } from "@tiphys/testing";
import { badObjects, goodObjects, unknownFields } from "./object-cases.js";
import { kindOf, pathOf } from "./paths.js";

const named = (object: object, namespace: string): KubeObject => {
  const given = object as KubeObject;
  return { ...given, metadata: Object.assign({ name: "x", namespace }, given.metadata) };
};

const titled = (list: readonly object[]) =>
  list.map((object, at) => ({
    title: `${at} ${(object as KubeObject).kind} ${JSON.stringify(object).slice(0, 150)}`,
    object,
  }));

/** Without what storage, allocation and admission add. */
function stripped(object: KubeObject): unknown {
  const {
    managedFields: _m,
    uid: _u,
    creationTimestamp: _c,
    generation: _g,
    resourceVersion: _r,
    ...metadata
  } = object.metadata;
  const { status: _s, ...rest } = object;
  const spec = rest["spec"] && structuredClone(rest["spec"]);
  if (object.kind === "Service")
    for (const key of ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"]) delete spec[key];
  if (object.kind === "Service" && spec.type === "ExternalName") delete spec.ports;
  if (object.kind === "Pod") {
    for (const key of ["priority", "preemptionPolicy", "serviceAccount", "serviceAccountName", "tolerations"])
      delete spec[key];
    const own = ({ name }: { name: string }) => !name.startsWith("kube-api-access");
    if (spec.volumes) spec.volumes = spec.volumes.filter(own);
    if (spec.volumes?.length === 0) delete spec.volumes;
    for (const one of [...spec.containers, ...(spec.initContainers ?? [])]) {
      if (one.volumeMounts) one.volumeMounts = one.volumeMounts.filter(own);
      if (one.volumeMounts?.length === 0) delete one.volumeMounts;
    }
  }
  if (object.kind === "Job") {
    delete spec.selector;
    delete spec.template.metadata.labels;
    delete metadata.labels;
  }
  if (object.kind === "PersistentVolumeClaim") delete metadata.finalizers;
  if (object.kind === "Ingress") delete spec.ingressClassName;
  return { ...rest, metadata, spec };
}

describeWith(["real-cluster"], "builtin kinds, compared with a real API server", () => {
  let oracle: Oracle;
  let namespace: { name: string; remove(): Promise<void> };
  beforeAll(async () => {
    oracle = connectOracle(realClusterKubeconfig()!);
    namespace = await withNamespace(oracle, `kube-schema-${process.pid}`);
    // Pods are admitted only once their service account is there.
    for (let tries = 0; tries < 200; tries++) {
      const answer = await oracle.request("GET", `/api/v1/namespaces/${namespace.name}/serviceaccounts/default`);
      if (answer.status === 200) return;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  });
  afterAll(() => namespace?.remove());

  const create = (object: KubeObject) =>
    oracle.request("POST", `${pathOf(kindOf(object), namespace.name)}?dryRun=All&fieldValidation=Strict`, object);

  it.each(titled(goodObjects))("fills in the same defaults: $title", async ({ object }) => {
    const given = named(object, namespace.name);
    const theirs = await create(given);
    expect(theirs).toMatchObject({ status: 201 });
    const kind = kindOf(given);
    const decoded = kind.decode(given);
    expect(decoded).toMatchObject({ unknown: [] });
    expect(decoded.error).toBeUndefined();
    const ours = kind.applyDefaults(decoded.object);
    expect(stripped(ours)).toEqual(stripped(theirs.body));
    expect(kind.validate(ours)).toEqual([]);
    expect(kind.decode(theirs.body)).toMatchObject({ unknown: [], object: { metadata: { name: "x" } } });
  });

  it.each(titled(badObjects))("finds the same mistakes: $title", async ({ object }) => {
    const given = named(object, namespace.name);
    const theirs = await create(given);
    const kind = kindOf(given);
    const decoded = kind.decode(given);
    if (theirs.status === 400) {
      expect(decoded.error).toBe(theirs.body.message);
      return;
    }
    expect(theirs).toMatchObject({ status: 422 });
    const errors = kind.validate(kind.applyDefaults(decoded.object));
    const order = (a: { field: string; message: string }, b: { field: string; message: string }) =>
      (a.field + a.message).localeCompare(b.field + b.message);
    expect([...errors].sort(order)).toEqual([...theirs.body.details.causes].sort(order));
    if (errors.length === 1) expect(theirs.body.message).toContain(` is invalid: ${invalidMessage(errors)}`);
  });

  it.each(titled(unknownFields))("names the same unknown fields: $title", async ({ object }) => {
    const given = named(object, namespace.name);
    const theirs = await create(given);
    const { unknown } = kindOf(given).decode(given);
    for (const field of unknown) expect(theirs.body.message).toContain(`unknown field ${JSON.stringify(field)}`);
    expect(theirs.body.message.split("unknown field").length - 1).toBe(unknown.length);
  });
});
