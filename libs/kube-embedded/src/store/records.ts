/** One change of one object as it stands in the log and in snapshots. */
export type StoreRecord =
  | { readonly op: "put"; readonly revision: number; readonly collection: string; readonly json: Buffer }
  | { readonly op: "delete"; readonly revision: number; readonly collection: string; readonly key: string }
  /** The revision the store had reached, also when its newest changes were removals. */
  | { readonly op: "revision"; readonly revision: number }
  /** Last record of a snapshot that has left its cluster: so many objects come before it. */
  | { readonly op: "end"; readonly revision: number; readonly objects: number };

const PUT = 1;
const DELETE = 2;
const REVISION = 3;
const END = 4;
/** Operation, revision, length of the collection's name, length of the body. */
const HEAD_BYTES = 1 + 8 + 2 + 4;

const CODES = { put: PUT, delete: DELETE, revision: REVISION, end: END } as const;

function bodyOf(record: StoreRecord): Buffer {
  switch (record.op) {
    case "put":
      return record.json;
    case "delete":
      return Buffer.from(record.key);
    case "revision":
      return Buffer.alloc(0);
    case "end":
      return Buffer.from(String(record.objects));
  }
}

export function encodeRecord(record: StoreRecord): Buffer[] {
  const collection = Buffer.from("collection" in record ? record.collection : "");
  const body = bodyOf(record);
  const head = Buffer.allocUnsafe(HEAD_BYTES + collection.length);
  head.writeUInt8(CODES[record.op], 0);
  head.writeDoubleLE(record.revision, 1);
  head.writeUInt16LE(collection.length, 9);
  head.writeUInt32LE(body.length, 11);
  collection.copy(head, HEAD_BYTES);
  return body.length ? [head, body] : [head];
}

/** The records of one frame; throws a RangeError when the bytes are no records. */
export function* decodeRecords(payload: Buffer): Generator<StoreRecord> {
  for (let at = 0; at < payload.length; ) {
    const op = payload.readUInt8(at);
    const revision = payload.readDoubleLE(at + 1);
    const nameEnd = at + HEAD_BYTES + payload.readUInt16LE(at + 9);
    const end = nameEnd + payload.readUInt32LE(at + 11);
    if (end > payload.length) throw new RangeError("a record is longer than its frame");
    const collection = payload.toString("utf8", at + HEAD_BYTES, nameEnd);
    const body = payload.subarray(nameEnd, end);
    at = end;
    if (op === PUT) yield { op: "put", revision, collection, json: body };
    else if (op === DELETE) yield { op: "delete", revision, collection, key: body.toString() };
    else if (op === REVISION) yield { op: "revision", revision };
    else if (op === END) yield { op: "end", revision, objects: Number(body.toString()) };
    else throw new RangeError(`unknown record type ${op}`);
  }
}
