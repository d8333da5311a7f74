import { type Data, isMap, put } from "./data.js";
import { fail } from "./errors.js";
import { idKey, idText, type ResourceId, sameId } from "./ids.js";
import type { Resource } from "./resource.js";

/** Fails where two resources have one id. */
export function refuseTwins(resources: readonly Resource[], problem: string): void {
  const seen = new Set<string>();
  for (const resource of resources) {
    const id = resource.id();
    const key = idKey(id);
    if (seen.has(key)) fail(`${problem}: ${idText(id)}`);
    seen.add(key);
  }
}

/** Resources in the order they came in; no two have the same id. */
export class ResourceList {
  constructor(public items: Resource[] = []) {}

  append(resource: Resource): void {
    const id = resource.id();
    if (this.items.some((other) => sameId(other.id(), id))) {
      fail(`may not add resource with an already registered id: ${idText(id)}`);
    }
    this.items.push(resource);
  }

  appendAll(resources: readonly Resource[]): void {
    const seen = new Set(this.items.map((resource) => idKey(resource.id())));
    for (const resource of resources) {
      const id = resource.id();
      const key = idKey(id);
      if (seen.has(key)) fail(`may not add resource with an already registered id: ${idText(id)}`);
      seen.add(key);
      this.items.push(resource);
    }
  }

  byAnyId(matches: (id: ResourceId) => boolean): Resource[] {
    return this.items.filter((resource) => !resource.gone && resource.ids().some(matches));
  }

  /** The one resource that has or had an id. */
  one(id: ResourceId): Resource {
    const found = this.byAnyId((other) => sameId(other, id));
    if (found.length === 1) return found[0] as Resource;
    return fail(
      `${found.length === 0 ? "no matches" : "multiple matches"} for Id ${idText(id)}; failed to find unique target for patch ${idText(id)}`,
    );
  }

  /** Takes in what a generator made: as new, or over or into what is there. */
  absorb(made: Resource): void {
    const id = made.id();
    const found = this.byAnyId((other) => sameId(other, id));
    if (found.length > 1) fail(`found multiple objects that could accept merge of ${idText(id)}`);
    const [old] = found;
    if (!old) {
      if (made.behavior === "merge" || made.behavior === "replace") {
        fail(`id ${idText(id)} does not exist; cannot merge or replace`);
      }
      this.append(made);
      return;
    }
    if (made.behavior !== "merge" && made.behavior !== "replace") {
      fail(`id ${idText(id)} exists; behavior must be merge or replace`);
    }
    const merges = made.behavior === "merge";
    inherit(made, old);
    if (merges) for (const field of ["data", "binaryData"]) mergeMap(made.object, old.object, field);
    this.items[this.items.indexOf(old)] = made;
  }

  /** Drops what is gone, and fails where two have one id by now. */
  refresh(): void {
    this.dropGone();
    refuseTwins(this.items, "may not add resource with an already registered id");
  }

  dropGone(): void {
    this.items = this.items.filter(({ gone }) => !gone);
  }
}

function mergeMap(target: Data, from: Data, field: string): void {
  const merged = { ...(isMap(from[field]) ? from[field] : {}), ...(isMap(target[field]) ? target[field] : {}) };
  if (Object.keys(merged).length > 0) put(target, field, merged);
}

/** What a generated resource has from the one that it takes the place of. */
function inherit(made: Resource, old: Resource): void {
  const metadata = made.metadata();
  for (const map of ["labels", "annotations"] as const) {
    const merged = { ...old[map], ...made[map] };
    if (Object.keys(merged).length > 0) put(metadata, map, merged);
  }
  made.name = old.name;
  made.setNamespace(old.namespace);
  made.previous = [...old.previous];
  made.prefixes = [...old.prefixes];
  made.suffixes = [...old.suffixes];
  made.behavior = old.behavior;
  // What is merged into an object of a file keeps the name that others know it by.
  made.needsHash &&= old.needsHash;
  made.vars.push(...old.vars);
}
