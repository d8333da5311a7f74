import { KubeApiError, statusError } from "@tiphys/kube";
import { sameExceptManagedFieldsTimes, updateManagedFields } from "@tiphys/kube-patch";
import type { FieldError } from "@tiphys/kube-schema";
import { limits } from "@tiphys/limits";
import type { KubeObject } from "@tiphys/resources";
import { checkEscalation } from "../access/escalation.js";
import { giveNamespaceDefaults } from "../access/namespace-defaults.js";
import { restrictNode } from "../access/node-restriction.js";
import { admitResize, checkNamespace, completePod } from "./admission.js";
import { decodeBody } from "./body.js";
import {
  admitRequest,
  CERTIFICATE_REQUESTS,
  changedRequest,
  requestErrors,
  stampRequester,
} from "./certificate-requests.js";
import { CRDS, crdStatus } from "./crds.js";
import type { ServedKind } from "./kinds.js";
import { generatedName, timestamp, uuid } from "./names.js";
import { inVersion, type Parts, type Target, toStored, type WriteContext } from "./parts.js";
import { admitPriorityClass, taintNewNode } from "./priority.js";
import * as status from "./status.js";
import * as strategy from "./strategy.js";

/** Creates from a body; resolves when it is durable. */
export async function create(
  parts: Parts,
  kind: ServedKind,
  namespace: string | undefined,
  body: unknown,
  context: WriteContext,
): Promise<KubeObject> {
  const object = admitCreate(parts, kind, namespace, decodeBody(kind, body, context), context);
  return commitCreate(parts, kind, object, context);
}

/** Everything between a decoded body and the object that would be stored. `owned`: managedFields are in it already. */
export function admitCreate(
  parts: Parts,
  kind: ServedKind,
  namespace: string | undefined,
  decoded: KubeObject,
  context: WriteContext,
  owned = false,
): KubeObject {
  const { store, clock, addresses, access } = parts;
  const metadata = { ...decoded.metadata };
  let object: KubeObject = { ...decoded, metadata };
  if (kind.namespaced) {
    if (metadata.namespace && namespace !== undefined && metadata.namespace !== namespace) {
      throw status.badRequest("the namespace of the provided object does not match the namespace sent on the request");
    }
    const wanted = namespace ?? metadata.namespace;
    if (!wanted) throw status.badRequest("an empty namespace may not be set during creation");
    metadata.namespace = wanted;
  } else delete metadata.namespace;
  const now = timestamp(clock.now());
  const { resourceVersion } = metadata;
  for (const field of ["resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds"] as const)
    delete metadata[field];
  if (!owned) {
    delete metadata.managedFields;
    delete (metadata as unknown as Record<string, unknown>)["selfLink"];
  }
  // What the server itself adds from here on belongs to nobody, so the owners are written down first.
  object = kind.applyDefaults(object);
  if (object.metadata === metadata) object = { ...object, metadata: { ...metadata } };
  if (!owned) {
    setManagedFields(
      object,
      updateManagedFields({
        after: object,
        manager: context.manager,
        schema: kind.schema,
        now,
        ignore: strategy.resetFields(kind, undefined),
      }),
    );
  }
  if (kind.builtin) emptyAsNull(kind, object);
  if (kind.namespaced) checkNamespace(store, kind, object);
  dropRepeatedOwners(object.metadata, context);
  restrictNode(context.principal, "create", kind, metadata.name, { object });
  if (kind.collection === "/pods") completePod(parts, kind, object);
  if (kind.collection === "/nodes") taintNewNode(object);
  if (kind.collection === "scheduling.k8s.io/priorityclasses") admitPriorityClass(store, kind, object);
  strategy.protect(kind, object);
  fillSystemMetadata(parts, kind, object.metadata, now);
  strategy.prepareCreate(kind, object, context.warn);
  if (kind.collection === "/services") addresses.assign(kind, object, undefined, context.dryRun);
  if (kind.collection === CERTIFICATE_REQUESTS) stampRequester(object, context.principal);
  checkEscalation(access, context.principal, kind, object, undefined);
  const errors = validated(kind, object, context);
  if (errors.length > 0) throw status.invalid(kindInErrors(kind), object.metadata.name ?? "", errors);
  if (kind.collection === CERTIFICATE_REQUESTS)
    admitRequest(access, context.principal, kind, object, undefined, undefined);
  // A dry run never comes to the storage, which is what looks at the revision.
  if (resourceVersion && context.dryRun) object.metadata.resourceVersion = resourceVersion;
  else if (resourceVersion && resourceVersion !== "0") throw revisionAtCreate();
  if (kind.collection === CRDS) object["status"] = crdStatus(object, store, now);
  return object;
}

