import type { KubeObject } from "../object.js";
import type { ApplicationDestination } from "./application.js";

/** Argo CD's AppProject, as far as our code reads it; the CRD has every field. */
export interface AppProject extends KubeObject {
  spec: AppProjectSpec;
}

export interface AppProjectSpec {
  description?: string;
  sourceRepos?: string[];
  destinations?: ApplicationDestination[];
  sourceNamespaces?: string[];
  clusterResourceWhitelist?: GroupKind[];
  clusterResourceBlacklist?: GroupKind[];
  namespaceResourceWhitelist?: GroupKind[];
  namespaceResourceBlacklist?: GroupKind[];
  roles?: Record<string, unknown>[];
  syncWindows?: Record<string, unknown>[];
  orphanedResources?: Record<string, unknown>;
  signatureKeys?: { keyID: string }[];
  sourceIntegrity?: {
    git?: {
      policies?: {
        repos?: { url?: string }[];
        gpg?: { mode?: string; keys?: string[] };
        ssh?: { mode?: string; signers?: string[] };
      }[];
    };
    helm?: unknown;
  };
  permitOnlyProjectScopedClusters?: boolean;
  destinationServiceAccounts?: Record<string, unknown>[];
}

export interface GroupKind {
  group: string;
  kind: string;
  /** Cluster-scoped items may name the object too, as a glob. */
  name?: string;
}
