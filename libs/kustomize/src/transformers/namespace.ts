import { type Data, get, isMap, put } from "../data.js";
import { fail } from "../errors.js";
import { type FieldSpec, type Spot, visitField } from "../field-specs.js";
import { clusterScoped } from "../ids.js";
import type { Resource } from "../resource.js";
import { refuseTwins } from "../resource-list.js";

export type SubjectMode = "defaultOnly" | "allServiceAccounts" | "none";

export interface NamespaceOptions {
  readonly unsetOnly?: boolean;
  readonly setRoleBindingSubjects?: SubjectMode;
}

const isBinding = (kind: string): boolean => kind === "RoleBinding" || kind === "ClusterRoleBinding";

/** Moves resources into a namespace. */
export function setNamespace(
  resources: readonly Resource[],
  namespace: string,
  specs: readonly FieldSpec[],
  { unsetOnly = false, setRoleBindingSubjects = "defaultOnly" }: NamespaceOptions = {},
): void {
  if (!["defaultOnly", "allServiceAccounts", "none"].includes(setRoleBindingSubjects)) {
    fail(
      `invalid value "${setRoleBindingSubjects}" for setRoleBindingSubjects: must be one of "defaultOnly", "none" or "allServiceAccounts"`,
    );
  }
  const set = (spot: Spot): void => {
    if (typeof spot.value === "object" && spot.value !== null) fail("namespace field specs must target scalar nodes");
    if (!unsetOnly || !spot.value) spot.set(namespace);
  };
  for (const resource of resources) {
    resource.rememberId();
    const { object, kind, apiVersion } = resource;
    if (!clusterScoped(resource.id())) visitField(object, { path: "metadata/namespace", create: true }, "scalar", set);
    if (isBinding(kind)) setSubjects(object, setRoleBindingSubjects, set);
    for (const spec of specs) {
      if (spec.path === "metadata/namespace" || (apiVersion !== "v1" && spec.path === "metadata/name")) continue;
      if (isBinding(kind) && spec.kind !== undefined && isBinding(spec.kind) && spec.path === "subjects/namespace")
        continue;
      visitField(object, spec, "scalar", set);
    }
  }
  refuseTwins(resources, "namespace transformation produces ID conflict");
}

function setSubjects(object: Data, mode: SubjectMode, set: (spot: Spot) => void): void {
  const subjects = get(object, "subjects");
  if (mode === "none" || !Array.isArray(subjects)) return;
  for (const subject of subjects) {
    if (!isMap(subject)) continue;
    const chosen = mode === "defaultOnly" ? subject["name"] === "default" : subject["kind"] === "ServiceAccount";
    if (chosen) set({ value: subject["namespace"], set: (value) => put(subject, "namespace", value) });
  }
}
