import { createHash, timingSafeEqual } from "node:crypto";
import {
  FailedPreconditionError,
  InvalidArgumentError,
  LimitExceededError,
  messageOf,
  TiphysError,
} from "@tiphys/errors";
import { limits } from "@tiphys/limits";
import { RE2JS } from "re2js";
import { decryptValue, looksEncrypted } from "./cipher.js";
import { dataKey, type KeyOpeners } from "./data-key.js";
import { type Metadata, readMetadata, unflatten } from "./metadata.js";
import { binaryStore, jsonStore } from "./stores/json.js";
import { dotenvStore, iniStore } from "./stores/lines.js";
import { yamlStore } from "./stores/yaml.js";
import type { Branch, Leaf, Node, Store } from "./tree.js";

export type SopsFormat = "yaml" | "json" | "dotenv" | "ini" | "binary";

const STORES: Readonly<Record<SopsFormat, Store>> = {
  yaml: yamlStore,
  json: jsonStore,
  dotenv: dotenvStore,
  ini: iniStore,
  binary: binaryStore,
};

const SOPS = "sops";
const FLAT_PREFIX = "sops_";
/** SHA-256 of the word "sops": what the checksum begins with where it covers encrypted values alone. */
const ONLY_ENCRYPTED = createHash("sha256").update(SOPS).digest();

/** The format of a file by its name, as the `sops` program chooses it. */
export function sopsFormatOf(path: string): SopsFormat {
  if (/\.ya?ml$/.test(path)) return "yaml";
  if (path.endsWith(".json")) return "json";
  if (path.endsWith(".env")) return "dotenv";
  return path.endsWith(".ini") ? "ini" : "binary";
}

