import type { Clock } from "@tiphys/clock";
import type { Principal, RandomBytes } from "@tiphys/identity";
import type { KubeObject } from "@tiphys/resources";
import type { Logger } from "@tiphys/telemetry";
import type { Access } from "../access/access.js";
import type { Store } from "../store/store.js";
import type { Kinds, ServedKind } from "./kinds.js";
import type { ServiceAddresses } from "./services.js";

/** What every request works with. */
export interface Parts {
  readonly store: Store;
  readonly kinds: Kinds;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
  readonly addresses: ServiceAddresses;
  readonly access: Access;
  /** PEM of the authority that signs for this API server. */
  readonly rootCa: string;
}

/** Who writes, and how strictly the body is read. */
export interface WriteContext {
  readonly principal: Principal;
  /** Name in managedFields. */
  readonly manager: string;
  readonly fieldValidation: "Ignore" | "Warn" | "Strict";
  readonly dryRun: boolean;
  readonly force?: boolean;
  /** Duplicate fields that the reader of the body's text found. */
  readonly duplicates?: readonly string[];
  /** Told to the client beside the answer. */
  readonly warn: (message: string) => void;
}

export interface Target {
  readonly kind: ServedKind;
  readonly namespace?: string;
  readonly name: string;
  readonly subresource?: string;
  /** The new form of the object was made by a patch. */
  readonly patched?: boolean;
}

/** The stored object in the version that was asked for; most versions of a kind differ in their name alone. */
export function inVersion(kind: ServedKind, object: KubeObject): KubeObject {
  const apiVersion = kind.group ? `${kind.group}/${kind.version}` : kind.version;
  if (object.apiVersion === apiVersion) return object;
  const shown = kind.conversion ? kind.conversion.fromStored(object) : object;
  return Object.freeze({ ...shown, apiVersion, kind: kind.kind });
}

/** The object in the form it is kept in. */
export const toStored = (kind: ServedKind, object: KubeObject): KubeObject =>
  kind.conversion ? kind.conversion.toStored(object) : object;
