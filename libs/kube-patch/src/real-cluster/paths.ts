import { type BuiltinKind, builtinKind } from "@tiphys/kube-schema";
import type { KubeObject } from "@tiphys/resources";

export function kindOf(object: KubeObject): BuiltinKind {
  const slash = object.apiVersion.indexOf("/");
  const group = slash < 0 ? "" : object.apiVersion.slice(0, slash);
  return builtinKind(group, object.apiVersion.slice(slash + 1), object.kind)!;
}

export function pathOf(kind: BuiltinKind, namespace: string | undefined, name?: string): string {
  const root = kind.group === "" ? `/api/${kind.version}` : `/apis/${kind.group}/${kind.version}`;
  const scope = kind.namespaced ? `/namespaces/${namespace}` : "";
  return `${root}${scope}/${kind.resource}${name === undefined ? "" : `/${name}`}`;
}
