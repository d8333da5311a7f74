import { type Patch, statusError } from "@tiphys/kube";
import {
  applyServerSide,
  conflictStatus,
  inManagersOrder,
  jsonPatch,
  mergePatch,
  PatchError,
  strategicMergePatch,
  updateManagedFields,
} from "@tiphys/kube-patch";
import { decode, definition } from "@tiphys/kube-schema";
import type { KubeObject, ManagedFieldsEntry } from "@tiphys/resources";
import { checkType, identified, strictness } from "./body.js";
import type { ScalePaths, ServedKind } from "./kinds.js";
import { timestamp } from "./names.js";
import type { Parts, Target, WriteContext } from "./parts.js";
import * as status from "./status.js";
import { checkIdentity, commitUpdate, current } from "./writes.js";

export const hasScale = (kind: ServedKind): kind is ServedKind & { scale: ScalePaths } => kind.scale !== undefined;

type Fields = Record<string, unknown>;

const SCALE = { group: "autoscaling", version: "v1", kind: "Scale" } as const;
const STATUS = [["status"]];
export const SCALE_VERSION = "autoscaling/v1";
const schema = () => definition("io.k8s.api.autoscaling.v1.Scale");

const at = (object: unknown, path: readonly string[]): unknown =>
  path.reduce<unknown>((value, step) => (value as Record<string, unknown> | undefined)?.[step], object);

function withValue(object: KubeObject, path: readonly string[], value: unknown): KubeObject {
  const [step = "", ...rest] = path;
  const member = rest.length === 0 ? value : withValue((object[step] ?? {}) as KubeObject, rest, value);
  return { ...object, [step]: member };
}

