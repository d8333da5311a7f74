import type { Journal, StoredEntry } from "@tiphys/journal";
import { keyText, type ObjectKey } from "@tiphys/resources";
import { subjectOf } from "./pass.js";
import type { Reason } from "./reconciler.js";

/** Why an object is as it is, from the journal. */
export interface Explanation {
  readonly subject: string;
  /** Reasons of the newest decision, in order; the first is the one to show. */
  readonly reasons: readonly Reason[];
  /** Newest first. */
  readonly decisions: readonly StoredEntry[];
}

const DECISIONS = 20;

/** The latest decisions of controller `name` about `key`. */
export async function explainFrom(journal: Journal, name: string, key: ObjectKey): Promise<Explanation> {
  const subject = subjectOf(name, keyText(key));
  const decisions = await journal.read(subject, { limit: DECISIONS });
  return { subject, reasons: decisions[0]?.reasons ?? [], decisions };
}
