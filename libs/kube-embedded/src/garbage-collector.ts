import type { Clock } from "@tiphys/clock";
import { messageOf } from "@tiphys/errors";
import { groupVersionOf, type KubeObject, type OwnerReference } from "@tiphys/resources";
import { removeNow } from "./api/deletes.js";
import { timestamp } from "./api/names.js";
import type { Parts, WriteContext } from "./api/parts.js";
import { create, rewrite } from "./api/writes.js";
import type { Change } from "./store/store.js";

interface Place {
  readonly collection: string;
  readonly namespace: string | undefined;
  readonly name: string;
}

/** Warnings about owners in other namespaces; each pair gets one. */
const MOST_TOLD = 1000;
/** Objects handled before the event loop gets a turn. */
const SLICE = 100;

/**
 * Removes what its owners leave behind: in the background, in the foreground (owners wait for their dependents) or not
 * at all (orphans lose the reference). Driven by the store's changes; a full look at start makes it safe to crash.
 */
export class GarbageCollector {
  private readonly places = new Map<string, Place>();
  /** Owner's uid → uids of its dependents. */
  private readonly dependents = new Map<string, Set<string>>();
  private readonly queue = new Set<string>();
  private readonly told = new Set<string>();
  private working: Promise<void> | undefined;
  private stopped = false;
  private readonly unobserve: () => void;

  constructor(
    private readonly parts: Parts,
    private readonly clock: Clock,
  ) {
    for (const { collection, object } of parts.store.all()) this.enter(collection, object);
    this.unobserve = parts.store.observe((change) => this.changed(change));
    for (const uid of this.places.keys()) this.queue.add(uid);
    this.wake();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.unobserve();
    await this.working;
  }

  private changed({ type, collection, object, previous }: Change): void {
    const uid = object.metadata.uid ?? "";
    if (type === "DELETED") {
      this.places.delete(uid);
      for (const owner of object.metadata.ownerReferences ?? previous?.metadata.ownerReferences ?? []) {
        this.forget(owner.uid, uid);
        // An owner that waits for its dependents may go now.
        this.queue.add(owner.uid);
      }
      for (const dependent of this.dependents.get(uid) ?? []) this.queue.add(dependent);
    } else {
      for (const owner of previous?.metadata.ownerReferences ?? []) this.forget(owner.uid, uid);
      this.enter(collection, object);
      const { ownerReferences, deletionTimestamp } = object.metadata;
      if (ownerReferences?.length || deletionTimestamp) this.queue.add(uid);
    }
    if (this.queue.size > 0) this.wake();
  }

  private enter(collection: string, object: KubeObject): void {
    const { uid = "", namespace, name, ownerReferences } = object.metadata;
    if (!this.places.has(uid)) this.places.set(uid, { collection, namespace, name });
    for (const owner of ownerReferences ?? []) {
      let known = this.dependents.get(owner.uid);
      if (!known) {
        known = new Set();
        this.dependents.set(owner.uid, known);
      }
      known.add(uid);
    }
  }

  private forget(owner: string, dependent: string): void {
    const known = this.dependents.get(owner);
    known?.delete(dependent);
    if (known?.size === 0) this.dependents.delete(owner);
  }

  private wake(): void {
    if (this.working || this.stopped) return;
    this.working = this.clock.track(this.run()).finally(() => {
      this.working = undefined;
      if (this.queue.size > 0) this.wake();
    });
  }

