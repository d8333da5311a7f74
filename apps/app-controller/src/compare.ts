import { compareObject, type Difference, type ListSchema } from "@tiphys/diff";
import { type Health, healthOf, worst } from "@tiphys/health";
import type { Application, HealthStatusCode, KubeObject, ResourceStatus, SyncStatusCode } from "@tiphys/resources";
import { groupVersionOf } from "@tiphys/resources";
import { type HookItem, isHook, resourceId, type SyncItem, syncWave } from "@tiphys/sync";
import type { Target } from "./targets.js";
import { FIELD_MANAGER, trackedBy } from "./tracking.js";

export interface ComparedItem extends SyncItem {
  readonly id: string;
  readonly differences: readonly Difference[];
}

/** An application's objects side by side. */
export interface Comparison {
  readonly items: readonly ComparedItem[];
  readonly hooks: readonly HookItem[];
  readonly resources: readonly ResourceStatus[];
  readonly sync: SyncStatusCode;
  readonly health: HealthStatusCode;
  /** Ids of objects that another application tracks, with its name. */
  readonly shared: ReadonlyMap<string, string>;
}

/** How a kind's lists are keyed, and whether its server leaves out zero values. */
export type SchemaSource = (object: KubeObject) => { schema?: ListSchema; builtin: boolean };

const NONE: readonly Difference[] = [];
const MISSING: readonly Difference[] = [{ path: ".", type: "missing" }];
/** Live and wanted objects are frozen and keep their identity, so a pair is compared once. */
const compared = new WeakMap<KubeObject, { desired: KubeObject; rules: string; differences: readonly Difference[] }>();

function differences(
  app: Application,
  desired: KubeObject,
  live: KubeObject,
  schemas: SchemaSource,
): readonly Difference[] {
  const ignore = app.spec.ignoreDifferences ?? [];
  const rules = ignore.length > 0 ? JSON.stringify(ignore) : "";
  const known = compared.get(live);
  if (known && known.desired === desired && known.rules === rules) return known.differences;
  const { schema, builtin } = schemas(desired);
  const found = compareObject({
    desired,
    live,
    manager: FIELD_MANAGER,
    dropsZeroValues: builtin,
    ignore,
    ...(schema ? { schema } : {}),
  });
  compared.set(live, { desired, rules, differences: found });
  return found;
}

const ignoresExtraneous = (object: KubeObject): boolean =>
  (object.metadata.annotations?.["argocd.argoproj.io/compare-options"] ?? "")
    .split(",")
    .some((each) => each.trim() === "IgnoreExtraneous");

/** Compares what is wanted with what lives. `live` holds every object of an id, tracked or not. */
export function compareApplication(
  app: Application,
  target: Target,
  live: ReadonlyMap<string, KubeObject>,
  schemas: SchemaSource,
): Comparison {
  const name = app.metadata.name;
  const items: ComparedItem[] = [];
  const hooks: HookItem[] = [];
  const shared = new Map<string, string>();
  const wanted = new Set<string>();
  if (target.ok) {
    for (const desired of target.objects) {
      const id = resourceId(desired);
      wanted.add(id);
      const there = live.get(id);
      const found = there ? differences(app, desired, there, schemas) : MISSING;
      const owner = there && trackedBy(there);
      if (owner && owner !== name) shared.set(id, owner);
      items.push({ id, desired, ...(there ? { live: there } : {}), outOfSync: found.length > 0, differences: found });
    }
    for (const desired of target.hooks) {
      const there = live.get(resourceId(desired));
      hooks.push({ desired, ...(there ? { live: there } : {}) });
    }
  }
  for (const [id, object] of live) {
    if (wanted.has(id) || isHook(object) || trackedBy(object) !== name) continue;
    items.push({ id, live: object, outOfSync: target.ok && !ignoresExtraneous(object), differences: NONE });
  }
  items.sort((a, b) => (a.id < b.id ? -1 : 1));
  const healths: HealthStatusCode[] = [];
  const resources = items.map((item) => {
    const health = itemHealth(item);
    // One missing object is what OutOfSync says; it does not make the others less healthy.
    if (health && item.live && !ignoresHealth(item)) healths.push(health.status);
    return resourceStatus(item, target.ok, health);
  });
  return {
    items,
    hooks,
    resources,
    sync: !target.ok ? "Unknown" : items.some((item) => item.outOfSync) ? "OutOfSync" : "Synced",
    health: items.length > 0 && items.every((item) => !item.live) ? "Missing" : worst(healths),
    shared,
  };
}

const ignoresHealth = (item: ComparedItem): boolean =>
  (item.desired ?? item.live)?.metadata.annotations?.["argocd.argoproj.io/ignore-healthcheck"] === "true";

function itemHealth(item: ComparedItem): Health | undefined {
  return item.live ? healthOf(item.live) : { status: "Missing" };
}

function resourceStatus(item: ComparedItem, known: boolean, health: Health | undefined): ResourceStatus {
  const object = item.desired ?? item.live;
  if (!object) throw new Error("an item without objects");
  const { group, version } = groupVersionOf(object.apiVersion);
  const wave = syncWave(object);
  return {
    ...(group ? { group } : {}),
    version,
    kind: object.kind,
    ...(object.metadata.namespace ? { namespace: object.metadata.namespace } : {}),
    name: object.metadata.name,
    status: !known ? "Unknown" : item.outOfSync ? "OutOfSync" : "Synced",
    ...(health ? { health: { status: health.status, ...(health.message ? { message: health.message } : {}) } } : {}),
    ...(known && !item.desired && item.outOfSync ? { requiresPruning: true } : {}),
    ...(wave !== 0 ? { syncWave: wave } : {}),
  };
}

/** Container images of the objects that live, sorted. */
export function imagesOf(items: readonly ComparedItem[]): string[] {
  const images = new Set<string>();
  for (const { live } of items) {
    const spec = live?.kind === "Pod" ? live["spec"] : live?.["spec"]?.template?.spec;
    for (const list of [spec?.initContainers, spec?.containers]) {
      if (!Array.isArray(list)) continue;
      for (const container of list) if (typeof container?.image === "string") images.add(container.image);
    }
  }
  return [...images].sort();
}
