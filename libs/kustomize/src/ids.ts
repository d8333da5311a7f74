import { isClusterScoped } from "./cluster-scoped.js";

export interface Gvk {
  readonly group?: string;
  readonly version?: string;
  readonly kind?: string;
}

/** What identifies a resource while its name, namespace or kind changes. */
export interface ResourceId {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace: string;
}

export function groupVersion(apiVersion: string): { group: string; version: string } {
  const slash = apiVersion.indexOf("/");
  return slash < 0
    ? { group: "", version: apiVersion }
    : { group: apiVersion.slice(0, slash), version: apiVersion.slice(slash + 1) };
}

export const apiVersionOf = ({ group, version }: Pick<ResourceId, "group" | "version">): string =>
  group ? `${group}/${version}` : version;

export const clusterScoped = (id: ResourceId): boolean => isClusterScoped(apiVersionOf(id), id.kind);

/** The namespace that counts: none for kinds without one, `default` where none is said. */
export const effectiveNamespace = (id: ResourceId): string =>
  clusterScoped(id) ? "\0cluster" : id.namespace || "default";

export const sameNamespace = (a: ResourceId, b: ResourceId): boolean => effectiveNamespace(a) === effectiveNamespace(b);

export const sameKindAndName = (a: ResourceId, b: ResourceId): boolean =>
  a.name === b.name && a.group === b.group && a.version === b.version && a.kind === b.kind;

/** The same text for ids that are the same. */
export const idKey = (id: ResourceId): string =>
  [id.group, id.version, id.kind, effectiveNamespace(id), id.name].join("\0");

export const sameId = (a: ResourceId, b: ResourceId): boolean => sameKindAndName(a, b) && sameNamespace(a, b);

/** True when a selector that may leave out parts names the kind. */
export const kindSelected = (id: Pick<ResourceId, "group" | "version" | "kind">, selector: Gvk): boolean =>
  (!selector.group || selector.group === id.group) &&
  (!selector.version || selector.version === id.version) &&
  (!selector.kind || selector.kind === id.kind);

/** True when a selector of exact words names the resource. */
export const idSelected = (id: ResourceId, selector: Gvk & { name?: string; namespace?: string }): boolean =>
  (!selector.name || selector.name === id.name) &&
  (!selector.namespace ||
    effectiveNamespace({ group: "", version: "", kind: "", name: "", ...selector, namespace: selector.namespace }) ===
      effectiveNamespace(id)) &&
  kindSelected(id, selector);

export const idText = (id: ResourceId): string =>
  `${id.kind || "[noKind]"}.${id.version || "[noVer]"}.${id.group || "[noGrp]"}/${id.name || "[noName]"}.${id.namespace || "[noNs]"}`;