/** What a file of each format must have to be encrypted. */
const SIGNS: Readonly<Record<SopsFormat, RegExp>> = {
  yaml: /^sops:|"sops"/m,
  json: /"sops"/,
  dotenv: /^sops_/m,
  ini: /^\[sops\]/m,
  binary: /^\s*\{[\s\S]*"sops"/,
};

/** True for what SOPS may have written: cheap, and never false for what it did write. */
export function maySopsEncrypted(data: Uint8Array, format: SopsFormat): boolean {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  if (!bytes.includes("ENC[AES256_GCM,") || !bytes.includes("lastmodified")) return false;
  return SIGNS[format].test(bytes.toString("utf8"));
}

export interface EncryptedFile {
  /** For messages, and for the format where that is not said. */
  readonly path: string;
  readonly data: Uint8Array;
  readonly format?: SopsFormat;
}

/**
 * The clear text of a file that SOPS encrypted, in the file's own format; undefined where it is not encrypted. Its checksum is
 * verified. Errors name the file, the key and the place, and never a value.
 */
export async function decryptSops(file: EncryptedFile, openers: KeyOpeners): Promise<string | undefined> {
  const { path, data, format = sopsFormatOf(path) } = file;
  if (!maySopsEncrypted(data, format)) return undefined;
  if (data.length > limits.sopsFileBytes) {
    throw new LimitExceededError(`${path}: the encrypted file is larger than ${limits.sopsFileBytes} bytes`);
  }
  const store = STORES[format];
  try {
    const found = split(store.parse(Buffer.from(data).toString("utf8")), store.metadata);
    if (!found) return undefined;
    const metadata = readMetadata(found.metadata);
    const key = await dataKey(metadata, openers);
    return store.emit(decryptBranches(found.branches, metadata, key));
  } catch (error) {
    throw inFile(path, error);
  }
}

function inFile(path: string, error: unknown): Error {
  if (!(error instanceof TiphysError))
    return new FailedPreconditionError(`${path}: ${messageOf(error)}`, { cause: error });
  error.message = `${path}: ${error.message}`;
  return error;
}

/** Takes the metadata out of the documents. */
function split(
  branches: readonly Branch[],
  form: Store["metadata"],
): { branches: Branch[]; metadata: Branch } | undefined {
  const [first = []] = branches;
  if (form === "flattened") {
    const isOurs = ([key]: readonly [string, Node]) => key.startsWith(FLAT_PREFIX);
    const metadata = first
      .filter(isOurs)
      .map(([key, node]) => [key.slice(FLAT_PREFIX.length), leafText(node)] as const);
    if (metadata.length === 0) return undefined;
    return { branches: [first.filter((entry) => !isOurs(entry))], metadata: unflatten(metadata) };
  }
  const own = first.filter(([key]) => key === SOPS).map(([, node]) => node);
  if (own.length > 1) throw new InvalidArgumentError(SOPS, "is there twice");
  const [node] = own;
  if (node?.kind !== "map") return undefined;
  const rest = branches.map((branch) => branch.filter(([key]) => key !== SOPS));
  if (form === "nested") return { branches: rest, metadata: node.entries };
  const flat = node.entries.map(([key, each]) => [key, leafText(each).replaceAll("\\n", "\n")] as const);
  return { branches: rest, metadata: unflatten(flat) };
}

const leafText = (node: Node): string => (node.kind === "leaf" ? node.leaf.text : "");

function decryptBranches(branches: readonly Branch[], metadata: Metadata, key: Uint8Array): Branch[] {
  const encrypted = ruleOf(metadata);
  const hash = createHash("sha512");
  if (metadata.macOnlyEncrypted) hash.update(ONLY_ENCRYPTED);

  const leafOf = (leaf: Leaf, path: readonly string[]): Leaf | undefined => {
    if (leaf.type === "null") return leaf;
    const is = encrypted(path, leaf);
    const place = `${path.join(":")}:`;
    if (is && leaf.type !== "str") {
      throw new InvalidArgumentError("", `${path.join(":")} should be encrypted and is not`);
    }
    const clear = is ? decryptValue(leaf.text, key, place) : leaf;
    if (clear && (is || !metadata.macOnlyEncrypted)) hash.update(clear.text);
    return clear;
  };
  // The path of an item is that of its list. Comments among the values of a list are dropped, as all comments are.
  const nodeOf = (node: Node, path: readonly string[]): Node | undefined => {
    if (node.kind === "leaf") {
      const leaf = leafOf(node.leaf, path);
      return leaf && { kind: "leaf", leaf };
    }
    if (node.kind === "map") return { kind: "map", entries: entriesOf(node.entries, path) };
    return { kind: "list", items: node.items.flatMap((item) => nodeOf(item, path) ?? []) };
  };
  const entriesOf = (entries: Branch, path: readonly string[]): Branch =>
    entries.flatMap(([name, value]): Branch => {
      const clear = nodeOf(value, [...path, name]);
      return clear ? [[name, clear]] : [];
    });

  const clear = branches.map((branch) => entriesOf(branch, []));
  checkMac(metadata, key, hash.digest());
  return clear;
}

function checkMac({ mac, lastModified }: Metadata, key: Uint8Array, computed: Uint8Array): void {
  const wanted = looksEncrypted(mac) ? decryptValue(mac, key, lastModified) : undefined;
  const bytes = Buffer.from(wanted?.text ?? "", "hex");
  if (bytes.length !== computed.length || !timingSafeEqual(bytes, computed)) {
    throw new FailedPreconditionError("its checksum does not fit: it was changed after it was encrypted");
  }
}

/** Whether the value at a path is one of those that are encrypted. */
function ruleOf({ rule }: Metadata): (path: readonly string[], leaf: Leaf) => boolean {
  const { by, pattern, encrypts } = rule;
  if (by === "suffix") return (path) => path.some((name) => name.endsWith(pattern)) === encrypts;
  if (by === "regex") {
    const regex = RE2JS.compile(pattern);
    return (path) => path.some((name) => regex.matcher(name).find()) === encrypts;
  }
  // Comments are not read: a value that has the form of an encrypted one is one, and the checksum proves it.
  return (_path, leaf) => leaf.type === "str" && looksEncrypted(leaf.text);
}
