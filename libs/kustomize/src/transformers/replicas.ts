import { fail } from "../errors.js";
import { type FieldSpec, visitField } from "../field-specs.js";
import { kindSelected } from "../ids.js";
import type { ResourceList } from "../resource-list.js";

export interface ReplicaRule {
  readonly name?: string;
  readonly count?: number;
}

export function setReplicas(
  list: ResourceList,
  { name = "", count = 0 }: ReplicaRule,
  specs: readonly FieldSpec[],
): void {
  let found = false;
  for (const spec of specs) {
    for (const resource of list.byAnyId((id) => id.name === name && kindSelected(id, spec))) {
      found = true;
      visitField(resource.object, spec, "scalar", (spot) => spot.set(count));
    }
  }
  const kinds = specs.map(
    ({ group, version, kind }) => `${kind || "[noKind]"}.${version || "[noVer]"}.${group || "[noGrp]"}`,
  );
  if (!found) fail(`resource with name ${name} does not match a config with the following GVK [${kinds.join(" ")}]`);
}
