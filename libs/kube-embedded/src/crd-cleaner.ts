import type { Clock } from "@tiphys/clock";
import { messageOf } from "@tiphys/errors";
import type { KubeObject } from "@tiphys/resources";
import { CLEANUP_FINALIZER, CRDS } from "./api/crds.js";
import { removeNow } from "./api/deletes.js";
import { servedCustom } from "./api/kinds.js";
import type { Parts } from "./api/parts.js";
import { rewrite } from "./api/writes.js";

/** When a CustomResourceDefinition is deleted, deletes its objects first, then lets it go. */
export class CrdCleaner {
  private readonly deleting = new Set<string>();
  private working: Promise<void> | undefined;
  private again = false;
  private stopped = false;
  private readonly unobserve: () => void;

  constructor(
    private readonly parts: Parts,
    private readonly clock: Clock,
  ) {
    for (const key of parts.store.keys(CRDS)) this.note(parts.store.byKey(CRDS, key));
    this.unobserve = parts.store.observe(({ collection, type, object }) => {
      if (collection === CRDS) {
        if (type === "DELETED") this.deleting.delete(object.metadata.name);
        else this.note(object);
      } else if (this.deleting.size === 0 || type !== "DELETED") return;
      this.wake();
    });
    this.wake();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.unobserve();
    await this.working;
  }

  private note(crd: KubeObject | undefined): void {
    if (crd?.metadata.deletionTimestamp) this.deleting.add(crd.metadata.name);
  }

  private wake(): void {
    if (this.deleting.size === 0 || this.stopped) return;
    if (this.working) {
      this.again = true;
      return;
    }
    this.again = false;
    this.working = this.clock.track(this.run()).finally(() => {
      this.working = undefined;
      if (this.again) this.wake();
    });
  }

  private async run(): Promise<void> {
    await new Promise<void>((resolve) => setImmediate(resolve));
    for (const name of [...this.deleting]) {
      try {
        this.clean(name);
      } catch (error) {
        this.parts.log.warn("objects of a deleted definition remain", { definition: name, error: messageOf(error) });
      }
    }
  }

  private clean(name: string): void {
    const { store, kinds } = this.parts;
    const crd = store.get(CRDS, undefined, name);
    const definition = kinds.ofCollection(CRDS);
    if (!crd?.metadata.finalizers?.includes(CLEANUP_FINALIZER) || !definition) return;
    const version = crd["spec"].versions.find((one: { storage: boolean }) => one.storage);
    const kind = servedCustom(crd, version);
    for (const key of [...store.keys(kind.collection)]) {
      const object = store.byKey(kind.collection, key);
      if (!object || object.metadata.deletionTimestamp) continue;
      const { namespace, name: objectName } = object.metadata;
      removeNow(this.parts, { kind, name: objectName, ...(namespace === undefined ? {} : { namespace }) }, {});
    }
    if (store.keys(kind.collection).length > 0) return;
    rewrite(this.parts, definition, crd, (draft) => {
      const rest = draft.metadata.finalizers?.filter((finalizer) => finalizer !== CLEANUP_FINALIZER) ?? [];
      if (rest.length > 0) draft.metadata.finalizers = rest;
      else delete draft.metadata.finalizers;
    });
  }
}
