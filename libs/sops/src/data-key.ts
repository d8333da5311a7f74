import { FailedPreconditionError, messageOf, UnimplementedError } from "@tiphys/errors";
import type { KeyEntry, Metadata } from "./metadata.js";
import { combine } from "./shamir.js";

/** Opens keys of one kind. */
export interface KeyOpener {
  /** The key, or undefined where this opener has none that fits. Throws where it has one and cannot use it. */
  open(entry: KeyEntry): Promise<Uint8Array | undefined>;
}

/** By the kind's word in the file: `age`, `pgp`. */
export type KeyOpeners = Readonly<Partial<Record<string, KeyOpener>>>;

const KEY_BYTES = 32;

/** The key that the values of a file are encrypted with. */
export async function dataKey(metadata: Metadata, openers: KeyOpeners): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  const reasons: string[] = [];
  for (const group of metadata.groups) {
    for (const entry of group) {
      const part = await openers[entry.kind]?.open(entry).catch((error: unknown) => {
        reasons.push(`${entry.kind} ${entry.name}: ${messageOf(error)}`);
        return undefined;
      });
      if (!part) continue;
      parts.push(part);
      break;
    }
  }
  const split = metadata.groups.length > 1;
  const needed = split ? metadata.threshold || metadata.groups.length : 1;
  if (parts.length < needed) {
    const entries = metadata.groups.flat();
    const unknown = entries.filter(({ kind }) => kind !== "age" && kind !== "pgp");
    if (unknown.length === entries.length) {
      throw new UnimplementedError(
        `SOPS with keys of ${[...new Set(unknown.map(({ kind }) => kind))].sort().join(", ")}`,
      );
    }
    const names = entries.map(({ kind, name }) => `${kind} ${name}`).join(", ");
    const why = reasons.length > 0 ? ` (${reasons.join("; ")})` : "";
    const count = split ? `${parts.length} of the ${needed} key groups that are needed` : "none of the keys";
    throw new FailedPreconditionError(
      `${count} it is encrypted for (${names}) can be opened with the keys we have${why}`,
    );
  }
  // Whatever lies on the polynomial beyond the threshold is right too, but the threshold is enough.
  const key = split ? combine(parts.slice(0, needed)) : parts[0]!;
  if (key.length !== KEY_BYTES)
    throw new FailedPreconditionError(`its data key has ${key.length} bytes and not ${KEY_BYTES}`);
  return key;
}
