import { createHash } from "node:crypto";
import { once } from "node:events";
import { createGzip } from "node:zlib";
import { InvalidArgumentError, LimitExceededError } from "@tiphys/errors";
import { limits } from "@tiphys/limits";
import { tarEnd, tarHeader, tarPadding } from "@tiphys/oci";
import { cleanPattern, goGlob } from "./glob.js";

/** A file of a repository at a revision. */
export interface PluginFile {
  /** From the top of the repository, without a slash at its start. */
  readonly path: string;
  readonly kind: "file" | "executable" | "symlink";
  /** Content, or the link's target. */
  data(): Promise<Uint8Array>;
}

export interface ArchiveOptions {
  /** Patterns of Go's filepath.Match on paths from the top; a folder that matches goes with all that is below it. */
  readonly exclude?: readonly string[];
  /** False: no file is executable. */
  readonly modes?: boolean;
}

/** Files as a gzipped tar archive. */
export interface Archive {
  readonly bytes: Buffer;
  /** SHA-256, hexadecimal. */
  readonly checksum: string;
}

export function excludePatterns(patterns: readonly string[]): (path: string) => boolean {
  const compiled = patterns
    .filter((pattern) => pattern !== "")
    .map((pattern) => {
      const glob = goGlob(pattern);
      if (!glob)
        throw new InvalidArgumentError("reposerver.plugin.tar.exclusions", `the pattern "${pattern}" is malformed`);
      return glob;
    });
  return (path) => compiled.some((glob) => glob.test(path));
}

/** Packs files; the same files give the same bytes. Links that lead out of the repository are refused. */
export async function packFiles(files: readonly PluginFile[], options: ArchiveOptions = {}): Promise<Archive> {
  const excluded = excludePatterns(options.exclude ?? []);
  const gzip = createGzip({ level: 1 });
  const hash = createHash("sha256");
  const chunks: Buffer[] = [];
  let packed = 0;
  gzip.on("data", (chunk: Buffer) => {
    packed += chunk.length;
    if (packed > limits.pluginArchiveBytes) {
      gzip.destroy(
        new LimitExceededError(
          `the packed repository is larger than ${limits.pluginArchiveBytes} bytes: leave files out with reposerver.plugin.tar.exclusions`,
        ),
      );
    }
    hash.update(chunk);
    chunks.push(chunk);
  });
  // An error while nobody waits would end the process; every wait below hears of it through `failed`.
  let failed: Error | undefined;
  gzip.on("error", (error: Error) => {
    failed = error;
  });
  const ended = once(gzip, "end");
  ended.catch(() => {});
  const write = async (data: Uint8Array) => {
    if (failed) throw failed;
    if (!gzip.write(data)) await once(gzip, "drain");
  };

  const folders = new Set<string>();
  let size = 0;
  let count = 0;
  for (const file of [...files].sort((a, b) => (a.path < b.path ? -1 : 1))) {
    const above = foldersAbove(file.path);
    if (above.some(excluded) || excluded(file.path)) continue;
    for (const folder of above) {
      if (folders.has(folder)) continue;
      folders.add(folder);
      await write(tarHeader({ ...PLAIN, path: folder, type: "directory", mode: 0o755, size: 0 }));
    }
    const data = await file.data();
    size += data.length;
    count++;
    if (size > limits.pluginFilesBytes || count > limits.pluginFiles) {
      throw new LimitExceededError(
        `the repository has more than ${limits.pluginFiles} files or ${limits.pluginFilesBytes} bytes for a plugin: leave files out with reposerver.plugin.tar.exclusions`,
      );
    }
    if (file.kind === "symlink") {
      const link = Buffer.from(data).toString("utf8");
      checkLink(file.path, link);
      await write(tarHeader({ ...PLAIN, path: file.path, type: "symlink", mode: 0o777, size: 0, link }));
      continue;
    }
    const mode = file.kind === "executable" && options.modes !== false ? 0o755 : 0o644;
    await write(tarHeader({ ...PLAIN, path: file.path, type: "file", mode, size: data.length }));
    if (data.length > 0) await write(data);
    await write(tarPadding(data.length));
  }
  if (count === 0) throw new InvalidArgumentError("spec.source", "no file is left to send to the plugin");
  gzip.end(tarEnd());
  await ended;
  return { bytes: Buffer.concat(chunks), checksum: hash.digest("hex") };
}

const PLAIN = { uid: 0, gid: 0, mtime: 0 } as const;

/** `a/b/c` → `a`, `a/b`. */
const foldersAbove = (path: string): string[] => {
  const parts = path.split("/").slice(0, -1);
  return parts.map((_part, i) => parts.slice(0, i + 1).join("/"));
};

function checkLink(path: string, link: string): void {
  const folder = path.slice(0, path.lastIndexOf("/") + 1);
  if (link.startsWith("/") || cleanPattern(folder + link).split("/")[0] === "..") {
    throw new InvalidArgumentError("spec.source", `the symbolic link ${path} leads out of the repository`);
  }
}
