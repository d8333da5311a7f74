import { type Data, get, has, isMap, isScalar, put, textOf } from "../data.js";
import { fail } from "../errors.js";
import { type FieldSpec, type NameReference, type Spot, visitField } from "../field-specs.js";
import { clusterScoped, effectiveNamespace, type Gvk, idText, kindSelected, sameNamespace } from "../ids.js";
import type { Resource } from "../resource.js";

/** Brings the names that resources call others by up to date. */
export function fixNameReferences(resources: readonly Resource[], references: readonly NameReference[]): void {
  // Only what has had another id can be called by a name that is no longer its own.
  const moved = resources.filter((resource) => resource.previous.length > 0);
  if (moved.length === 0) return;
  for (const referrer of resources) {
    const id = referrer.originalId();
    const candidates = reachable(resources, referrer);
    for (const { fieldSpecs, ...target } of references) {
      for (const spec of fieldSpecs) {
        if (kindSelected(id, spec)) fix(referrer, spec, target, candidates);
      }
    }
  }
}

/** What a resource can speak of: its own namespace, what has none, and where the subjects of a role binding are. */
function reachable(resources: readonly Resource[], referrer: Resource): Resource[] {
  const id = referrer.id();
  if (clusterScoped(id)) return [...resources];
  const namespaces = new Set<string>();
  const subjects = get(referrer.object, "subjects");
  if (referrer.kind === "RoleBinding" && Array.isArray(subjects)) {
    for (const subject of subjects) {
      if (get(subject, "kind") === "ServiceAccount" && has(subject as Data, "namespace")) {
        const namespace = get(subject, "namespace");
        if (typeof namespace !== "string") fail(`Invalid Input: namespace is blank for resource ${idText(id)}`);
        namespaces.add(namespace as string);
      }
    }
  }
  return resources.filter((other) => {
    const its = other.id();
    return clusterScoped(its) || sameNamespace(its, id) || namespaces.has(other.namespace);
  });
}

type Same = (a: Resource, b: Resource) => boolean;
const sameName: Same = (a, b) => a.name === b.name;
const sameNameAndNamespace: Same = (a, b) => a.name === b.name && a.namespace === b.namespace;

function fix(referrer: Resource, spec: FieldSpec, target: Gvk, candidates: readonly Resource[]): void {
  const { group, version, kind } = referrer.id();
  // The field is looked for under the kind that the referrer has now.
  visitField(referrer.object, { path: spec.path, group, version, kind }, undefined, (spot) => {
    const list = Array.isArray(spot.value) ? spot.value : undefined;
    if (!list) fixOne(spot);
    else
      for (let at = 0; at < list.length; at++) {
        fixOne({
          value: list[at],
          set: (given) => {
            list[at] = given;
          },
        });
      }
  });

  function fixOne(spot: Spot): void {
    if (spot.value === null || spot.value === undefined) return;
    if (isScalar(spot.value)) {
      const found = referral(textOf(spot.value), candidates, sameName);
      if (found && found.name !== spot.value) spot.set(found.name);
      return;
    }
    if (isMap(spot.value)) fixMap(spot.value);
  }

  function fixMap(node: Data): void {
    if (!has(node, "name")) fail(`path config error; no 'name' field in node at ${spec.path}`);
    const namespace = get(node, "namespace");
    const chosen =
      namespace === undefined
        ? candidates
        : (inNamespace(textOf(namespace), (resource) => resource.originalId()) ??
          inNamespace(textOf(namespace), (resource) => resource.id()) ??
          []);
    const found = referral(textOf(node["name"]), chosen, sameNameAndNamespace);
    if (!found || (found.name === node["name"] && found.namespace === "")) return;
    put(node, "name", found.name);
    if (found.namespace !== "") put(node, "namespace", found.namespace);
  }

  function inNamespace(
    namespace: string,
    idOf: (resource: Resource) => ReturnType<Resource["id"]>,
  ): Resource[] | undefined {
    const found = candidates.filter((resource) => {
      const id = idOf(resource);
      return !clusterScoped(id) && effectiveNamespace(id) === namespace;
    });
    return found.length > 0 ? found : undefined;
  }

  function referral(name: string, among: readonly Resource[], same: Same): Resource | undefined {
    const role = spec.path.endsWith("roleRef/name") ? get(referrer.object, "roleRef") : undefined;
    const roleKind = isMap(role) && has(role, "apiGroup") && has(role, "kind") ? role : undefined;
    const itsId = referrer.id();
    let left = among.filter(
      (other) =>
        other.previous.some((id) => id.name === name) &&
        other.previous.some((id) => kindSelected(id, target)) &&
        (!roleKind ||
          other.previous.some((id) =>
            kindSelected(id, { group: textOf(roleKind["apiGroup"]), kind: textOf(roleKind["kind"]) }),
          )) &&
        (clusterScoped(itsId) ||
          clusterScoped(other.id()) ||
          other.kind === "ServiceAccount" ||
          sameNamespace(itsId, other.id())),
    );
    if (left.length === 1) return left[0];
    left = left.filter((other) => affixesFit(other, referrer, true));
    if (left.length > 1) left = left.filter((other) => affixesFit(other, referrer, false));
    const [first] = left;
    if (!first || left.length === 1 || left.every((other) => same(other, first))) return first;
    return fail(`found multiple possible referrals: ${left.map((other) => idText(other.id())).join(", ")}`);
  }
}

function affixesFit(a: Resource, b: Resource, allowEmpty: boolean): boolean {
  const fit = (one: readonly string[], other: readonly string[]): boolean =>
    (allowEmpty && (one.length === 0 || other.length === 0)) || sameEnding(one, other);
  return fit(a.prefixes, b.prefixes) && fit(a.suffixes, b.suffixes);
}

/** True when the shorter list ends as the longer one does. */
function sameEnding(one: readonly string[], other: readonly string[]): boolean {
  const length = Math.min(one.length, other.length);
  if (length === 0) return one.length === other.length;
  for (let at = 1; at <= length; at++) if (one.at(-at) !== other.at(-at)) return false;
  return true;
}
