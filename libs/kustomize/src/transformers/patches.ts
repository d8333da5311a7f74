import { messageOf } from "@tiphys/errors";
import { type JsonPatchStep, jsonPatch } from "@tiphys/kube-patch";
import { parseYaml } from "@tiphys/yaml";
import { copy, type Data, isMap, put } from "../data.js";
import { fail, KustomizeError } from "../errors.js";
import { idText } from "../ids.js";
import { type MergeSchema, strategicMerge } from "../merge.js";
import { parseResources, type Resource } from "../resource.js";
import type { ResourceList } from "../resource-list.js";
import { type Selector, select } from "../selector.js";

/** A patch as it stands in a kustomization, its text loaded. */
export interface LoadedPatch {
  readonly text: string;
  /** For messages: where the text comes from. */
  readonly source: string;
  readonly target?: Selector;
  readonly allowNameChange?: boolean;
  readonly allowKindChange?: boolean;
}

/** Applies one patch object to a resource; the name, kind and namespace stay unless the patch may change them. */
export function applyMerge(resource: Resource, patch: Resource, schema: MergeSchema): void {
  const { name, namespace, kind } = resource;
  if (patch.allowNameChange || patch.allowKindChange) resource.rememberId();
  const merged = strategicMerge(resource.object, patch.object, schema);
  if (!merged || Object.keys(merged).length === 0) {
    resource.gone = true;
    return;
  }
  resource.object = merged;
  if (!patch.allowKindChange) put(resource.object, "kind", kind);
  if (!patch.allowNameChange) resource.name = name;
  resource.setNamespace(namespace);
}

/** Applies an entry of `patchesStrategicMerge`. */
export function applyStrategicMerges(list: ResourceList, patches: readonly Resource[], schema: MergeSchema): void {
  for (const patch of patches) {
    rewriteMaps(patch);
    applyMerge(list.one(patch.originalId()), patch, schema);
    list.refresh();
  }
}

/** What the original does with patches that it copies for a set of resources. */
function rewriteMaps(patch: Resource): void {
  patch.rewrite("labels");
  patch.rewrite("annotations");
}

/** Each patch to the resource of its own id. */
function patchById(list: ResourceList, patches: readonly Resource[], schema: MergeSchema): void {
  for (const patch of patches) {
    applyMerge(list.one(patch.originalId()), patch, schema);
    list.dropGone();
  }
}

function steps(text: string): JsonPatchStep[] {
  // What begins as JSON has to be JSON.
  const parsed: unknown = text.startsWith("[") ? JSON.parse(text) : parseYaml(text);
  if (!Array.isArray(parsed)) return fail("a JSON patch is a list of operations");
  for (const step of parsed) {
    if (!isMap(step)) fail("every operation of a JSON patch is an object");
  }
  return parsed as JsonPatchStep[];
}

/** Applies an entry of `patches`: strategic merge patches or a JSON patch, whichever the text is. */
export function applyPatch(list: ResourceList, patch: LoadedPatch, schema: MergeSchema): void {
  let merges: Resource[] | undefined;
  let operations: JsonPatchStep[] | undefined;
  let problem: unknown;
  try {
    merges = parseResources(patch.text, patch.source);
  } catch (error) {
    problem = error;
  }
  try {
    operations = steps(patch.text);
  } catch {
    // Then it is a strategic merge patch, or none of both.
  }
  if (!merges && !operations) {
    throw new KustomizeError(`unable to parse SM or JSON patch from ${patch.source}: ${messageOf(problem)}`, {
      cause: problem,
    });
  }
  if (merges && merges.length > 0) {
    for (const merge of merges) {
      merge.allowNameChange = patch.allowNameChange ?? false;
      merge.allowKindChange = patch.allowKindChange ?? false;
      if (merge.allowNameChange || merge.allowKindChange) merge.rewrite("annotations");
    }
    if (!patch.target) {
      patchById(list, merges, schema);
      return;
    }
    if (merges.length > 1) {
      fail(
        `Multiple Strategic-Merge Patches in one \`patches\` entry is not allowed to set \`patches.target\` field: ${patch.source}`,
      );
    }
    patchSelected(list, merges[0] as Resource, patch.target, schema);
    return;
  }
  if (!operations) return;
  if (!patch.target) fail(`must specify a target for JSON patch ${patch.source}`);
  for (const resource of select(list.items, patch.target)) {
    resource.rememberId();
    applySteps(resource, operations, patch.source);
  }
}

function patchSelected(list: ResourceList, patch: Resource, target: Selector, schema: MergeSchema): void {
  for (const resource of select(list.items, target)) {
    const own = patch.clone();
    put(own.object, "apiVersion", resource.apiVersion);
    rewriteMaps(own);
    applyMerge(resource, own, schema);
  }
  list.refresh();
}

export function applySteps(resource: Resource, operations: readonly JsonPatchStep[], source: string): void {
  try {
    if (resource.isNoted) resource.makeAnnotations();
    resource.object = jsonPatch<Data>(copy(resource.object), operations);
    // Annotations are written anew, as texts.
    if (Object.keys(resource.annotations).length > 0) resource.rewrite("annotations");
  } catch (error) {
    throw new KustomizeError(`${source} on ${idText(resource.id())}: ${messageOf(error)}`, { cause: error });
  }
}

/** An entry of `patchesJson6902`. */
export function applyJson6902(list: ResourceList, { text, source, target }: LoadedPatch): void {
  if (!target?.name) fail(`${source}: must specify the target name`);
  let operations: JsonPatchStep[];
  try {
    operations = steps(text);
  } catch (error) {
    throw new KustomizeError(`${source}: ${messageOf(error)}`, { cause: error });
  }
  if (operations.length === 0) fail(`patch appears to be empty; ${source}`);
  for (const resource of select(list.items, target)) applySteps(resource, operations, source);
}
