import { mkdir, open, readdir, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { DataLossError, FailedPreconditionError, messageOf, NotFoundError } from "@tiphys/errors";
import { createDurableLog, readDurableLog, writeRecords } from "./durable-log.js";
import { readFrames } from "./frame-file.js";
import { checkFileHeader, FILE_HEADER_BYTES, FORMAT_VERSION, fileHeader, SNAPSHOT_MAGIC } from "./frames.js";
import { lockDirectory } from "./lock.js";
import { decodeRecords, type StoreRecord } from "./records.js";

/** What a snapshot holds. */
export interface SnapshotFacts {
  readonly revision: number;
  readonly objects: number;
}

/** Objects by collection and key, as the records of a store leave them; their JSON is not looked into. */
class Records {
  private readonly collections = new Map<string, Map<string, Extract<StoreRecord, { op: "put" }>>>();
  revision = 0;

  readonly add = (record: StoreRecord): void => {
    this.revision = Math.max(this.revision, record.revision);
    if (record.op === "put") {
      let found = this.collections.get(record.collection);
      if (!found) {
        found = new Map();
        this.collections.set(record.collection, found);
      }
      // The bytes are those of a window that is used again.
      const json = Buffer.from(record.json);
      found.set(keyIn(json), { ...record, json });
    } else if (record.op === "delete") this.collections.get(record.collection)?.delete(record.key);
  };

  *all(): Generator<StoreRecord> {
    yield { op: "revision", revision: this.revision };
    let objects = 0;
    for (const found of this.collections.values()) {
      objects += found.size;
      yield* found.values();
    }
    yield { op: "end", revision: this.revision, objects };
  }
}

function keyIn(json: Buffer): string {
  const { metadata } = JSON.parse(json.toString()) as { metadata: { namespace?: string; name: string } };
  return `${metadata.namespace ?? ""}/${metadata.name}`;
}

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

/**
 * Writes the store in `dir` to one file, as of one revision; its server may be at work meanwhile. An existing file stays
 * unless `replace` is said.
 */
export async function snapshotStore(
  dir: string,
  file: string,
  options: { readonly replace?: boolean } = {},
): Promise<SnapshotFacts> {
  if (!options.replace && (await isThere(file)))
    throw new FailedPreconditionError(`${file} is there already: choose another name, or say --replace`);
  let records = new Records();
  const found = await readDurableLog(
    dir,
    () => {
      records = new Records();
    },
    (record) => records.add(record),
  );
  if (!found) throw new NotFoundError(`there is no cluster in ${dir}: name its data folder with --data`);
  await writeRecords(file, fileHeader(SNAPSHOT_MAGIC), records.all());
  return await checkSnapshot(file);
}

const broken = (file: string, problem: string): DataLossError =>
  new DataLossError(`${file} ${problem}: nothing was changed. Take the snapshot again, or use an older one`);

async function readSnapshot(file: string, onRecord: (record: StoreRecord) => void): Promise<SnapshotFacts> {
  const handle = await open(file, "r").catch((cause: NodeJS.ErrnoException) => {
    throw cause.code === "ENOENT" ? new NotFoundError(`${file} is not there`, { cause }) : cause;
  });
  try {
    const { size } = await handle.stat();
    const head = Buffer.alloc(Math.min(size, FILE_HEADER_BYTES));
    await handle.read(head, 0, head.length, 0);
    const header = checkFileHeader(head, SNAPSHOT_MAGIC);
    if (header === "newer")
      throw new FailedPreconditionError(
        `${file} was written by a newer version (its format is above ${FORMAT_VERSION}): update Tiphys; nothing was changed`,
      );
    if (header !== "ok") throw broken(file, "is no snapshot of a cluster, or is damaged at its start");
    let objects = 0;
    let end: SnapshotFacts | undefined;
    const read = await readFrames(handle, size, (payload, at) => {
      try {
        for (const record of decodeRecords(payload)) {
          if (end) throw new RangeError("it goes on after its end");
          if (record.op === "end") end = { revision: record.revision, objects: record.objects };
          else if (record.op === "put") objects++;
          onRecord(record);
        }
      } catch (error) {
        throw broken(file, `holds no valid record at byte ${at} (${messageOf(error)})`);
      }
    });
    if (read.kind !== "end") throw broken(file, `is damaged or cut off at byte ${read.at}`);
    if (!end) throw broken(file, "is cut off");
    if (end.objects !== objects) throw broken(file, `should hold ${end.objects} objects and holds ${objects}`);
    return end;
  } finally {
    await handle.close();
  }
}

/** Reads a snapshot from its start to its end and says what it holds; throws where it is damaged, cut off or newer. */
export const checkSnapshot = (file: string): Promise<SnapshotFacts> => readSnapshot(file, () => undefined);

/**
 * Makes the store in `dir` what a snapshot holds. The whole file is checked first. A store that is there stays unless
 * `replace` is said; then its files are moved into a folder beside them, whose name is answered as `kept`. Keys and
 * certificates in `dir` stay. Throws FailedPrecondition while a server uses the store.
 */
export async function restoreStore(
  file: string,
  dir: string,
  options: { readonly replace?: boolean; readonly now: Date },
): Promise<SnapshotFacts & { readonly kept?: string }> {
  const facts = await checkSnapshot(file);
  const records: StoreRecord[] = [];
  await readSnapshot(file, (record) => {
    if (record.op === "put") records.push({ ...record, json: Buffer.from(record.json) });
    else if (record.op === "revision") records.push(record);
  });
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const unlock = await lockDirectory(dir);
  try {
    const old = (await readdir(dir)).filter((name) => /^(log|snapshot)-\d{8}$/.test(name));
    let kept: string | undefined;
    if (old.length > 0) {
      if (!options.replace)
        throw new FailedPreconditionError(
          `${dir} holds a cluster already: choose another folder with --data, or say --replace to put its files aside`,
        );
      kept = join(dir, `before-restore-${options.now.toISOString().replace(/[:.]/g, "-")}`);
      await mkdir(kept, { mode: 0o700 });
      for (const name of old) await rename(join(dir, name), join(kept, name));
    }
    await createDurableLog(dir, records);
    return { ...facts, ...(kept === undefined ? {} : { kept }) };
  } finally {
    await unlock();
  }
}
