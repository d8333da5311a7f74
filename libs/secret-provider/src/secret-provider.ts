/** A secret by its place, and what is known of the engine that keeps it. */
export interface SecretPlace {
  readonly path: string;
  /** Absent: the newest. */
  readonly version?: string;
  /** `1` or `2`; absent: as the provider is set up. */
  readonly engine?: string;
}

export interface ReadOptions {
  /** How old what was read before may be, in milliseconds; 0 asks now. */
  readonly maxAge: number;
  readonly signal?: AbortSignal;
}

/** Where secrets are kept. What cannot be read is refused with its path and why, and never with a value. */
export interface SecretProvider {
  /** All that the secret holds, by key. NotFound where there is none, or not in that version. */
  read(place: SecretPlace, options: ReadOptions): Promise<Readonly<Record<string, unknown>>>;
}
