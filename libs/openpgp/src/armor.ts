import { limits } from "@tiphys/limits";
import { OpenPgpFormatError, OpenPgpLimitError } from "./errors.js";

export interface ArmorBlock {
  /** `PGP PUBLIC KEY BLOCK`, `PGP SIGNATURE`, … */
  readonly type: string;
  readonly data: Buffer;
}

const BEGIN = /^-----BEGIN (PGP [A-Z0-9 ,/]{1,40})-----[ \t]*$/;
const CRC = /^=[A-Za-z0-9+/]{4}$/;

const lines = (text: string): string[] =>
  text.split("\n").map((line) => (line.endsWith("\r") ? line.slice(0, -1) : line));

/** The CRC-24 of RFC 4880, section 6.1. */
function crc24(data: Buffer): number {
  let crc = 0xb704ce;
  for (const octet of data) {
    crc ^= octet << 16;
    for (let bit = 0; bit < 8; bit++) {
      crc <<= 1;
      if (crc & 0x1000000) crc ^= 0x1864cfb;
    }
  }
  return crc & 0xffffff;
}

/** Reads a block whose BEGIN line is `all[at]`; answers it and the index after its END line. */
function readBlock(all: readonly string[], at: number, type: string): { block: ArmorBlock; next: number } {
  const end = `-----END ${type}-----`;
  let index = at + 1;
  // Headers (`Version: …`) end with an empty line; some writers leave out both.
  const first = all[index] ?? "";
  if (first.trim() === "" || /^[A-Za-z][A-Za-z0-9-]*: /.test(first)) {
    while (index < all.length && (all[index] ?? "").trim() !== "") index++;
    index++;
  }
  const body: string[] = [];
  let checksum: string | undefined;
  for (; index < all.length; index++) {
    const line = (all[index] ?? "").trimEnd();
    if (line === end) {
      const text = body.join("");
      if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text)) throw new OpenPgpFormatError(`${type}: the armor is not base64`);
      const data = Buffer.from(text, "base64");
      if (checksum !== undefined && Buffer.from(checksum, "base64").readUIntBE(0, 3) !== crc24(data)) {
        throw new OpenPgpFormatError(`${type}: the checksum is wrong`);
      }
      return { block: { type, data }, next: index + 1 };
    }
    if (CRC.test(line)) checksum = line.slice(1);
    else if (line.trim() !== "") body.push(line.trim());
  }
  throw new OpenPgpFormatError(`${type}: the END line is missing`);
}

export const isArmored = (text: string): boolean => lines(text).some((line) => BEGIN.test(line));

/** Every block of a text, in order; what stands between them is ignored. */
export function parseArmor(text: string): ArmorBlock[] {
  if (text.length > limits.openPgpBytes) throw new OpenPgpLimitError(`more than ${limits.openPgpBytes} bytes`);
  const all = lines(text);
  const blocks: ArmorBlock[] = [];
  for (let at = 0; at < all.length; ) {
    const type = BEGIN.exec(all[at] ?? "")?.[1];
    if (type === undefined) at++;
    else {
      const { block, next } = readBlock(all, at, type);
      blocks.push(block);
      at = next;
    }
  }
  return blocks;
}

export interface Clearsigned {
  /** The text as it was meant to be read: dashes unescaped, line ends as they came. */
  readonly text: string;
  /** What the signature is over: no blanks at line ends, lines joined by CRLF. */
  readonly signed: Buffer;
  readonly signature: Buffer;
}

/** Takes a cleartext signed message apart (RFC 4880, section 7). Text around it is refused: nobody has signed that. */
export function parseClearsigned(message: string): Clearsigned {
  if (message.length > limits.openPgpBytes) throw new OpenPgpLimitError(`more than ${limits.openPgpBytes} bytes`);
  const all = lines(message);
  const begin = all.findIndex((line) => line.trimEnd() === "-----BEGIN PGP SIGNED MESSAGE-----");
  if (begin < 0) throw new OpenPgpFormatError("no signed message in it");
  if (all.slice(0, begin).some((line) => line.trim() !== "")) {
    throw new OpenPgpFormatError("text before the signed message is not signed");
  }
  let index = begin + 1;
  for (; (all[index] ?? "").trim() !== ""; index++) {
    if (!/^Hash: [A-Za-z0-9, -]+$/.test((all[index] ?? "").trimEnd())) {
      throw new OpenPgpFormatError("the signed message has a header other than Hash");
    }
  }
  const text: string[] = [];
  for (index++; index < all.length; index++) {
    const line = all[index] ?? "";
    if (line.trimEnd() === "-----BEGIN PGP SIGNATURE-----") {
      const { block, next } = readBlock(all, index, "PGP SIGNATURE");
      if (all.slice(next).some((rest) => rest.trim() !== "")) {
        throw new OpenPgpFormatError("text after the signature is not signed");
      }
      return {
        text: text.join("\n"),
        signed: Buffer.from(text.map((each) => each.replace(/[ \t]+$/, "")).join("\r\n")),
        signature: block.data,
      };
    }
    if (line.startsWith("- ")) text.push(line.slice(2));
    else if (line.startsWith("-"))
      throw new OpenPgpFormatError("a line of the signed message begins with an unescaped dash");
    else text.push(line);
  }
  throw new OpenPgpFormatError("the signed message has no signature");
}
