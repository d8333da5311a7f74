import { createHash } from "node:crypto";
import type { Kinds, ServedKind } from "../api/kinds.js";
import { compareVersions } from "../api/version-order.js";

interface Versions {
  readonly group: string;
  readonly versions: readonly { readonly version: string; readonly kinds: readonly ServedKind[] }[];
}

function groups(kinds: Kinds): Versions[] {
  const found = new Map<string, Map<string, ServedKind[]>>();
  for (const kind of kinds.all()) {
    const versions = found.get(kind.group) ?? new Map<string, ServedKind[]>();
    found.set(kind.group, versions);
    versions.set(kind.version, [...(versions.get(kind.version) ?? []), kind]);
  }
  return [...found].map(([group, versions]) => ({
    group,
    versions: [...versions]
      .map(([version, all]) => ({ version, kinds: all.sort((a, b) => (a.resource < b.resource ? -1 : 1)) }))
      .sort((a, b) => compareVersions(a.version, b.version)),
  }));
}

const groupVersion = (group: string, version: string) => (group ? `${group}/${version}` : version);

const apiGroup = ({ group, versions }: Versions) => {
  const entries = versions.map(({ version }) => ({ groupVersion: groupVersion(group, version), version }));
  return { name: group, versions: entries, preferredVersion: entries[0] };
};

/** /api, /apis, /apis/<group>, /api/v1 and /apis/<group>/<version>; undefined when there is no such path. */
export function discovery(kinds: Kinds, path: readonly string[], serverAddress: string): object | undefined {
  const [root, first, second, ...rest] = path;
  if (rest.length > 0) return undefined;
  const all = groups(kinds);
  if (root === "api") {
    if (first === undefined) {
      return {
        kind: "APIVersions",
        versions: ["v1"],
        serverAddressByClientCIDRs: [{ clientCIDR: "0.0.0.0/0", serverAddress }],
      };
    }
    return second === undefined ? resourceList(all, "", first) : undefined;
  }
  if (root !== "apis") return undefined;
  if (first === undefined) {
    return { kind: "APIGroupList", apiVersion: "v1", groups: all.filter(({ group }) => group).map(apiGroup) };
  }
  const found = all.find(({ group }) => group === first);
  if (!found || !first) return undefined;
  return second === undefined
    ? { kind: "APIGroup", apiVersion: "v1", ...apiGroup(found) }
    : resourceList(all, first, second);
}

/** Changes when objects of the kind are kept in another version; clients compare it only. */
function storageHash({ builtin, crd, group, kind }: ServedKind): string | undefined {
  if (builtin) return builtin.storageVersionHash;
  const storage = crd?.["spec"].versions.find((version: { storage: boolean }) => version.storage)?.name;
  return createHash("sha256").update(`${group}/${storage}/${kind}`).digest().subarray(0, 8).toString("base64");
}

function resourceList(all: readonly Versions[], group: string, version: string): object | undefined {
  const found = all.find((one) => one.group === group)?.versions.find((one) => one.version === version);
  if (!found) return undefined;
  const resources = found.kinds.flatMap((kind) => [
    {
      name: kind.resource,
      singularName: kind.singular,
      namespaced: kind.namespaced,
      kind: kind.kind,
      verbs: kind.verbs,
      ...(kind.shortNames.length > 0 ? { shortNames: kind.shortNames } : {}),
      ...(kind.categories.length > 0 ? { categories: kind.categories } : {}),
      ...(storageHash(kind) ? { storageVersionHash: storageHash(kind) } : {}),
    },
    ...kind.subresources.map((sub) => ({
      name: `${kind.resource}/${sub.name}`,
      singularName: "",
      namespaced: kind.namespaced,
      ...(sub.group ? { group: sub.group } : {}),
      ...(sub.version ? { version: sub.version } : {}),
      kind: sub.kind,
      verbs: sub.verbs,
    })),
  ]);
  return {
    kind: "APIResourceList",
    ...(group ? { apiVersion: "v1" } : {}),
    groupVersion: groupVersion(group, version),
    resources,
  };
}

/** The whole of /api or /apis in one document (apidiscovery.k8s.io/v2). */
export function aggregatedDiscovery(kinds: Kinds, root: "api" | "apis"): object {
  const items = groups(kinds)
    .filter(({ group }) => (group === "") === (root === "api"))
    .map(({ group, versions }) => ({
      metadata: group ? { name: group } : {},
      versions: versions.map((one) => ({
        version: one.version,
        resources: one.kinds.map(aggregatedResource),
        freshness: "Current",
      })),
    }));
  return { kind: "APIGroupDiscoveryList", apiVersion: "apidiscovery.k8s.io/v2", metadata: {}, items };
}

const aggregatedResource = (kind: ServedKind) => ({
  resource: kind.resource,
  responseKind: { group: "", version: "", kind: kind.kind },
  scope: kind.namespaced ? "Namespaced" : "Cluster",
  singularResource: kind.singular,
  verbs: kind.verbs,
  ...(kind.shortNames.length > 0 ? { shortNames: kind.shortNames } : {}),
  ...(kind.categories.length > 0 ? { categories: kind.categories } : {}),
  ...(kind.subresources.length > 0
    ? {
        subresources: kind.subresources.map((sub) => ({
          subresource: sub.name,
          responseKind: { group: sub.group ?? "", version: sub.version ?? "", kind: sub.kind },
          verbs: sub.verbs,
        })),
      }
    : {}),
});
