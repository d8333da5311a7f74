import type { Clock } from "@tiphys/clock";
import { messageOf } from "@tiphys/errors";
import type { KubeObject } from "@tiphys/resources";
import { CLEANUP_FINALIZER, CRDS } from "./api/crds.js";
import { removeNow } from "./api/deletes.js";
import { servedCustom } from "./api/kinds.js";
import type { Parts } from "./api/parts.js";
import { rewrite } from "./api/writes.js";
import { RepeatedWork } from "./repeated-work.js";

/** When a CustomResourceDefinition is deleted, deletes its objects first, then lets it go. */
export class CrdCleaner {
  private readonly deleting = new Set<string>();
  private readonly work: RepeatedWork;
  private readonly unobserve: () => void;

  constructor(
    private readonly parts: Parts,
    clock: Clock,
  ) {
    this.work = new RepeatedWork(clock, () => this.run());
    for (const key of parts.store.keys(CRDS)) this.note(parts.store.byKey(CRDS, key));
    this.unobserve = parts.store.observe(({ collection, type, object }) => {
      if (collection === CRDS) {
        if (type === "DELETED") this.deleting.delete(object.metadata.name);
        else this.note(object);
      } else if (type !== "DELETED") return;
      this.wake();
    });
    this.wake();
  }

  async stop(): Promise<void> {
    this.unobserve();
    await this.work.stop();
  }

  private wake(): void {
    if (this.deleting.size > 0) this.work.wake();
  }

  private note(crd: KubeObject | undefined): void {
    if (crd?.metadata.deletionTimestamp) this.deleting.add(crd.metadata.name);
  }

  private run(): void {
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
