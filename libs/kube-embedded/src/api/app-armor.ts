// biome-ignore-all lint/suspicious/noExplicitAny: pods were decoded against their schema before

import { deepEqual } from "@tiphys/canonical-json";
import { APPARMOR } from "@tiphys/kube-schema";
import type { KubeObject } from "@tiphys/resources";

/** The profile that an annotation of the old form names. */
function profileOf(annotation: string): object | undefined {
  if (annotation === "unconfined") return { type: "Unconfined" };
  if (annotation === "runtime/default") return { type: "RuntimeDefault" };
  const local = /^localhost\/(.+)$/.exec(annotation)?.[1];
  return local === undefined ? undefined : { type: "Localhost", localhostProfile: local };
}

/** Profiles of a new pod's containers that annotations name become fields, where those are not set. */
export function alignProfiles(pod: KubeObject, warn: (text: string) => void): void {
  const spec = pod["spec"] ?? {};
  const whole = spec.securityContext?.appArmorProfile;
  for (const container of [...(spec.initContainers ?? []), ...(spec.containers ?? [])]) {
    const key = `${APPARMOR}${container.name}`;
    const annotation = pod.metadata.annotations?.[key];
    if (annotation === undefined || container.securityContext?.appArmorProfile !== undefined) continue;
    warn(`metadata.annotations[${key}]: deprecated since v1.30; use the "appArmorProfile" field instead`);
    const profile = profileOf(annotation);
    if (profile === undefined || deepEqual(profile, whole)) continue;
    container.securityContext = { ...container.securityContext, appArmorProfile: profile };
  }
}
