/** The cache as a port. Entries are signed where the store is shared, so a forged entry is a miss. Losing it costs time only. */
export interface Cache {
  get(key: string): Promise<Uint8Array | undefined>;
  /** `ttl` in milliseconds. */
  set(key: string, value: Uint8Array, ttl: number): Promise<void>;
  delete(key: string): Promise<void>;
  close(): Promise<void>;
}
