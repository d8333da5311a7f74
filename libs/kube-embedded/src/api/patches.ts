import { canonicalJson } from "@tiphys/canonical-json";
import { LimitExceededError, messageOf } from "@tiphys/errors";
import type { Patch } from "@tiphys/kube";
import { statusError } from "@tiphys/kube";
import {
  applyServerSide,
  conflictStatus,
  goText,
  jsonPatch,
  mergePatch,
  PatchError,
  strategicMergePatch,
} from "@tiphys/kube-patch";
import { limits } from "@tiphys/limits";
import { groupVersionOf, type KubeObject } from "@tiphys/resources";
import { apiVersionOfKind, checkType, identified, strictness } from "./body.js";
import type { ServedKind } from "./kinds.js";
import { timestamp } from "./names.js";
import type { Parts, Target, WriteContext } from "./parts.js";
import * as status from "./status.js";
import { resetFields } from "./strategy.js";
import { admitCreate, checkIdentity, checkMayCreate, commitCreate, commitUpdate, current } from "./writes.js";

/** Applies a patch; `created` tells that a server-side apply made the object. */
export async function patch(
  parts: Parts,
  target: Target,
  patch: Patch,
  context: WriteContext,
): Promise<{ object: KubeObject; created: boolean }> {
  checkOptions(patch, context);
  if (patch.type === "apply") return apply(parts, target, patch.body, context);
  const { kind, name } = target;
  const old = current(parts, target);
  if (!old) throw status.notFound(kind, name);
  if (patch.type === "json" && patch.body.length > limits.jsonPatchOperations) {
    throw statusError(
      413,
      "RequestEntityTooLarge",
      `Request entity too large: The allowed maximum operations in a JSON patch is ${limits.jsonPatchOperations}, got ${patch.body.length}`,
    );
  }
  if (patch.type === "strategic" && kind.crd) {
    throw statusError(
      415,
      "UnsupportedMediaType",
      "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
    );
  }
  const patched = patchedForm(target, old, patch);
  const decoded = decodePatched(target, patched, patch, context);
  checkIdentity(target, decoded);
  return { object: await commitUpdate(parts, { ...target, patched: true }, decoded, old, context), created: false };
}

function patchedForm({ kind }: Target, old: KubeObject, patch: Patch): KubeObject {
  try {
    if (patch.type === "json") return jsonPatch(old, patch.body);
    if (patch.type === "merge") return mergePatch(old, patch.body);
    return strategicMergePatch(old, patch.body, kind.schema);
  } catch (error) {
    // Which step of a JSON patch did not fit is not told, as by the real server.
    if (patch.type === "json" && error instanceof PatchError) {
      throw statusError(422, "Invalid", "the server rejected our request due to an error in our request", {});
    }
    throw patchRefused(error);
  }
}

function patchRefused(error: unknown): unknown {
  if (error instanceof LimitExceededError) return statusError(413, "RequestEntityTooLarge", error.message, {});
  if (!(error instanceof PatchError)) return error;
  if (error.kind === "malformed") {
    return /^unknown patch type/.test(error.message) ? status.bare(error.message) : status.badRequest(error.message);
  }
  return error.kind === "unmergeable" ? status.bare(error.message) : statusError(422, "Invalid", error.message, {});
}

/** Reads the patched object as its kind. What is wrong with it is wrong with the patch. */
function decodePatched({ kind }: Target, patched: KubeObject, patch: Patch, context: WriteContext): KubeObject {
  // A strategic patch is shown itself, any other one by what it makes of the object.
  const shown = patch.type === "strategic" ? goText(patch.body) : JSON.stringify(patched);
  const refuse = (problem: string) =>
    status.invalid({ group: "", kind: "" }, "", [
      status.fieldError("patch", "FieldValueInvalid", `Invalid value: ${JSON.stringify(shown)}: ${problem}`),
    ]);
  try {
    checkType(kind, patched?.apiVersion || apiVersionOfKind(kind), patched?.kind || kind.kind, patched);
  } catch (error) {
    if (kind.crd && patched?.kind !== kind.kind) throw error;
    throw refuse(messageOf(error).replace(/^.* cannot be handled as a \S+: /, ""));
  }
  const { object, unknown, error } = kind.decode(identified(kind, patched));
  if (error !== undefined) throw refuse(inGoWords(patch, error.replace(/^.* cannot be handled as a \S+: /, "")));
  const members = new Set(["op", "path", "from", "value"]);
  const inSteps =
    patch.type === "json"
      ? patch.body.flatMap((step, at) =>
          Object.keys(step)
            .filter((key) => !members.has(key))
            .map((key) => `json patch unknown field "[${at}].${key}"`),
        )
      : [];
  strictness(unknown, context, refuse, inSteps);
  return object;
}

/** The decoder of strategic patches has other words for a wrong type. */
function inGoWords(patch: Patch, problem: string): string {
  const found =
    patch.type === "strategic" && /cannot unmarshal (\w+) into Go struct field \S+ of type (\S+)/.exec(problem);
  if (!found) return problem;
  const [, is = "", wanted = ""] = found;
  const family = wanted.startsWith("map[")
    ? "map"
    : wanted.startsWith("[]")
      ? "slice"
      : wanted.includes(".")
        ? "struct"
        : wanted;
  return `cannot restore ${family} from ${is === "object" ? "map" : is === "array" ? "slice" : is === "number" ? "int" : is}`;
}

