import { clone } from "@tiphys/canonical-json";
import { type Clock, sleep } from "@tiphys/clock";
import { BOOKKEEPING_ANNOTATIONS, keepIgnored } from "@tiphys/diff";
import { NotFoundError } from "@tiphys/errors";
import { type Change, changeAnnotations } from "@tiphys/identity";
import { isNotFound, type KubeClient } from "@tiphys/kube";
import { type IgnoreDifference, type KubeObject, keyOf, type ResourceType } from "@tiphys/resources";
import type { SyncStep } from "@tiphys/sync";
import type { LiveState } from "./live-state.js";
import type { DeliveryAction, DeliveryFact } from "./state.js";
import { FIELD_MANAGER } from "./tracking.js";

const ESTABLISH_TRIES = 60;
const ESTABLISH_PAUSE = 50;

export interface ApplyDeps {
  readonly client: KubeClient;
  readonly live: LiveState;
  readonly clock: Clock;
}

/** The manifest as it is sent: with the change it belongs to, or the bookkeeping it has already. */
export function applied(
  object: KubeObject,
  live: KubeObject | undefined,
  change: Change | undefined,
  keep: readonly IgnoreDifference[],
): KubeObject {
  const body = keep.length > 0 && live ? keepIgnored(object, live, keep) : clone(object);
  const bookkeeping: Record<string, string> = change ? changeAnnotations(change) : {};
  if (!change) {
    for (const name of BOOKKEEPING_ANNOTATIONS) {
      const value = live?.metadata.annotations?.[name];
      if (value !== undefined) bookkeeping[name] = value;
    }
  }
  const annotations = { ...body.metadata.annotations, ...bookkeeping };
  return { ...body, metadata: { ...body.metadata, ...(Object.keys(annotations).length > 0 ? { annotations } : {}) } };
}

/** The type of a kind, waiting a little for a definition that was applied just before. */
async function establishedType(
  object: KubeObject,
  { live, clock }: ApplyDeps,
  signal: AbortSignal,
): Promise<ResourceType> {
  for (let tries = 0; ; tries++) {
    const type = await live.typeOf(object.apiVersion, object.kind);
    if (type) return type;
    if (tries >= ESTABLISH_TRIES) {
      throw new NotFoundError(
        `the server has no kind ${object.kind} in ${object.apiVersion}: install its CustomResourceDefinition`,
      );
    }
    await sleep(clock, ESTABLISH_PAUSE, signal);
  }
}

/** Makes one write of a sync; safe to repeat. */
export async function act(
  { step, change, keep }: DeliveryAction,
  deps: ApplyDeps,
  signal: AbortSignal,
): Promise<DeliveryFact> {
  const { object } = step;
  const type = await establishedType(object, deps, signal);
  const key = keyOf(object);
  const informer = await deps.live.watch(type);
  if (step.type === "delete") {
    const { uid } = object.metadata;
    try {
      await deps.client.delete(type, key, {
        propagation: step.propagation,
        ...(uid ? { preconditions: { uid } } : {}),
        signal,
      });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    const left = informer.get(key);
    return left && left.metadata.uid === uid ? { live: left } : {};
  }
  return { live: await write(step, type, step.changes ? change : undefined, keep, deps, signal) };
}

async function write(
  step: Extract<SyncStep, { type: "apply" }>,
  type: ResourceType,
  change: Change | undefined,
  keep: readonly IgnoreDifference[],
  { client }: ApplyDeps,
  signal: AbortSignal,
): Promise<KubeObject> {
  const { live } = step.task;
  const body = applied(step.object, live, change, keep);
  const fieldValidation = step.validate ? "Strict" : "Ignore";
  if (step.replace) {
    const options = { fieldManager: FIELD_MANAGER, fieldValidation, signal } as const;
    if (!live) return client.create(type, body, options);
    const { resourceVersion } = live.metadata;
    return client.replace(
      type,
      { ...body, metadata: { ...body.metadata, ...(resourceVersion ? { resourceVersion } : {}) } },
      options,
    );
  }
  // An object that is as wanted, and ours, needs no write.
  const ours = live?.metadata.managedFields?.some(
    (entry) => entry.manager === FIELD_MANAGER && entry.operation === "Apply",
  );
  if (live && !step.changes && ours) return live;
  return client.patch(
    type,
    keyOf(body),
    { type: "apply", body },
    { fieldManager: FIELD_MANAGER, force: true, fieldValidation, signal },
  );
}
