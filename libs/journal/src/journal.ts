/**
 * The record of decisions, audit and events. A decision is written only when it differs from the last one of the same
 * subject (audit and event entries always are: each of them happened); the state it was made from is stored once per digest (content-addressed), redacted and pruned.
 */
export interface Journal {
  /** Resolves when the entry is durable, to its position; undefined when nothing changed since the subject's last entry. */
  record(entry: JournalEntry): Promise<string | undefined>;
  /** Entries of a subject, newest first. */
  read(subject: string, options?: { limit?: number; before?: string }): Promise<readonly StoredEntry[]>;
  /** The state behind a digest; undefined when retention has dropped it. */
  state(digest: string): Promise<unknown>;
  close(): Promise<void>;
}

export interface JournalEntry {
  /** `<stream>/<namespace>/<name>`, such as `applications/argocd/shop`. */
  readonly subject: string;
  readonly at: Date;
  readonly kind: "decision" | "audit" | "event";
  /** Redacted state; stored under its digest. */
  readonly state?: unknown;
  readonly decision: unknown;
  readonly reasons: readonly { readonly code: string; readonly message: string; readonly about?: string }[];
  /** Change id, when the subject carries one. */
  readonly change?: string;
}

export interface StoredEntry extends Omit<JournalEntry, "state"> {
  readonly position: string;
  readonly stateDigest?: string;
}
