import { get, isMap, isScalar, textOf } from "../data.js";
import { fail } from "../errors.js";
import { type FieldSpec, type Spot, scalarAt, visitField } from "../field-specs.js";
import type { Resource } from "../resource.js";
import { pattern } from "../selector.js";

export interface ImageRule {
  readonly name?: string;
  readonly newName?: string;
  readonly newTag?: string;
  readonly tagSuffix?: string;
  readonly digest?: string;
}

/** Name, tag and digest of an image reference; a port of the registry is no tag. */
export function splitImage(image: string): { name: string; tag: string; digest: string } {
  const slash = Math.max(0, image.indexOf("/"));
  const rest = image.slice(slash);
  const at = rest.indexOf("@");
  const named = at < 0 ? rest : rest.slice(0, at);
  const colon = named.indexOf(":");
  return {
    name: image.slice(0, slash) + (colon < 0 ? named : named.slice(0, colon)),
    tag: colon < 0 ? "" : named.slice(colon + 1),
    digest: at < 0 ? "" : rest.slice(at + 1),
  };
}

function changed(image: string, rule: ImageRule): string {
  const { name, tag, digest } = splitImage(image);
  const { newTag = "", digest: newDigest = "", tagSuffix = "" } = rule;
  const parts =
    newTag || newDigest
      ? { tag: newTag, digest: newDigest }
      : tagSuffix
        ? { tag: tag + tagSuffix, digest: "" }
        : { tag, digest };
  return (rule.newName || name) + (parts.tag && `:${parts.tag}`) + (parts.digest && `@${parts.digest}`);
}

/** Changes references to an image in every container, and wherever the specs mean. */
export function setImages(resources: readonly Resource[], rule: ImageRule, specs: readonly FieldSpec[]): void {
  const matches = pattern(`^${rule.name ?? ""}(:[a-zA-Z0-9_.{}-]*)?(@sha256:[a-zA-Z0-9_.{}-]*)?$`);
  const set = (spot: Spot): void => {
    const image = scalarAt(spot);
    if (matches.matcher(image).find()) spot.set(changed(image, rule));
  };
  for (const { object, kind } of resources) {
    if (kind === "CustomResourceDefinition") continue;
    visitContainers(object, set);
    // Nothing is made where there is no image.
    for (const spec of specs) visitField(object, spec, undefined, set);
  }
}

function visitContainers(value: unknown, set: (spot: Spot) => void): void {
  if (Array.isArray(value)) {
    for (const item of value) visitContainers(item, set);
    return;
  }
  if (!isMap(value)) return;
  for (const [key, member] of Object.entries(value)) {
    visitContainers(member, set);
    if ((key !== "containers" && key !== "initContainers") || !Array.isArray(member)) continue;
    for (const container of member) {
      const image = get(container, "image");
      if (image === undefined || image === null || !isMap(container)) continue;
      if (!isScalar(image)) fail(`image ${textOf(image)} is not a text`);
      set({ value: image, set: (given) => (container["image"] = given) });
    }
  }
}
