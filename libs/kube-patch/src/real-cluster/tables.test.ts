import { builtinKinds } from "@tiphys/kube-schema";
import type { KubeObject } from "@tiphys/resources";
import { connectOracle, describeWith, realClusterKubeconfig } from "@tiphys/testing";

/** Cells that say how long ago something was: they change while the test runs. */
const isSpan = (cell: unknown): boolean => typeof cell === "string" && /^(\d+[smhdy])+$|^<unknown>$/.test(cell);

/** Kinds that nothing of ours acts on: they have the plain table. */
const plain = new Set(["ResourceQuota", "HorizontalPodAutoscaler"]);
const printed = builtinKinds.filter(({ verbs, kind }) => verbs.includes("list") && !plain.has(kind));

describeWith(["real-cluster"], "tables, compared with a real API server", () => {
  it.each(printed.map((kind) => ({ title: `${kind.group}/${kind.kind}`, kind })))(
    "$title has the same columns and rows",
    async ({ kind }) => {
      const oracle = connectOracle(realClusterKubeconfig()!);
      const path = `${kind.group === "" ? `/api/${kind.version}` : `/apis/${kind.group}/${kind.version}`}/${kind.resource}?limit=40`;
      const table = await oracle.request("GET", `${path}&as=Table`);
      const columns = table.body.columnDefinitions as Record<string, unknown>[];
      expect(kind.columns.map(({ name, type, format, priority }) => ({ name, type, format, priority }))).toEqual(
        columns.map(({ name, type, format, priority }) => ({ name, type, format, priority })),
      );
      const list = await oracle.request("GET", path);
      // Component statuses have no uid: their names tell them apart.
      const keyOf = ({ metadata }: Pick<KubeObject, "metadata">): string => metadata.uid ?? metadata.name;
      const stored = new Map<string, KubeObject>(
        (list.body.items ?? []).map((item: KubeObject) => [keyOf(item), item]),
      );
      const now = new Date();
      const timeless = (cells: readonly unknown[]) => cells.map((cell) => (isSpan(cell) ? "<span>" : cell));
      for (const row of table.body.rows ?? []) {
        const object = stored.get(keyOf(row.object));
        // Others use this server at the same time: an object that changed in between proves nothing.
        if (object?.metadata.resourceVersion !== row.object.metadata.resourceVersion) continue;
        expect(timeless(kind.row(object!, now))).toEqual(timeless(row.cells));
      }
    },
  );
});
