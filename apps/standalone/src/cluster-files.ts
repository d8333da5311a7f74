import { join } from "node:path";
import { InvalidArgumentError } from "@tiphys/errors";
import { restoreStore, type SnapshotFacts, snapshotStore } from "@tiphys/kube-embedded";
import { clusterFolder } from "./cluster-folders.js";

// Snapshots of the embedded clusters in a data folder; the `tiphys` command loads this bundle.

export interface ClusterFileOptions {
  readonly data: string;
  /** Name of the cluster; absent: the first one. */
  readonly cluster?: string;
  readonly replace?: boolean;
}

const storeOf = ({ data, cluster }: ClusterFileOptions): string => {
  const folder = clusterFolder(data, cluster);
  if (!folder)
    throw new InvalidArgumentError("--cluster", `"${cluster}" is no name of a cluster: in-cluster, cluster-2, …`);
  return join(folder, "cluster");
};

/** Writes a cluster to one file, as of one revision; the suite may run meanwhile. */
export const snapshotCluster = (file: string, options: ClusterFileOptions): Promise<SnapshotFacts> =>
  snapshotStore(storeOf(options), file, { replace: options.replace ?? false });

/** Makes a cluster what a snapshot holds; the suite must not run. */
export const restoreCluster = (
  file: string,
  { now, ...options }: ClusterFileOptions & { readonly now: Date },
): Promise<SnapshotFacts & { readonly kept?: string }> =>
  restoreStore(file, storeOf(options), { replace: options.replace ?? false, now });