function validated(kind: ServedKind, object: KubeObject, context: WriteContext): readonly FieldError[] {
  const errors = kind.validate(object, undefined, undefined, context.warn);
  return kind.collection === CERTIFICATE_REQUESTS ? [...requestErrors(object), ...errors] : errors;
}

/** Once its writer owns it, an empty list is as good as none. */
function emptyAsNull({ schema }: ServedKind, object: KubeObject): void {
  for (const key of [...(schema.zeroShown ?? []), ...(schema.nullShown ?? [])]) {
    if (Array.isArray(object[key]) && object[key].length === 0) object[key] = null;
  }
}

/** Owners that are named twice count once. */
function dropRepeatedOwners(metadata: KubeObject["metadata"], { warn }: WriteContext): void {
  const owners = metadata.ownerReferences ?? [];
  const seen = new Set<string>();
  const repeated = new Set<string>();
  for (const { uid } of owners) (seen.has(uid) ? repeated : seen).add(uid);
  if (repeated.size === 0) return;
  seen.clear();
  metadata.ownerReferences = owners.filter(({ uid }) => !seen.has(uid) && seen.add(uid));
  warn(
    `.metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: ${[...repeated].join(", ")}`,
  );
}

function fillSystemMetadata(
  { store, random }: Parts,
  kind: ServedKind,
  metadata: KubeObject["metadata"],
  now: string,
): void {
  delete metadata.deletionTimestamp;
  delete metadata.deletionGracePeriodSeconds;
  if (kind.builtin?.hasGeneration ?? true) delete metadata.generation;
  metadata.uid = uuid(random);
  metadata.creationTimestamp = now;
  if (strategy.startsWithGeneration(kind)) metadata.generation = 1;
  if (metadata.name || !metadata.generateName) return;
  // Nothing can be added to an address.
  if (kind.collection === "networking.k8s.io/ipaddresses") {
    metadata.name = metadata.generateName;
    return;
  }
  do metadata.name = generatedName(metadata.generateName, random);
  while (store.get(kind.collection, metadata.namespace, metadata.name));
}

/** A view of another group's kind is called by that in what is wrong with it. */
const kindInErrors = (kind: ServedKind): Pick<ServedKind, "group" | "kind"> =>
  kind.collection === "/events" ? { group: "", kind: "Event" } : kind;

/** The real server's storage refuses this with a Status that has nothing but a message. */
const revisionAtCreate = () =>
  new KubeApiError({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message: "resourceVersion should not be set on objects to be created",
    code: 500,
  });

export async function commitCreate(
  parts: Parts,
  kind: ServedKind,
  object: KubeObject,
  context: WriteContext,
): Promise<KubeObject> {
  const { store } = parts;
  const { namespace, name } = object.metadata;
  if (store.get(kind.collection, namespace, name)) throw status.alreadyExists(kind, name);
  checkSize(object);
  if (context.dryRun) return inVersion(kind, toStored(kind, object));
  const stored = store.put(kind.collection, toStored(kind, object));
  if (kind.collection === "/namespaces") giveNamespaceDefaults(parts, name);
  await store.settled();
  return inVersion(kind, stored);
}

/** Replaces from a body (PUT); some kinds are created by it. */
export async function update(
  parts: Parts,
  target: Target,
  body: unknown,
  context: WriteContext,
): Promise<{ object: KubeObject; created: boolean }> {
  const { kind, name, namespace } = target;
  const object = decodeBody(kind, body, context);
  checkIdentity(target, object);
  const old = current(parts, target);
  if (!old) {
    if (!strategy.createsOnUpdate(kind) || target.subresource) throw status.notFound(kind, name);
    checkMayCreate(parts, target, context);
    const admitted = admitCreate(parts, kind, namespace, object, context);
    return { object: await commitCreate(parts, kind, admitted, context), created: true };
  }
  return { object: await commitUpdate(parts, target, object, old, context), created: false };
}

