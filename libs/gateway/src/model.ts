import type { KubeObject } from "@tiphys/resources";

export const GROUP = "gateway.networking.k8s.io";

// biome-ignore lint/suspicious/noExplicitAny: custom resources as the API gives them
export type Json = any;

/** Everything that decides how traffic goes, as the API has it now. */
export interface GatewayObjects {
  readonly classes: readonly KubeObject[];
  readonly gateways: readonly KubeObject[];
  readonly httpRoutes: readonly KubeObject[];
  readonly grants: readonly KubeObject[];
  readonly namespaceLabels: (name: string) => Readonly<Record<string, string>> | undefined;
  /** Ports of a Service, or undefined when it does not exist. */
  readonly servicePorts: (namespace: string, name: string) => readonly number[] | undefined;
  /** What is wrong with a Secret as a certificate; undefined when it is fine. */
  readonly certificateProblem: (namespace: string, name: string) => string | undefined;
  /** Why a listener's port cannot be served here; undefined when it is. */
  readonly portProblem: (protocol: "HTTP" | "HTTPS", port: number) => string | undefined;
}

/** A condition without its time. */
export interface Condition {
  readonly type: string;
  readonly status: "True" | "False";
  readonly reason: string;
  readonly message: string;
}

export const condition = (type: string, isTrue: boolean, reason: string, message = ""): Condition => ({
  type,
  status: isTrue ? "True" : "False",
  reason,
  message,
});

export interface Reference {
  readonly namespace: string;
  readonly name: string;
}

/** A listener that takes requests, with the rules of the routes attached to it, the first fitting one first. */
export interface ServedListener {
  /** `namespace/name/listener`. */
  readonly key: string;
  readonly protocol: "HTTP" | "HTTPS";
  readonly port: number;
  /** Absent: every host. May begin with `*.`. */
  readonly hostname?: string;
  readonly certificates: readonly Reference[];
  readonly entries: readonly Entry[];
}

/** One match of one rule under one hostname. */
export interface Entry {
  readonly hostname?: string;
  readonly match: Json;
  readonly rule: Rule;
}

export interface Rule {
  /** `namespace/route#index`: the place where backends are chosen. */
  readonly key: string;
  readonly route: Reference;
  readonly filters: readonly Json[];
  readonly backends: readonly Backend[];
  /** Milliseconds; absent or 0: none. */
  readonly requestTimeout?: number;
  readonly backendTimeout?: number;
}

export interface Backend {
  readonly weight: number;
  readonly filters: readonly Json[];
  /** Absent when the reference does not hold: its share of the requests is answered with 500. */
  readonly target?: Target;
}

export interface Target {
  readonly namespace: string;
  readonly service: string;
  readonly port: number;
}
