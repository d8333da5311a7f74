import { isUlid, type RandomBytes, ulid } from "./ulid.js";

/** Identity of one change, born at the first thing that happens and carried by everything it causes. */
export interface Change {
  /** ULID. */
  readonly id: string;
  /** W3C trace context `traceparent`. */
  readonly traceparent: string;
}

/** Annotations on Kubernetes objects that carry a change. */
export const CHANGE_ANNOTATION = "tiphys.dev/change";
export const TRACEPARENT_ANNOTATION = "tiphys.dev/traceparent";
/** Commit trailer that carries a change id through a repository. */
export const CHANGE_TRAILER = "Tiphys-Change";
/** Environment of a workflow pod. */
export const CHANGE_ENV = "TIPHYS_CHANGE";
export const TRACEPARENT_ENV = "TRACEPARENT";
/** Header on bus messages and HTTP calls. */
export const CHANGE_HEADER = "tiphys-change";
export const TRACEPARENT_HEADER = "traceparent";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

export function newChange(now: Date, random: RandomBytes): Change {
  return { id: ulid(now, random), traceparent: `00-${hex(random(16))}-${hex(random(8))}-01` };
}

export const isTraceparent = (text: string): boolean =>
  /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/.test(text);

interface Annotated {
  metadata?: { annotations?: Record<string, string> };
}

/** The change an object carries, if any. */
export function changeOf(object: Annotated | undefined): Change | undefined {
  const annotations = object?.metadata?.annotations;
  const id = annotations?.[CHANGE_ANNOTATION];
  if (!id || !isUlid(id)) return undefined;
  const traceparent = annotations?.[TRACEPARENT_ANNOTATION] ?? "";
  return { id, traceparent: isTraceparent(traceparent) ? traceparent : "" };
}

/** Annotations that put `change` on an object. */
export function changeAnnotations(change: Change | undefined): Record<string, string> {
  if (!change) return {};
  return {
    [CHANGE_ANNOTATION]: change.id,
    ...(change.traceparent ? { [TRACEPARENT_ANNOTATION]: change.traceparent } : {}),
  };
}

/** The change id in a commit message's trailers, if any. */
export function changeOfCommit(message: string): string | undefined {
  const found = message.match(new RegExp(`^${CHANGE_TRAILER}: *([0-9A-Z]{26})\\s*$`, "m"))?.[1];
  return found && isUlid(found) ? found : undefined;
}