/** A write that turns out to create needs the right to do so, too. */
export function checkMayCreate({ access }: Parts, { kind, namespace, name }: Target, context: WriteContext): void {
  const { group, resource } = kind;
  access.check(context.principal, { verb: "create", group, resource, name, ...(namespace ? { namespace } : {}) });
}

export function current({ store }: Parts, { kind, namespace, name }: Target): KubeObject | undefined {
  const found = store.get(kind.collection, kind.namespaced ? namespace : undefined, name);
  return found && inVersion(kind, found);
}

export function checkIdentity({ namespace, name, kind }: Target, object: KubeObject): void {
  const given = object.metadata;
  if (!given.name) {
    throw status.badRequest(`the name of the object (${name} based on URL) was undeterminable: name must be provided`);
  }
  if (given.name !== name) {
    throw status.badRequest(`the name of the object (${given.name}) does not match the name on the URL (${name})`);
  }
  // A namespace that is no text at all is refused with the other types.
  if (kind.namespaced && given.namespace && typeof given.namespace === "string" && given.namespace !== namespace) {
    throw status.badRequest("the namespace of the provided object does not match the namespace sent on the request");
  }
}

/** From the new form of an object to the stored one, with everything a client may not change put back. */
export async function commitUpdate(
  parts: Parts,
  target: Target,
  wanted: KubeObject,
  old: KubeObject,
  context: WriteContext,
  owned = false,
): Promise<KubeObject> {
  const { store, clock, addresses, access } = parts;
  const { kind, name, subresource } = target;
  const version = wanted.metadata.resourceVersion;
  if (version && !/^\d+$/.test(version)) {
    throw status.bare(`strconv.ParseUint: parsing ${JSON.stringify(version)}: invalid syntax`);
  }
  if (wanted.metadata.uid && wanted.metadata.uid !== old.metadata.uid) throw otherUid(target, wanted, old);
  if ((!version || version === "0") && strategy.needsResourceVersion(kind)) throw revisionMissing(kind, name);
  if (version && version !== "0" && version !== old.metadata.resourceVersion) {
    throw status.conflict(kind, name, status.MODIFIED);
  }
  const now = timestamp(clock.now());
  const defaulted = kind.applyDefaults(wanted);
  const managedFields = owned
    ? defaulted.metadata.managedFields
    : updateManagedFields({
        before: old,
        after: carriedOver(
          isPart(subresource) ? strategy.prepareUpdate(kind, defaulted, old, subresource) : defaulted,
          old,
        ),
        manager: context.manager,
        schema: kind.schema,
        now,
        ignore: strategy.resetFields(kind, subresource),
        ...(subresource ? { subresource } : {}),
        ...(subresource === "scale" ? { apiVersion: "autoscaling/v1" } : {}),
      });
  let next =
    kind.collection === CERTIFICATE_REQUESTS
      ? changedRequest(defaulted, old, subresource, now)
      : strategy.prepareUpdate(kind, defaulted, old, subresource);
  if (next === defaulted || next.metadata === defaulted.metadata) next = { ...next, metadata: { ...next.metadata } };
  carryOver(next, old);
  dropRepeatedOwners(next.metadata, context);
  setManagedFields(next, managedFields);
  if (kind.builtin) emptyAsNull(kind, next);
  if (kind.collection === "/services" && !subresource) addresses.assign(kind, next, old, context.dryRun);
  checkEscalation(access, context.principal, kind, next, old);
  restrictNode(context.principal, "update", kind, name, { object: next, old, subresource });
  const errors = kind.validate(next, old, subresource, context.warn);
  if (errors.length > 0) throw status.invalid(kindInErrors(kind), name, errors);
  if (kind.collection === CERTIFICATE_REQUESTS) admitRequest(access, context.principal, kind, next, old, subresource);
  if (subresource !== "status" && strategy.bumpsGeneration(kind, next, old)) {
    next.metadata.generation = (old.metadata.generation ?? 0) + 1;
    if (subresource === "resize") admitResize(store, kind, next);
  }
  if (kind.collection === CRDS && !subresource) next["status"] = crdStatus(next, store, now);
  if (sameExceptManagedFieldsTimes(next, old)) return old;
  checkSize(next);
  if (context.dryRun) return inVersion(kind, toStored(kind, next));
  if (isFinished(kind, next)) {
    const last = store.remove(kind.collection, toStored(kind, next));
    await store.settled();
    return inVersion(kind, last);
  }
  const stored = store.put(kind.collection, toStored(kind, next));
  await store.settled();
  return inVersion(kind, stored);
}

