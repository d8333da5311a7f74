import { type FieldSpec, scalarAt, visitField } from "../field-specs.js";
import { kindSelected } from "../ids.js";
import type { Resource } from "../resource.js";

/** Kinds whose name is not only theirs to choose. */
const SKIPPED = [
  { kind: "CustomResourceDefinition" },
  { group: "apiregistration.k8s.io", kind: "APIService" },
  { kind: "Namespace" },
];

/** Puts a text before or after names. */
export function affix(
  resources: readonly Resource[],
  text: string,
  where: "prefix" | "suffix",
  specs: readonly FieldSpec[],
): void {
  for (const resource of resources) {
    const id = resource.originalId();
    if (SKIPPED.some((skipped) => kindSelected(id, skipped))) continue;
    for (const spec of specs) {
      if (!kindSelected(id, spec)) continue;
      if (spec.path === "metadata/name" && text !== "") {
        (where === "prefix" ? resource.prefixes : resource.suffixes).push(text);
        resource.rememberId();
      }
      visitField(resource.object, spec, "scalar", (spot) => {
        const name = scalarAt(spot);
        spot.set(where === "prefix" ? text + name : name + text);
      });
    }
  }
}
