import { createReadStream } from "node:fs";
import { DataLossError, InvalidArgumentError, LimitExceededError } from "@tiphys/errors";
import { limits } from "@tiphys/limits";
import { decompressed, readTar } from "@tiphys/oci";
import type { Artifact } from "./chart-source.js";

/**
 * The files of a packed folder, gzipped or not, by their paths; read as a stream, so that a bomb costs its limits and no more.
 * Links and devices are refused by name, as are paths that lead out. `strip` is the number of leading folders to leave out.
 */
export async function unpack(
  source: AsyncIterable<Uint8Array>,
  what: string,
  strip = 0,
): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  let total = 0;
  for await (const { header, body } of readTar(decompressed(source))) {
    const { path, type, size } = header;
    if (type === "directory") continue;
    if (type !== "file") {
      const kind = type === "symlink" ? "symbolic link" : type === "link" ? "hard link" : type;
      throw new InvalidArgumentError(
        "",
        `${what}: ${kind} "${path.slice(0, 200)}" is not allowed among the files of a source`,
      );
    }
    const parts = path.split("/").filter((part) => part !== "" && part !== ".");
    if (path.startsWith("/") || path.includes("\\") || parts.includes("..")) {
      throw new InvalidArgumentError("", `${what}: "${path.slice(0, 200)}" leads out of the archive`);
    }
    total += size;
    if (total > limits.chartUnpackedBytes) {
      throw new LimitExceededError(`${what} is larger than ${limits.chartUnpackedBytes} bytes when it is unpacked`);
    }
    if (files.size >= limits.renderFiles)
      throw new LimitExceededError(`${what} has more than ${limits.renderFiles} files`);
    const pieces: Uint8Array[] = [];
    for await (const piece of body) pieces.push(Buffer.from(piece));
    const name = parts.slice(strip).join("/");
    if (name === "") throw new DataLossError(`${what}: "${path.slice(0, 200)}" is not in a folder as it should be`);
    files.set(name, pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces));
  }
  return files;
}

/** The files of an artifact; those of a chart without the folder that they are packed in. */
export const readArtifactFiles = ({ file, kind, digest }: Pick<Artifact, "file" | "kind" | "digest">) =>
  unpack(createReadStream(file), `artifact ${digest}`, kind === "chart" ? 1 : 0);

/** The files of a packed chart. */
export const readChartFiles = (file: string, what: string): Promise<Map<string, Uint8Array>> =>
  unpack(createReadStream(file), what, 1);
