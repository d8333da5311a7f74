import { createHash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DataLossError, messageOf } from "@tiphys/errors";
import type { Logger } from "@tiphys/telemetry";
import { decompressed } from "./decompress.js";
import { sha256Of } from "./digest.js";
import { applyLayer, cloneTree, newBudget, type UnpackBudget } from "./layer-apply.js";
import { type Descriptor, type ImageConfig, mediaTypes, type Platform } from "./manifest.js";
import { formatReference, type Reference } from "./reference.js";
import type { CallOptions, FetchedImage, RegistryClient } from "./registry-client.js";

export interface ImageStoreDeps {
  readonly client: RegistryClient;
  readonly dir: string;
  readonly platform: Platform;
  /** Files keep the owners that the image gives them: for root. */
  readonly owners: boolean;
  /** Bytes of unpacked images that stay when nothing uses them. */
  readonly budgetBytes: number;
  readonly log: Logger;
}

/** An image that is unpacked here. */
export interface StoredImage {
  /** Digest of the config: the image's id. */
  readonly id: string;
  /** `registry/repository@digest` of what was pulled. */
  readonly repoDigest: string;
  readonly config: ImageConfig;
  /** Folder with the image's files. Others share it: it is never written to. */
  readonly root: string;
  /** Bytes of its layers as they were sent. */
  readonly size: number;
}

export interface ImageStore {
  /** The image that a reference stands for here, without asking any registry. */
  find(reference: Reference): Promise<StoredImage | undefined>;
  /** Asks the registry what the reference is now, and fetches what is missing. */
  pull(reference: Reference, options?: CallOptions): Promise<StoredImage>;
  /** Removes images that are not in `used` (ids), the longest unused first, until the rest fits the budget. */
  collect(used: ReadonlySet<string>): Promise<readonly string[]>;
  /** Every image that is here: names and bytes, for a node's status. */
  list(): Promise<readonly { readonly names: readonly string[]; readonly size: number; readonly id: string }[]>;
}

/** What is kept about an image, in `images/<id>.json`. */
interface Record {
  readonly id: string;
  readonly chain: string;
  readonly manifestDigest: string;
  readonly size: number;
  readonly unpacked: number;
  readonly config: ImageConfig;
}

const FORMAT = 1;
const PARALLEL = 3;

/** The digest that names layers applied on each other. */
export function chainId(diffIds: readonly string[]): string {
  return diffIds.reduce((chain, diffId) => (chain === "" ? diffId : sha256Of(`${chain} ${diffId}`)), "");
}

/**
 * Images by content: `images/` what they are, `names/` what references stand for, `roots/` their files. The first layer
 * and the whole of an image are kept unpacked; files that images share are one file on disk.
 */
