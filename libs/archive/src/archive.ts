/** Searchable history of finished runs (workflows, rollouts, operations) as a port. */
export interface Archive {
  /** Stores or replaces the record of `uid`. */
  put(record: ArchiveRecord): Promise<void>;
  get(uid: string): Promise<ArchiveRecord | undefined>;
  list(query: ArchiveQuery): Promise<{ items: readonly ArchiveRecord[]; continue?: string }>;
  delete(uid: string): Promise<boolean>;
  close(): Promise<void>;
}

export interface ArchiveRecord {
  readonly uid: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly phase: string;
  readonly startedAt?: Date;
  readonly finishedAt?: Date;
  readonly labels: Readonly<Record<string, string>>;
  readonly change?: string;
  /** The whole object. */
  readonly object: unknown;
}

export interface ArchiveQuery {
  readonly kind?: string;
  readonly namespace?: string;
  readonly phase?: string;
  readonly change?: string;
  readonly namePrefix?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly limit?: number;
  readonly continue?: string;
}
