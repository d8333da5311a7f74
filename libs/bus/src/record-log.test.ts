import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { codeOf } from "@tiphys/errors";
import { silentLogger as log } from "@tiphys/telemetry";
import { openRecordLog, RECORD_HEADER_BYTES } from "./record-log.js";

const texts = ["first", "the second", "third and last"];
let dir: string;
let path: string;
let whole: Buffer;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "record-log-"));
  path = join(dir, "records.log");
  const file = await openRecordLog(path, { log, sync: true, replay: () => {} });
  for (const text of texts) await file.append(Buffer.from(text));
  await file.close();
  whole = await readFile(path);
});
afterEach(() => rm(dir, { recursive: true }));

const replayed = async (): Promise<string[]> => {
  const found: string[] = [];
  const file = await openRecordLog(path, { log, sync: true, replay: (bytes) => found.push(bytes.toString()) });
  await file.close();
  return found;
};

it("refuses one flipped byte at any place, and leaves the file as it is", async () => {
  for (let at = 0; at < whole.length; at++) {
    const bytes = Buffer.from(whole);
    bytes[at]! ^= 0xff;
    await writeFile(path, bytes);
    const error = await replayed().catch((thrown: unknown) => thrown);
    expect({ at, code: codeOf(error) }).toEqual({ at, code: "DataLoss" });
    expect(String(error)).toContain(path);
    expect((await readFile(path)).equals(bytes)).toBe(true);
  }
});

it("drops a last record that is cut short at any place, and keeps those before it", async () => {
  const start = whole.length - RECORD_HEADER_BYTES - texts[2]!.length;
  for (let length = start; length < whole.length; length++) {
    await writeFile(path, whole.subarray(0, length));
    expect(await replayed()).toEqual(texts.slice(0, 2));
  }
});

it("drops a last record whose sectors a power cut left empty", async () => {
  for (const from of [whole.length - texts[2]!.length - RECORD_HEADER_BYTES, whole.length - texts[2]!.length]) {
    const padded = Buffer.concat([whole.subarray(0, from), Buffer.alloc(whole.length - from)]);
    await writeFile(path, padded);
    const found = await replayed().catch((error: unknown) => codeOf(error));
    // A few zero bytes under a sound header are too few to tell a lost sector from damage.
    expect(found).toEqual(from === whole.length - texts[2]!.length ? "DataLoss" : texts.slice(0, 2));
  }
});