export async function createImageStore(deps: ImageStoreDeps): Promise<ImageStore> {
  const { client, dir, platform, owners, log } = deps;
  const folder = (name: string) => join(dir, name);
  for (const name of ["images", "names", "roots", "blobs", "work"])
    await mkdir(folder(name), { recursive: true, mode: 0o711 });
  // What a killed process of ours was unpacking is begun anew; parts of blobs are gone on with.
  for (const left of await readdir(folder("work")))
    await rm(join(folder("work"), left), { recursive: true, force: true });
  const format = await readFile(folder("format"), "utf8").catch(() => undefined);
  if (format !== undefined && Number(format) > FORMAT) {
    throw new DataLossError(
      `${dir} was written by a newer version (format ${format.trim()}): use that one, or remove the folder`,
    );
  }
  if (format === undefined) await writeFile(folder("format"), `${FORMAT}\n`);

  const fileOf = (digest: string) => digest.replace(":", "-");
  const rootOf = (chain: string) => join(folder("roots"), fileOf(chain));
  const nameFile = (reference: Reference) => {
    const text = formatReference(reference);
    return join(folder("names"), createHash("sha256").update(text).digest("hex"));
  };
  const pulling = new Map<string, Promise<StoredImage>>();
  const unpacking = new Map<string, Promise<void>>();
  const downloads = new Map<string, Promise<void>>();
  const holders = new Map<string, number>();

  async function put(file: string, value: unknown): Promise<void> {
    const temporary = `${file}.${randomUUID()}`;
    const handle = await open(temporary, "w", 0o600);
    try {
      await handle.writeFile(JSON.stringify(value));
      await handle.datasync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  }

  async function get<T>(file: string): Promise<T | undefined> {
    const text = await readFile(file, "utf8").catch(() => undefined);
    if (text === undefined) return undefined;
    try {
      return JSON.parse(text) as T;
    } catch {
      // It will be pulled again.
      await rm(file, { force: true });
      return undefined;
    }
  }

  const exists = (path: string) =>
    stat(path).then(
      () => true,
      () => false,
    );

  async function stored(id: string, reference: Reference, digest: string): Promise<StoredImage | undefined> {
    const record = await get<Record>(join(folder("images"), `${fileOf(id)}.json`));
    if (!record) return undefined;
    const root = rootOf(record.chain);
    if (!(await exists(root))) return undefined;
    // Real time: it is the file system's own that it stands beside.
    const now = new Date();
    await utimes(join(folder("images"), `${fileOf(id)}.json`), now, now).catch(() => {});
    return {
      id,
      repoDigest: `${reference.registry}/${reference.repository}@${digest}`,
      config: record.config,
      root,
      size: record.size,
    };
  }

  async function find(reference: Reference): Promise<StoredImage | undefined> {
    const known = await get<{ id: string; digest: string }>(nameFile(reference));
    return known && stored(known.id, reference, known.digest);
  }

  async function fetchLayers(
    reference: Reference,
    layers: readonly Descriptor[],
    options: CallOptions,
  ): Promise<string[]> {
    const files = layers.map(({ digest }) => join(folder("blobs"), fileOf(digest)));
    const queue = [...new Map(layers.map((layer, i) => [layer.digest, { layer, file: files[i]! }])).values()];
    const fetch = async (): Promise<void> => {
      for (let next = queue.shift(); next; next = queue.shift()) await blob(reference, next.layer, next.file, options);
    };
    await Promise.all(Array.from({ length: PARALLEL }, fetch));
    return files;
  }

  /** One download of a blob at a time, whoever needs it. */
  async function blob(reference: Reference, layer: Descriptor, file: string, options: CallOptions): Promise<void> {
    // The other's failure is its own: its credentials may be others.
    for (let running = downloads.get(file); running; running = downloads.get(file)) await running.catch(() => {});
    const work = client.download(reference, layer, file, options);
    downloads.set(file, work);
    await work.finally(() => downloads.delete(file));
  }

  /** Holds blobs while `work` needs them; what nobody holds any more is removed, as it is unpacked by then. */
  async function holding(layers: readonly Descriptor[], work: () => Promise<void>): Promise<void> {
    const files = new Set(layers.map(({ digest }) => join(folder("blobs"), fileOf(digest))));
    for (const file of files) holders.set(file, (holders.get(file) ?? 0) + 1);
    let done = false;
    try {
      await work();
      done = true;
    } finally {
      for (const file of files) {
        const left = (holders.get(file) ?? 1) - 1;
        if (left > 0) holders.set(file, left);
        else {
          holders.delete(file);
          if (done) await rm(file, { force: true });
        }
      }
    }
  }

  /** Applies one layer's file on a folder, and checks that it is what the config says. */
  async function apply(root: string, file: string, diffId: string, budget: UnpackBudget): Promise<void> {
    const hash = createHash(diffId.slice(0, diffId.indexOf(":")));
    budget.packed += (await stat(file)).size;
    async function* checked(): AsyncIterable<Uint8Array> {
      for await (const chunk of decompressed(createReadStream(file) as AsyncIterable<Uint8Array>)) {
        hash.update(chunk);
        yield chunk;
      }
    }
    await applyLayer(root, checked(), { owners, budget });
    const found = `${diffId.slice(0, diffId.indexOf(":"))}:${hash.digest("hex")}`;
    if (found !== diffId) throw new DataLossError(`a layer is damaged: its unpacked digest is ${found}, not ${diffId}`);
  }

  /** Makes the folder of a chain of layers, on the longest part of it that is there. */
  async function unpack(files: readonly string[], diffIds: readonly string[]): Promise<number> {
    const budget = newBudget();
    const work = join(folder("work"), randomUUID());
    const chains = diffIds.map((_id, i) => chainId(diffIds.slice(0, i + 1)));
    let begun = 0;
    for (let i = chains.length; i > 0; i--) {
      if (await exists(rootOf(chains[i - 1]!))) {
        begun = i;
        break;
      }
    }
    try {
      if (begun > 0) await cloneTree(rootOf(chains[begun - 1]!), work, owners);
      else await mkdir(work, { mode: 0o755 });
      for (let i = begun; i < files.length; i++) {
        await apply(work, files[i]!, diffIds[i]!, budget);
        // Many images stand on the same first layer.
        if (i === 0 && files.length > 1) {
          await keep(work, chains[0]!);
          await rm(work, { recursive: true, force: true });
          await cloneTree(rootOf(chains[0]!), work, owners);
        }
      }
      await keep(work, chains.at(-1) ?? "sha256:empty");
    } finally {
      await rm(work, { recursive: true, force: true });
    }
    return budget.bytes;
  }

  async function keep(work: string, chain: string): Promise<void> {
    await rename(work, rootOf(chain)).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
    });
  }

  async function fetch(reference: Reference, options: CallOptions): Promise<StoredImage> {
    const image = await client.image(reference, platform, options);
    const id = image.manifest.config.digest;
    const there = await stored(id, reference, image.digest);
    if (!there) await fill(reference, image, options);
    const name = { id, digest: image.digest, reference: formatReference(reference) };
    await put(nameFile(reference), name);
    const { tag: _tag, ...untagged } = reference;
    const byDigest = { ...untagged, digest: image.digest };
    if (reference.tag !== undefined) await put(nameFile(byDigest), { ...name, reference: formatReference(byDigest) });
    const result = there ?? (await stored(id, reference, image.digest));
    if (!result) throw new DataLossError(`${formatReference(reference)} is gone right after it was unpacked`);
    return result;
  }

  async function fill(reference: Reference, image: FetchedImage, options: CallOptions): Promise<void> {
    const { manifest, config } = image;
    const diffIds = config.rootfs.diff_ids;
    const layers = manifest.layers.filter(
      ({ mediaType }) => /tar/.test(mediaType) || mediaType === mediaTypes.dockerLayer,
    );
    if (layers.length !== diffIds.length) {
      throw new DataLossError(
        `${formatReference(reference)} has ${layers.length} layers, but its config names ${diffIds.length}`,
      );
    }
    const chain = diffIds.length === 0 ? "sha256:empty" : chainId(diffIds);
    let unpacked = 0;
    const running = unpacking.get(chain);
    if (running) await running.catch(() => {});
    if (!(await exists(rootOf(chain)))) {
      const work = holding(layers, async () => {
        unpacked = await unpack(await fetchLayers(reference, layers, options), diffIds);
      });
      unpacking.set(chain, work);
      await work.finally(() => unpacking.delete(chain));
    }
    const size = layers.reduce((sum, layer) => sum + layer.size, 0);
    const record: Record = { id: manifest.config.digest, chain, manifestDigest: image.digest, size, unpacked, config };
    await put(join(folder("images"), `${fileOf(record.id)}.json`), record);
  }

  async function records(): Promise<{ record: Record; usedAt: number }[]> {
    const found: { record: Record; usedAt: number }[] = [];
    for (const name of await readdir(folder("images"))) {
      if (!name.endsWith(".json")) continue;
      const file = join(folder("images"), name);
      const record = await get<Record>(file);
      if (record) found.push({ record, usedAt: (await stat(file)).mtimeMs });
    }
    return found;
  }

  return {
    find,
    pull(reference, options = {}) {
      const key = formatReference(reference);
      const running = pulling.get(key);
      // One answer for all who ask at once, unless their credentials differ.
      if (running && !options.keyring) return running;
      const work = fetch(reference, options);
      pulling.set(key, work);
      const done = () => {
        if (pulling.get(key) === work) pulling.delete(key);
      };
      work.then(done, done);
      return work;
    },
    async collect(used) {
      if (pulling.size > 0) return [];
      const all = (await records()).sort((a, b) => a.usedAt - b.usedAt);
      let bytes = all.reduce((sum, { record }) => sum + record.unpacked, 0);
      const removed: string[] = [];
      for (const { record } of all) {
        if (bytes <= deps.budgetBytes) break;
        if (used.has(record.id)) continue;
        await rm(join(folder("images"), `${fileOf(record.id)}.json`), { force: true });
        bytes -= record.unpacked;
        removed.push(record.id);
      }
      if (removed.length === 0) return [];
      const left = await records();
      const wanted = new Set(
        left.flatMap(({ record }) => [fileOf(record.chain), fileOf(record.config.rootfs.diff_ids[0] ?? record.chain)]),
      );
      for (const root of await readdir(folder("roots"))) {
        if (wanted.has(root)) continue;
        await rm(join(folder("roots"), root), { recursive: true, force: true }).catch((error) =>
          log.warn("unused image files are not removed", { root, error: messageOf(error) }),
        );
      }
      log.info("unused images removed", { count: removed.length });
      return removed;
    },
    async list() {
      const names = new Map<string, string[]>();
      for (const name of await readdir(folder("names"))) {
        const known = await get<{ id: string; reference: string }>(join(folder("names"), name));
        if (known) names.set(known.id, [...(names.get(known.id) ?? []), known.reference]);
      }
      return (await records()).map(({ record }) => ({
        id: record.id,
        names: (names.get(record.id) ?? []).sort(),
        size: record.size,
      }));
    },
  };
}
