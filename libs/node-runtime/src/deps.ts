import type { Spawner } from "@tiphys/child-process";
import type { Clock } from "@tiphys/clock";
import type { RandomBytes } from "@tiphys/identity";
import type { Informers, KubeClient } from "@tiphys/kube";
import type { KubeObject } from "@tiphys/resources";
import type { Logger, Metrics } from "@tiphys/telemetry";
import type { ImageTable } from "./images.js";
import type { SandboxKind } from "./sandbox.js";
import type { VolumeSources } from "./volumes.js";

export interface NodeRuntimeDeps {
  /** Acts as the kubelet of `nodeName`. */
  readonly client: KubeClient;
  readonly informers: Informers;
  readonly nodeName: string;
  /** Where pods, their logs and exit codes are kept; survives us. */
  readonly dir: string;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly spawner: Spawner;
  /** Asked before the default table. */
  readonly images?: ImageTable;
  /** Range of the pods' addresses; 10.244.0.0/16 by default. */
  readonly podCidr?: string;
  /** Environment of every container, such as the proxy's. */
  readonly podEnv?: (pod: KubeObject) => Readonly<Record<string, string>>;
  /** Where pods reach the API: KUBERNETES_SERVICE_HOST and _PORT. */
  readonly apiServer?: { readonly host: string; readonly port: number };
  /**
   * Serves logs, exec, attach and port forwarding for a real control plane, to the holder of a client certificate of
   * `clientCa` (PEM) with one of `clientNames` (the API server's usual name by default).
   */
  readonly kubeletPort?: {
    readonly port: number;
    readonly clientCa: string;
    readonly clientNames?: readonly string[];
  };
  /** "auto" (the default) is bubblewrap where it works. */
  readonly sandbox?: "auto" | SandboxKind;
  /**
   * What a graceful stop does to running pods: end them (the default), leave them for the next start to adopt, or end
   * those that the next start begins anew (restart policy Always) and leave those that run to an end of their own.
   */
  readonly onStop?: "kill" | "keep" | "keep-jobs";
  /** Taints that the node registers with. */
  readonly taints?: readonly { readonly key: string; readonly value?: string; readonly effect: string }[];
  /** Programs of the host that containers may run, as PATH; the usual folders and Node's own by default. */
  readonly path?: string;
  readonly node?: string;
}

/** What one pod's worker gets from its node. */
export interface PodContext {
  readonly deps: NodeRuntimeDeps;
  readonly client: KubeClient;
  readonly kind: SandboxKind;
  readonly bwrap: string;
  readonly node: string;
  readonly path: string;
  readonly hostIP: string;
  readonly images: ImageTable;
  readonly sources: (pod: KubeObject) => VolumeSources;
  readonly event: (pod: KubeObject, type: "Normal" | "Warning", reason: string, message: string) => void;
}