  private async run(): Promise<void> {
    await new Promise<void>((resolve) => setImmediate(resolve));
    let count = 0;
    for (const uid of this.queue) {
      if (this.stopped) return;
      this.queue.delete(uid);
      try {
        this.look(uid);
      } catch (error) {
        this.parts.log.warn("garbage collection of an object failed", { uid, error: messageOf(error) });
      }
      if (++count % SLICE === 0) await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }

  private objectOf(uid: string): KubeObject | undefined {
    const place = this.places.get(uid);
    if (!place) return undefined;
    const found = this.parts.store.get(place.collection, place.namespace, place.name);
    return found?.metadata.uid === uid ? found : undefined;
  }

  private look(uid: string): void {
    const object = this.objectOf(uid);
    const place = this.places.get(uid);
    if (!object || !place) return;
    const { deletionTimestamp, finalizers, ownerReferences } = object.metadata;
    if (deletionTimestamp) {
      if (finalizers?.includes("orphan")) this.orphan(place, object);
      else if (finalizers?.includes("foregroundDeletion")) this.foreground(place, object);
    } else if (ownerReferences?.length) this.collect(place, object, ownerReferences);
  }

  private collect(place: Place, object: KubeObject, owners: readonly OwnerReference[]): void {
    const states = owners.map((owner) => ({ owner, state: this.stateOf(owner, object) }));
    for (const { owner, state } of states) if (state === "misplaced") this.tell(object, owner);
    const solid = states.filter(({ state }) => state === "solid" || state === "unknown").map(({ owner }) => owner);
    if (solid.length === owners.length) return;
    if (solid.length > 0) {
      // Owners that are gone, or wait for this to go, are no owners beside one that stays.
      this.edit(place, object, (draft) => {
        draft.metadata.ownerReferences = solid;
      });
      return;
    }
    const waiting = states.some(({ state }) => state === "waiting");
    const foreground = waiting && this.dependents.has(object.metadata.uid ?? "");
    const asked = object.metadata.finalizers ?? [];
    const before = asked.includes("orphan")
      ? "Orphan"
      : asked.includes("foregroundDeletion")
        ? "Foreground"
        : "Background";
    this.remove(place, object, foreground ? "Foreground" : before);
  }

  /**
   * `waiting`: it is deleted in the foreground; `misplaced`: it lives in another namespace, which is as good as absent;
   * `unknown`: of a kind that nobody knows here, so nothing can be said.
   */
  private stateOf(
    owner: OwnerReference,
    dependent: KubeObject,
  ): "solid" | "waiting" | "absent" | "misplaced" | "unknown" {
    const { group, version } = groupVersionOf(owner.apiVersion);
    const kind = this.parts.kinds.byKind(group, version, owner.kind);
    if (!kind) return "unknown";
    const { namespace } = dependent.metadata;
    if (kind.namespaced && namespace === undefined) {
      this.tell(dependent, owner);
      return "unknown";
    }
    const place = this.places.get(owner.uid);
    if (!place || place.name !== owner.name || place.collection !== kind.collection) return "absent";
    if (kind.namespaced && place.namespace !== namespace) return "misplaced";
    return this.waitsForDependents(owner.uid) ? "waiting" : "solid";
  }

  /** Says to the user that an owner in another namespace owns nothing. */
  private tell(dependent: KubeObject, owner: OwnerReference): void {
    const { parts } = this;
    const { namespace = "", name, uid = "" } = dependent.metadata;
    const told = `${uid} ${owner.uid}`;
    const events = parts.kinds.find("", "v1", "events");
    if (!events || this.told.has(told) || this.told.size >= MOST_TOLD) return;
    this.told.add(told);
    const where = namespace || "default";
    const now = timestamp(parts.clock.now());
    const event = {
      apiVersion: "v1",
      kind: "Event",
      metadata: { name: `${name.slice(0, 200)}.${Buffer.from(parts.random(8)).toString("hex")}`, namespace: where },
      involvedObject: {
        apiVersion: dependent.apiVersion,
        kind: dependent.kind,
        name,
        uid,
        ...(namespace ? { namespace } : {}),
      },
      type: "Warning",
      reason: "OwnerRefInvalidNamespace",
      message: `ownerRef [${owner.apiVersion}/${owner.kind}, namespace: ${namespace}, name: ${owner.name}, uid: ${owner.uid}] does not exist in namespace "${namespace}"`,
      source: { component: "garbage-collector-controller" },
      reportingComponent: "garbage-collector-controller",
      reportingInstance: "",
      firstTimestamp: now,
      lastTimestamp: now,
      count: 1,
    };
    const context: WriteContext = {
      principal: { username: "system:serviceaccount:kube-system:generic-garbage-collector", groups: [] },
      manager: "kube-controller-manager",
      fieldValidation: "Ignore",
      dryRun: false,
      warn: () => {},
    };
    void this.clock
      .track(create(parts, events, where, event, context))
      .catch((error: unknown) =>
        parts.log.debug("event of the garbage collector not written", { error: messageOf(error) }),
      );
  }

  private waitsForDependents(uid: string): boolean {
    const owner = this.objectOf(uid);
    return Boolean(owner?.metadata.deletionTimestamp && owner.metadata.finalizers?.includes("foregroundDeletion"));
  }

  private foreground(place: Place, owner: KubeObject): void {
    let blocked = false;
    for (const uid of this.dependents.get(owner.metadata.uid ?? "") ?? []) {
      const dependent = this.objectOf(uid);
      if (!dependent) continue;
      const reference = dependent.metadata.ownerReferences?.find((other) => other.uid === owner.metadata.uid);
      if (reference?.blockOwnerDeletion) blocked = true;
      if (!dependent.metadata.deletionTimestamp) this.queue.add(uid);
    }
    if (!blocked) this.dropFinalizer(place, owner, "foregroundDeletion");
  }

  private orphan(place: Place, owner: KubeObject): void {
    for (const uid of [...(this.dependents.get(owner.metadata.uid ?? "") ?? [])]) {
      const dependent = this.objectOf(uid);
      const at = this.places.get(uid);
      if (!dependent || !at) continue;
      this.edit(at, dependent, (draft) => {
        const rest = draft.metadata.ownerReferences?.filter((other) => other.uid !== owner.metadata.uid) ?? [];
        if (rest.length > 0) draft.metadata.ownerReferences = rest;
        else delete draft.metadata.ownerReferences;
      });
    }
    this.dropFinalizer(place, owner, "orphan");
  }

  private dropFinalizer(place: Place, object: KubeObject, finalizer: string): void {
    this.edit(place, object, (draft) => {
      const rest = draft.metadata.finalizers?.filter((name) => name !== finalizer) ?? [];
      if (rest.length > 0) draft.metadata.finalizers = rest;
      else delete draft.metadata.finalizers;
    });
  }

  private edit({ collection }: Place, object: KubeObject, change: (draft: KubeObject) => void): void {
    const kind = this.parts.kinds.ofCollection(collection);
    if (kind) rewrite(this.parts, kind, object, change);
  }

  private remove(
    { collection, namespace, name }: Place,
    object: KubeObject,
    propagation: "Foreground" | "Background" | "Orphan",
  ): void {
    const kind = this.parts.kinds.ofCollection(collection);
    if (!kind) return;
    const { uid } = object.metadata;
    removeNow(
      this.parts,
      { kind, name, ...(namespace === undefined ? {} : { namespace }) },
      { propagation, ...(uid ? { preconditions: { uid } } : {}) },
    );
  }
}