/** A label selector as text, which is how a Scale's status has it. */
function selectorText(selector: unknown): string {
  if (typeof selector === "string") return selector;
  const { matchLabels = {}, matchExpressions = [] } = (selector ?? {}) as {
    matchLabels?: Record<string, string>;
    matchExpressions?: { key: string; operator: string; values?: string[] }[];
  };
  const parts = Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`);
  for (const { key, operator, values = [] } of matchExpressions) {
    if (operator === "Exists") parts.push(key);
    else if (operator === "DoesNotExist") parts.push(`!${key}`);
    else parts.push(`${key} ${operator.toLowerCase()} (${[...values].sort().join(",")})`);
  }
  return parts.sort().join(",");
}

/** The autoscaling/v1 Scale of an object. */
export function scaleOf(object: KubeObject, { scale: paths, crd }: ServedKind & { scale: ScalePaths }): KubeObject {
  const isCustom = crd !== undefined;
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const replicas = at(object, paths.replicas);
  if (replicas === undefined && isCustom) {
    const message = `the spec replicas field ".${paths.replicas.join(".")}" does not exist`;
    throw statusError(500, "InternalError", `Internal error occurred: ${message}`, { causes: [{ message }] });
  }
  const selector = paths.selector ? selectorText(at(object, paths.selector)) : "";
  return {
    kind: "Scale",
    apiVersion: "autoscaling/v1",
    metadata: {
      name,
      ...(namespace ? { namespace } : {}),
      ...(uid ? { uid } : {}),
      ...(resourceVersion ? { resourceVersion } : {}),
      ...(creationTimestamp ? { creationTimestamp } : {}),
    },
    spec: { ...(replicas ? { replicas } : {}) },
    status: { replicas: at(object, paths.statusReplicas) ?? 0, ...(selector ? { selector } : {}) },
  };
}

export async function writeScale(
  parts: Parts,
  target: Target,
  change: { readonly body: unknown } | { readonly patch: Patch },
  context: WriteContext,
): Promise<KubeObject> {
  const { kind, name } = target;
  const old = current(parts, target);
  if (!old || !hasScale(kind)) throw status.notFound(kind, name);
  const scale = scaleOf(old, kind);
  const owners = ownersOfScale(old, kind.scale.replicas);
  const live: KubeObject =
    owners.length > 0 ? { ...scale, metadata: { ...scale.metadata, managedFields: owners } } : scale;
  const now = timestamp(parts.clock.now());
  let wanted: KubeObject;
  let owned: readonly ManagedFieldsEntry[];
  if ("patch" in change && change.patch.type === "apply") {
    ({ wanted, owned } = applied(live, change.patch.body, now, context));
  } else {
    wanted =
      "body" in change
        ? decodedScale(change.body, context, (problem) => status.badRequest(problem))
        : patchedScale(live, change.patch, context);
    owned = updateManagedFields({
      before: live,
      after: { ...wanted, metadata: { ...live.metadata, ...only(wanted.metadata, "managedFields") } },
      manager: context.manager,
      schema: schema(),
      now,
      subresource: "scale",
      ignore: STATUS,
    });
  }
  checkIdentity(target, wanted);
  const replicas = (wanted["spec"]?.replicas ?? 0) as number;
  if (replicas < 0) {
    throw status.invalid(SCALE, name, [
      status.fieldError(
        "spec.replicas",
        "FieldValueInvalid",
        `Invalid value: ${replicas}: must be greater than or equal to 0`,
      ),
    ]);
  }
  const { uid, resourceVersion } = wanted.metadata ?? {};
  const metadata = { ...old.metadata, managedFields: ownersOfObject(old, owned, kind.scale.replicas) };
  if (resourceVersion) metadata.resourceVersion = resourceVersion;
  if (uid) metadata.uid = uid;
  const next = withValue({ ...old, metadata }, kind.scale.replicas, replicas);
  const place = { ...target, subresource: "scale" };
  return scaleOf(await commitUpdate(parts, place, next, old, context, true), kind);
}

/** A body as a Scale, whatever it says it is. */
function decodedScale(body: unknown, context: WriteContext, refuse: (problem: string) => Error): KubeObject {
  const { object, unknown, error } = decode(identified(SCALE, body), schema());
  if (error !== undefined) throw refuse(error);
  strictness(unknown, context, refuse);
  return object;
}

function patchedScale(scale: KubeObject, patch: Exclude<Patch, { type: "apply" }>, context: WriteContext): KubeObject {
  const patched =
    patch.type === "json"
      ? jsonPatch<KubeObject>(scale, patch.body)
      : patch.type === "strategic"
        ? strategicMergePatch<KubeObject>(scale, patch.body, schema())
        : mergePatch<KubeObject>(scale, patch.body);
  const refuse = (problem: string) =>
    status.invalid({ group: "", kind: "" }, "", [
      status.fieldError(
        "patch",
        "FieldValueInvalid",
        `Invalid value: ${JSON.stringify(JSON.stringify(patched))}: ${problem.replace(/^.* cannot be handled as a \S+: /, "")}`,
      ),
    ]);
  return decodedScale(patched, context, refuse);
}

/** The field set of an entry that is left without its claim on the replicas. */
// biome-ignore lint/suspicious/noExplicitAny: field sets are kept as they were sent
function withoutPath(fields: any, [step, ...rest]: readonly string[]): Fields | undefined {
  if (step === undefined || fields?.[`f:${step}`] === undefined) return fields;
  const { [`f:${step}`]: member, ...others } = fields;
  const left = rest.length === 0 ? undefined : withoutPath(member, rest);
  const out = left === undefined ? others : { ...others, [`f:${step}`]: left };
  return Object.keys(out).length > 0 ? out : undefined;
}

const owns = ({ fieldsV1 }: ManagedFieldsEntry, path: readonly string[]): boolean =>
  at(
    fieldsV1,
    path.map((step) => `f:${step}`),
  ) !== undefined;
const fieldsOf = (path: readonly string[]): Fields =>
  path.reduceRight<Fields>((inner, step) => ({ [`f:${step}`]: inner }), {});
/** What tells entries apart: an apply has no version, an update is another one in each. */
const nameOf = ({ manager, operation, subresource = "", apiVersion }: ManagedFieldsEntry): string =>
  JSON.stringify([manager, operation, subresource, operation === "Apply" ? "" : apiVersion]);

/** Who owns the replicas of the object owns those of its Scale. */
const ownersOfScale = (object: KubeObject, path: readonly string[]): ManagedFieldsEntry[] =>
  (object.metadata.managedFields ?? [])
    .filter((entry) => owns(entry, path))
    .map((entry) => ({ ...entry, apiVersion: SCALE_VERSION, fieldsV1: fieldsOf(["spec", "replicas"]) }));

/** The other way round: what the owners of a Scale are to the object. */
function ownersOfObject(
  object: KubeObject,
  ofScale: readonly ManagedFieldsEntry[],
  path: readonly string[],
): ManagedFieldsEntry[] {
  const owners = new Map(
    ofScale.filter((entry) => owns(entry, ["spec", "replicas"])).map((entry) => [nameOf(entry), entry]),
  );
  const kept = (object.metadata.managedFields ?? []).flatMap((entry) => {
    if (!owns(entry, path)) return [entry];
    if (owners.delete(nameOf(entry))) return [entry];
    const fieldsV1 = withoutPath(entry.fieldsV1, path);
    return fieldsV1 ? [{ ...entry, fieldsV1 }] : [];
  });
  // As the real server has it: in the version of the object, and without a time.
  const added = [...owners.values()].map(({ time: _, ...entry }) => ({
    ...entry,
    apiVersion: object.apiVersion,
    fieldsV1: fieldsOf(path),
  }));
  return inManagersOrder([...kept, ...added] as ManagedFieldsEntry[]);
}

const only = <T extends object, K extends keyof T>(object: T, key: K): Partial<Pick<T, K>> =>
  object[key] === undefined ? {} : ({ [key]: object[key] } as Pick<T, K>);

/** Server-side apply of a Scale. */
function applied(
  live: KubeObject,
  body: object,
  now: string,
  context: WriteContext,
): { wanted: KubeObject; owned: readonly ManagedFieldsEntry[] } {
  const given = body as Partial<KubeObject>;
  checkType(SCALE, given.apiVersion || SCALE_VERSION, given.kind || SCALE.kind);
  const configuration = identified(SCALE, body);
  configuration.metadata = { ...configuration.metadata, name: configuration.metadata.name || live.metadata.name };
  let result: ReturnType<typeof applyServerSide>;
  try {
    result = applyServerSide({
      live,
      applied: configuration,
      manager: context.manager,
      ...(context.force ? { force: true } : {}),
      schema: schema(),
      now,
      subresource: "scale",
      ignore: STATUS,
    });
  } catch (error) {
    if (error instanceof PatchError) throw status.bare(error.message);
    throw error;
  }
  if (result.object === undefined) {
    const { message, causes } = conflictStatus(result.conflicts);
    throw statusError(409, "Conflict", message, { causes: [...causes] });
  }
  return {
    wanted: decodedScale(result.object, context, (problem) => status.badRequest(problem)),
    owned: result.object.metadata.managedFields ?? [],
  };
}