function checkOptions(patch: Patch, context: WriteContext): void {
  const options = { group: "meta.k8s.io", kind: "PatchOptions" };
  if (patch.type === "apply" && !context.manager) {
    throw status.invalid(options, "", [
      status.fieldError("fieldManager", "FieldValueRequired", "Required value: is required for apply patch"),
    ]);
  }
  if (patch.type !== "apply" && context.force) {
    throw status.invalid(options, "", [
      status.fieldError("force", "FieldValueForbidden", "Forbidden: may not be specified for non-apply patch"),
    ]);
  }
}

async function apply(
  parts: Parts,
  target: Target,
  body: object,
  context: WriteContext,
): Promise<{ object: KubeObject; created: boolean }> {
  const { kind, namespace, name, subresource } = target;
  const applied = configuration(target, body);
  const live = current(parts, target);
  if (!live && subresource) throw status.notFound(kind, name);
  const version = applied.metadata.resourceVersion;
  if (version && !/^\d+$/.test(version)) {
    throw status.bare(`strconv.ParseUint: parsing ${JSON.stringify(version)}: invalid syntax`);
  }
  if (live && version && version !== live.metadata.resourceVersion) throw status.conflict(kind, name, status.MODIFIED);
  let result: ReturnType<typeof applyServerSide>;
  try {
    result = applyServerSide({
      ...(live ? { live } : {}),
      applied,
      manager: context.manager,
      ...(context.force ? { force: true } : {}),
      schema: kind.schema,
      now: timestamp(parts.clock.now()),
      ...(subresource ? { subresource } : {}),
      ignore: resetFields(kind, subresource),
    });
  } catch (error) {
    throw patchRefused(error);
  }
  if (result.object === undefined) {
    const { message, causes } = conflictStatus(result.conflicts);
    throw statusError(409, "Conflict", message, { causes: [...causes] });
  }
  strictness(kind.decode(applied).unknown, context, (message) => status.badRequest(message));
  const { object: decoded, error, problem } = kind.decode(withLastApplied(result.object, applied, context.manager));
  if (problem !== undefined) throw unconverted(kind, applied, problem);
  if (error !== undefined) throw status.badRequest(error);
  if (live)
    return {
      object: await commitUpdate(parts, { ...target, patched: true }, decoded, live, context, true),
      created: false,
    };
  const { uid } = applied.metadata;
  if (uid) {
    throw status.conflict(
      kind,
      name,
      `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`,
    );
  }
  checkMayCreate(parts, target, context);
  const admitted = admitCreate(parts, kind, namespace, decoded, context, true);
  return { object: await commitCreate(parts, kind, admitted, context), created: true };
}

/** What fits the schema and is no value of its type all the same is found when the applied object becomes its kind. */
function unconverted(kind: ServedKind, { metadata }: KubeObject, problem: string): Error {
  const type = `${kind.group}/${kind.version}, Kind=${kind.kind}`;
  const fraction = /^json: cannot unmarshal number \S*\.\S* into .* of type (int\d+)$/.exec(problem);
  const text = fraction
    ? `cannot convert float64 to ${fraction[1]}`
    : problem
        .replace(/^illegal base64 data/, "error decoding from json: $&")
        .replace(/Go struct field .* of type intstr\.IntOrString$/, "Go value of type int32");
  const name = `${metadata.namespace ?? ""}/${metadata.name}`;
  return status.bare(
    `failed to convert new object (${name}; ${type}) to proper version: unable to convert unstructured object to ${type}: ${text}`,
  );
}

const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";

/** Keeps what kubectl's client-side apply remembers in step, so that one may go back to it. */
function withLastApplied(object: KubeObject, applied: KubeObject, manager: string): KubeObject {
  const { annotations } = object.metadata;
  if (manager !== "kubectl" || annotations?.[LAST_APPLIED] === undefined) return object;
  const { annotations: given, managedFields: _, ...metadata } = applied.metadata;
  const { [LAST_APPLIED]: _own, ...others } = given ?? {};
  const whole = {
    ...applied,
    metadata: { ...metadata, ...(Object.keys(others).length > 0 ? { annotations: others } : {}) },
  };
  const text = `${canonicalJson(whole)}\n`;
  return { ...object, metadata: { ...object.metadata, annotations: { ...annotations, [LAST_APPLIED]: text } } };
}

/** The applied configuration: complete in its identity, with nothing its kind does not know. */
function configuration(target: Target, body: object): KubeObject {
  const { kind, name } = target;
  const given = body as Partial<KubeObject>;
  const { apiVersion = "", kind: givenKind = "" } = given;
  if (apiVersion !== apiVersionOfKind(kind) || givenKind !== kind.kind) {
    const { group, version } = groupVersionOf(apiVersion);
    throw status.badRequest(`invalid object type: ${group}/${version}, Kind=${givenKind}`);
  }
  const object = identified(kind, body);
  const metadata = { ...object.metadata, name: object.metadata.name || name };
  const applied = { ...object, metadata };
  checkIdentity(target, applied);
  return applied;
}
