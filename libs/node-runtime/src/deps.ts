import type { Spawner } from "@tiphys/child-process";
import type { Clock } from "@tiphys/clock";
import type { RandomBytes } from "@tiphys/identity";
import type { Informers, KubeClient } from "@tiphys/kube";
import type { KubeObject } from "@tiphys/resources";
import type { Logger, Metrics } from "@tiphys/telemetry";
import type { Cgroups } from "./cgroups.js";
import type { FifoSupply } from "./fifo-supply.js";
import type { Accounts } from "./identity.js";
import type { ImageManager, PullSettings } from "./image-manager.js";
import type { ImageTable } from "./images.js";
import type { ObjectWatch } from "./object-watch.js";
import type { NodeSize } from "./resize.js";
import type { SandboxKind } from "./sandbox.js";
import type { VolumeSources } from "./volume-content.js";

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
  /**
   * Programs of the host stand for well-known images (the default table). Who may create pods may run them, so a node of
   * an API server beyond this machine says false.
   */
  readonly hostPrograms?: boolean;
  /** Where images come from that the table has not; without it they are not pulled. */
  readonly pull?: PullSettings;
  /**
   * How pods run that do not say (annotation `tiphys.dev/node-mode`): with this node's short-cuts ("fast", the default),
   * or "literal", as on any kubelet.
   */
  readonly mode?: "fast" | "literal";
  /** Host folders that pods may mount as `hostPath`, with all that is below them; none by default. */
  readonly hostPaths?: readonly string[];
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
  /** "auto" (the default) is bubblewrap where it works, else unshare, else plain processes. */
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
  /** What this machine has, and what the pods of the node other than this one ask for. */
  readonly size: NodeSize;
  readonly requestedBesides: (uid: string) => NodeSize;
  readonly images: ImageManager;
  readonly objects: ObjectWatch;
  /** Pipes for the outputs of containers. */
  readonly fifos: FifoSupply;
  /** Absent where this process cannot limit others. */
  readonly cgroups?: Cgroups;
  /** Absent where this process cannot become other users. */
  readonly identityTools?: string;
  /** True when roots of images can be overlays here. */
  readonly overlay: () => Promise<boolean>;
  /** The host's users and groups. */
  readonly accounts: () => Promise<Accounts>;
  readonly sources: (pod: KubeObject) => VolumeSources;
  readonly event: (pod: KubeObject, type: "Normal" | "Warning", reason: string, message: string) => void;
}
