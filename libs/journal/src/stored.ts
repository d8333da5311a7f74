import { digest } from "@tiphys/canonical-json";
import type { JournalEntry } from "./journal.js";

/** What makes a decision the same as the one before: everything but the time and the state it was made from. */
export const decisionDigest = (entry: Omit<JournalEntry, "state" | "at">): string =>
  digest({ kind: entry.kind, decision: entry.decision, reasons: entry.reasons, change: entry.change });

/** Positions compare as texts. */
export const positionText = (sequence: number): string => String(sequence).padStart(16, "0");
