import type { Dialer } from "@tiphys/dialer";
import type { Events } from "@tiphys/eventing";
import type { Change } from "@tiphys/identity";
import type { KubeClient } from "@tiphys/kube";
import type { KeyRef } from "@tiphys/resources";
import type { Secret } from "@tiphys/secret";
import type { Logger } from "@tiphys/telemetry";

/** What one run of a trigger is given. */
export interface TriggerContext {
  readonly namespace: string;
  readonly sensor: string;
  readonly trigger: string;
  /** The same for every try of this run, and for no other run of the trigger. */
  readonly runId: string;
  readonly events: Events;
  readonly change?: Change;
  readonly now: Date;
  readonly kube: KubeClient;
  readonly dialer: Dialer;
  readonly log: Logger;
  secret(ref: KeyRef): Secret | undefined;
  configMap(ref: KeyRef): string | undefined;
  readonly signal: AbortSignal;
}

/** What a successful run did. */
export interface TriggerResult {
  /** `created Workflow ci/build-1a2b3c`, `POST http://… answered 200`. */
  readonly summary: string;
  readonly object?: {
    readonly apiVersion: string;
    readonly kind: string;
    readonly namespace?: string;
    readonly name: string;
  };
}
