import { join } from "node:path";

/** Most embedded clusters in one process. */
export const MOST_CLUSTERS = 9;

/** Name of the n-th cluster, the first of which is the one that the suite itself lives in. */
export const clusterName = (n: number): string => (n === 1 ? "in-cluster" : `cluster-${n}`);

/** Where a cluster keeps everything; undefined: that is no name of one. */
export function clusterFolder(data: string, name = clusterName(1)): string | undefined {
  if (name === clusterName(1)) return data;
  const [, n] = /^cluster-([2-9])$/.exec(name) ?? [];
  return n === undefined ? undefined : join(data, "clusters", name);
}
