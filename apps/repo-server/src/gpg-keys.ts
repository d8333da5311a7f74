import { joinKeyRings, type KeyRing, parseKeyRing } from "@tiphys/openpgp";
import type { KubeObject } from "@tiphys/resources";

const rings = new WeakMap<object, KeyRing>();
const EMPTY = joinKeyRings([]);

/** The public keys of `argocd-gpg-keys-cm`, the same object for the same ConfigMap; one that cannot be read verifies nothing. */
export function keyRingOf(gpgKeys: KubeObject | undefined): KeyRing {
  if (!gpgKeys) return EMPTY;
  let ring = rings.get(gpgKeys);
  if (!ring) {
    const keys: Record<string, string> = gpgKeys["data"] ?? {};
    ring = joinKeyRings(
      Object.values(keys).flatMap((armored) => {
        try {
          return [parseKeyRing(armored)];
        } catch {
          return [];
        }
      }),
    );
    rings.set(gpgKeys, ring);
  }
  return ring;
}
