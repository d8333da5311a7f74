import { bootstrapPolicy, reconciled } from "@tiphys/kube-access";
import type { ServedKind } from "../api/kinds.js";
import type { Parts, WriteContext } from "../api/parts.js";
import { admitCreate, rewrite } from "../api/writes.js";

const CONTEXT: WriteContext = {
  principal: { username: "system:apiserver", groups: ["system:masters"] },
  manager: "kube-apiserver",
  fieldValidation: "Ignore",
  dryRun: false,
  warn: () => undefined,
};

/** Makes the roles and bindings that every cluster has, and gives those that were there back what they miss. */
export async function applyBootstrapPolicy(parts: Parts): Promise<void> {
  const { store, kinds } = parts;
  const byName = new Map<string, ServedKind | undefined>();
  for (const wanted of bootstrapPolicy()) {
    if (!byName.has(wanted.kind)) byName.set(wanted.kind, kinds.byKind("rbac.authorization.k8s.io", "v1", wanted.kind));
    const kind = byName.get(wanted.kind);
    if (!kind) continue;
    const { namespace, name } = wanted.metadata;
    const existing = store.get(kind.collection, namespace, name);
    if (!existing) {
      store.put(kind.collection, admitCreate(parts, kind, namespace, wanted, CONTEXT));
      continue;
    }
    const next = reconciled(existing, wanted);
    if (next) {
      rewrite(parts, kind, existing, (draft) => {
        for (const [field, value] of Object.entries(next)) if (field !== "metadata") draft[field] = value;
        if (next["aggregationRule"] === undefined) delete draft["aggregationRule"];
        Object.assign(draft.metadata, { labels: next.metadata.labels, annotations: next.metadata.annotations });
      });
    }
  }
  await store.settled();
}
