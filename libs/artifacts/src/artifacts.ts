/** Artifact storage as a port. Keys are `/`-separated, relative, without `.` or `..` parts. */
export interface ArtifactStore {
  put(key: string, body: AsyncIterable<Uint8Array> | Uint8Array, options?: { contentType?: string }): Promise<void>;
  /** Throws NotFound when there is none. */
  get(key: string): Promise<AsyncIterable<Uint8Array>>;
  list(prefix: string): Promise<readonly { key: string; size: number }[]>;
  delete(key: string): Promise<void>;
}