/** True when nothing keeps an object that is being deleted. */
export function isFinished(kind: ServedKind, object: KubeObject): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds, finalizers } = object.metadata;
  if (deletionTimestamp === undefined || finalizers?.length) return false;
  if (kind.collection === "/namespaces" && object["spec"]?.finalizers?.length) return false;
  return !deletionGracePeriodSeconds;
}

/** A PUT names the object it means; a patch would change what cannot change. */
function otherUid({ kind, name, namespace, patched }: Target, wanted: KubeObject, old: KubeObject): Error {
  const { uid } = wanted.metadata;
  if (patched) {
    const error = status.fieldError(
      "metadata.uid",
      "FieldValueInvalid",
      `Invalid value: ${JSON.stringify(uid)}: field is immutable`,
    );
    return status.invalid(kind, name, [error, error]);
  }
  const key = ["/registry", ...(kind.crd ? [kind.group] : []), kind.resource, ...(namespace ? [namespace] : []), name];
  return status.conflict(
    kind,
    name,
    `StorageError: invalid object, Code: 4, Key: ${key.join("/")}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: ${uid}, UID in object meta: ${old.metadata.uid}`,
  );
}

const revisionMissing = (kind: ServedKind, name: string) =>
  status.invalid(kind.crd ? { group: kind.group, kind: kind.resource } : kind, name, [
    status.fieldError(
      "metadata.resourceVersion",
      "FieldValueInvalid",
      "Invalid value: 0: must be specified for an update",
    ),
  ]);

/** Who writes a part of a pod owns nothing beyond that part, whatever else was sent along. */
const isPart = (subresource: string | undefined): boolean =>
  subresource === "resize" || subresource === "ephemeralcontainers";

/** The wanted object with what the writer cannot change, for the question who changed what. */
function carriedOver(wanted: KubeObject, old: KubeObject): KubeObject {
  const next = { ...wanted, metadata: { ...wanted.metadata } };
  carryOver(next, old);
  return next;
}

function carryOver(next: KubeObject, old: KubeObject): void {
  const { metadata } = next;
  for (const field of [
    "uid",
    "creationTimestamp",
    "generation",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "resourceVersion",
    "namespace",
    "generateName",
  ] as const) {
    if (old.metadata[field] === undefined) delete metadata[field];
    else Object.assign(metadata, { [field]: old.metadata[field] });
  }
  if (metadata.managedFields === undefined && old.metadata.managedFields) {
    metadata.managedFields = old.metadata.managedFields;
  }
  delete (metadata as unknown as Record<string, unknown>)["selfLink"];
}

export function setManagedFields(object: KubeObject, entries: KubeObject["metadata"]["managedFields"]): void {
  if (entries?.length) object.metadata.managedFields = entries;
  else delete object.metadata.managedFields;
}

function checkSize(object: KubeObject): void {
  const size = roughSize(object);
  if (size > limits.kubeObjectBytes) {
    throw statusError(
      413,
      "RequestEntityTooLarge",
      `${object.kind} "${object.metadata.name}" has about ${size} bytes; the limit is ${limits.kubeObjectBytes}`,
    );
  }
}

/** Length of the JSON text, about: without making it, because the revision is not in the object yet. */
function roughSize(value: unknown): number {
  if (typeof value === "string") return value.length + 2;
  if (value === null || typeof value !== "object") return 8;
  let size = 2;
  if (Array.isArray(value)) for (const item of value) size += roughSize(item) + 1;
  else for (const key in value) size += key.length + 4 + roughSize((value as Record<string, unknown>)[key]);
  return size;
}

/** A change the server itself makes to a stored object, outside of any request. */
export function rewrite(parts: Parts, kind: ServedKind, object: KubeObject, change: (draft: KubeObject) => void): void {
  const { store } = parts;
  const found = store.get(kind.collection, object.metadata.namespace, object.metadata.name);
  if (!found || found.metadata.uid !== object.metadata.uid) return;
  const draft: KubeObject = { ...found, metadata: { ...found.metadata } };
  change(draft);
  if (isFinished(kind, draft)) store.remove(kind.collection, draft);
  else store.put(kind.collection, draft);
}
