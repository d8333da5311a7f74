import type { KubeObject } from "@tiphys/resources";
import {
  type Answer,
  connectOracle,
  describeWith,
  type Oracle,
  realClusterKubeconfig,
  withNamespace,
} from "@tiphys/testing";
import {
  applyServerSide,
  conflictStatus,
  jsonPatch,
  mergePatch,
  PatchError,
  sameExceptManagedFieldsTimes,
  strategicMergePatch,
  updateManagedFields,
} from "../index.js";
import { kindOf, pathOf } from "./paths.js";
import { type Step, writeCases } from "./write-cases.js";

const now = "2026-01-01T00:00:00Z";

/** What an API server does with a write, without storage: the same steps that libs/kube-embedded takes. */
function write(
  live: KubeObject | undefined,
  step: Step,
  name: string,
  namespace: string,
): { object?: KubeObject; error?: object } {
  const about = { apiVersion: step.apiVersion, kind: step.kind, metadata: { name, namespace } } as KubeObject;
  const kind = kindOf(about);
  const sent = {
    ...about,
    ...(step.body as object),
    metadata: { ...about.metadata, ...(step.body as KubeObject).metadata },
  };
  const ignore = kind.hasStatus ? (step.subresource === "status" ? [["spec"]] : [["status"]]) : undefined;
  const common = {
    manager: step.manager,
    schema: kind.schema,
    now,
    ignore,
    ...(step.subresource ? { subresource: step.subresource } : {}),
  };
  try {
    if (step.op === "apply") {
      const result = applyServerSide({ ...common, live, applied: sent, force: step.force ?? false });
      if (result.object === undefined) return { error: { code: 409, ...conflictStatus(result.conflicts) } };
      const decoded = kind.decode(result.object);
      if (decoded.error) return { error: { code: 500, message: decoded.error } };
      const object = kind.applyDefaults(decoded.object);
      return { object: live && sameExceptManagedFieldsTimes(live, object) ? live : object };
    }
    let next: KubeObject;
    if (step.op === "create" || step.op === "replace") next = sent;
    else if (step.op === "merge") next = mergePatch(live, step.body);
    else if (step.op === "strategic") next = strategicMergePatch(live, step.body, kind.schema);
    else next = jsonPatch(live, step.body as never);
    const decoded = kind.decode(next);
    if (decoded.error) return { error: { code: 400, message: decoded.error } };
    const after = kind.applyDefaults(decoded.object);
    if (step.subresource !== "status" && kind.hasStatus && live) after["status"] = live["status"];
    const managedFields = updateManagedFields({ ...common, ...(live ? { before: live } : {}), after });
    const object = { ...after, metadata: { ...after.metadata, managedFields } };
    return { object: live && sameExceptManagedFieldsTimes(live, object) ? live : object };
  } catch (error) {
    if (error instanceof PatchError) return { error: { code: error.http, message: error.message } };
    throw error;
  }
}

const contentTypes = {
  apply: "application/apply-patch+yaml",
  merge: "application/merge-patch+json",
  strategic: "application/strategic-merge-patch+json",
  json: "application/json-patch+json",
};

async function ask(oracle: Oracle, step: Step, name: string, namespace: string): Promise<Answer> {
  const about = { apiVersion: step.apiVersion, kind: step.kind, metadata: { name, namespace } } as KubeObject;
  const kind = kindOf(about);
  const query = `?fieldManager=${step.manager}${step.force ? "&force=true" : ""}`;
  const whole = () => ({
    ...about,
    ...(step.body as object),
    metadata: { ...about.metadata, ...(step.body as KubeObject).metadata },
  });
  if (step.op === "create") return oracle.request("POST", pathOf(kind, namespace) + query, whole());
  const path = pathOf(kind, namespace, name) + (step.subresource ? `/${step.subresource}` : "");
  if (step.op === "replace") return oracle.request("PUT", path + query, whole());
  const body = step.op === "apply" ? whole() : step.body;
  return oracle.request("PATCH", path + query, body, contentTypes[step.op]);
}

/** Without what only a server with storage and controllers gives. */
function comparable(object: KubeObject | undefined): unknown {
  if (object === undefined) return undefined;
  const { name, labels, annotations, finalizers, managedFields = [] } = object.metadata;
  const { status: _, ...rest } = object;
  const others = { ...annotations };
  delete others["deployment.kubernetes.io/revision"];
  const spec = rest["spec"] ? { ...rest["spec"] } : undefined;
  for (const key of ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"]) if (spec) delete spec[key];
  return {
    ...rest,
    spec,
    metadata: { name, labels: labels ?? {}, annotations: others, finalizers },
    managedFields: managedFields
      .filter(({ manager }) => manager !== "kube-controller-manager")
      .map(({ time: _time, ...entry }) => entry)
      .sort((a, b) => JSON.stringify([a.manager, a.operation]).localeCompare(JSON.stringify([b.manager, b.operation]))),
  };
}

describeWith(["real-cluster"], "writes, compared with a real API server", () => {
  let oracle: Oracle;
  let namespace: { name: string; remove(): Promise<void> };
  beforeAll(async () => {
    oracle = connectOracle(realClusterKubeconfig()!);
    namespace = await withNamespace(oracle, `kube-patch-${process.pid}`);
  });
  afterAll(() => namespace?.remove());

  it.each(writeCases.map((one, at) => ({ ...one, object: `case-${at}` })))("$name", async ({ steps, object: name }) => {
    let live: KubeObject | undefined;
    for (const [at, given] of steps.entries()) {
      const step = given;
      const theirs = await ask(oracle, step, name, namespace.name);
      const ours = write(live, step, name, namespace.name);
      if (theirs.status >= 400) {
        const { code, details } = theirs.body;
        // The real server hides why a JSON patch does not fit; we say it.
        const message = code === 422 ? expect.any(String) : theirs.body.message;
        const causes = details?.causes && expect.arrayContaining(details.causes);
        expect({ at, ...ours.error }).toEqual({ at, code, message, ...(causes ? { causes } : {}) });
        continue;
      }
      expect({ at, error: ours.error }).toEqual({ at, error: undefined });
      expect({ at, object: comparable(ours.object) }).toEqual({ at, object: comparable(theirs.body) });
      live = ours.object;
    }
  });
});
