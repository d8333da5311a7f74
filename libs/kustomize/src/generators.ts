import { createHash } from "node:crypto";
import { goEscaped } from "@tiphys/canonical-json";
import { type Data, get, isMap, put, textOf } from "./data.js";
import { fail, within } from "./errors.js";
import { type Behavior, Resource } from "./resource.js";

export interface GeneratorOptions {
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly disableNameSuffixHash?: boolean;
  readonly immutable?: boolean;
}

export interface GeneratorArgs {
  readonly name?: string;
  readonly namespace?: string;
  readonly behavior?: string;
  readonly type?: string;
  readonly env?: string;
  readonly envs?: readonly string[];
  readonly literals?: readonly string[];
  readonly files?: readonly string[];
  readonly options?: GeneratorOptions;
}

export type Load = (path: string) => Uint8Array;

const KEY = /^[-._a-zA-Z0-9]+$/;
const ENV_NAME = /^[-._a-zA-Z][-._a-zA-Z0-9]*$/;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function readable(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Options of a generator over those of the kustomization. */
export function mergeOptions(own: GeneratorOptions = {}, all: GeneratorOptions | undefined): GeneratorOptions {
  if (!all) return own;
  return {
    labels: { ...all.labels, ...own.labels },
    annotations: { ...all.annotations, ...own.annotations },
    disableNameSuffixHash: Boolean(own.disableNameSuffixHash || all.disableNameSuffixHash),
    immutable: Boolean(own.immutable || all.immutable),
  };
}

function* envPairs(bytes: Uint8Array, path: string): Iterable<[string, Uint8Array]> {
  const text = readable(bytes);
  if (text === undefined) return fail(`env source file ${path} has invalid utf8 bytes`);
  const lines = text.split("\n");
  for (let at = 0; at < lines.length; at++) {
    let line = (lines[at] as string).replace(/\r$/, "");
    if (at === 0) line = line.replace(/^\ufeff/, "");
    line = line.trimStart();
    if (line === "" || line.startsWith("#")) continue;
    const sign = line.indexOf("=");
    const key = sign < 0 ? line : line.slice(0, sign);
    if (!ENV_NAME.test(key))
      fail(`env source file ${path}:${at + 1}: ${JSON.stringify(key)} is not a valid environment variable name`);
    yield [key, Buffer.from(sign < 0 ? "" : line.slice(sign + 1))];
  }
}

function literal(source: string): [string, Uint8Array] {
  const sign = source.indexOf("=");
  if (sign <= 0) return fail(`invalid literal source ${source}, expected key=value`);
  const value = source.slice(sign + 1);
  const quote = value[0];
  const quoted = value.length > 1 && value.at(-1) === quote && (quote === '"' || quote === "'");
  return [source.slice(0, sign), Buffer.from(quoted ? value.slice(1, -1) : value)];
}

function fileSource(source: string): { key: string; path: string } {
  const parts = source.split("=");
  if (parts.length === 1) return { key: source.slice(source.lastIndexOf("/") + 1), path: source };
  if (parts.length > 2) fail(`source ${JSON.stringify(source)} key name or file path contains '='`);
  const [key = "", path = ""] = parts;
  if (key === "") fail(`missing key name for file path ${JSON.stringify(path)} in source ${JSON.stringify(source)}`);
  if (path === "") fail(`missing file path for key name ${JSON.stringify(key)} in source ${JSON.stringify(source)}`);
  return { key, path };
}

function pairsOf(
  { name = "", envs = [], env, literals = [], files = [] }: GeneratorArgs,
  load: Load,
): Map<string, Uint8Array> {
  const pairs = new Map<string, Uint8Array>();
  const add = ([key, value]: [string, Uint8Array]): void => {
    if (!KEY.test(key)) fail(`${JSON.stringify(key)} is not a valid key name`);
    if (pairs.has(key)) fail(`configmap ${name} illegally repeats the key \`${key}\``);
    pairs.set(key, value);
  };
  for (const path of [...envs, ...(env ? [env] : [])]) for (const pair of envPairs(load(path), path)) add(pair);
  for (const source of literals) add(literal(source));
  for (const source of files) {
    const { key, path } = fileSource(source);
    add([key, load(path)]);
  }
  return pairs;
}

const LINE = 70;
/** Base64 in lines of 70, each ended, where it is longer than one. */
function base64(bytes: Uint8Array): string {
  const whole = Buffer.from(bytes).toString("base64");
  if (Math.floor(whole.length / LINE) + 1 === 1) return whole;
  return whole.replace(/.{1,70}/g, "$&\n");
}

/** Makes the ConfigMap or Secret of a generator. */
export function generate(kind: "ConfigMap" | "Secret", args: GeneratorArgs, load: Load): Resource {
  const { name, namespace, behavior = "", options = {}, type } = args;
  if (!name) return fail("a configmap must have a name");
  return within(`${kind} generator ${name}`, () => {
    const object: Data = { apiVersion: "v1", kind, metadata: { name, ...(namespace ? { namespace } : {}) } };
    if (kind === "Secret") Object.assign(object, { type: type || "Opaque", data: {} });
    const pairs = [...pairsOf(args, load)].sort(([a], [b]) => (a < b ? -1 : 1));
    for (const [key, value] of pairs) {
      const text = kind === "ConfigMap" ? readable(value) : undefined;
      const field = kind === "Secret" || text !== undefined ? "data" : "binaryData";
      if (!isMap(object[field])) object[field] = {};
      put(object[field] as Data, key, text ?? base64(value));
    }
    const metadata = object["metadata"] as Data;
    for (const map of ["labels", "annotations"] as const) {
      if (options[map] && Object.keys(options[map]).length > 0) metadata[map] = { ...options[map] };
    }
    if (options.immutable) object["immutable"] = true;
    const resource = new Resource(object);
    if (!["", "create", "merge", "replace", "unspecified"].includes(behavior)) {
      // As the original: a word that means nothing is none.
      resource.behavior = "";
    } else resource.behavior = behavior as Behavior;
    resource.needsHash = !options.disableNameSuffixHash;
    return resource;
  });
}

/** JSON as Go writes it: sorted, and safe in HTML. */
function goJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(goJson).join(",")}]`;
  if (isMap(value)) {
    const parts = Object.keys(value)
      .sort()
      .map((key) => `${goJson(key)}:${goJson(value[key])}`);
    return `{${parts.join(",")}}`;
  }
  const text = JSON.stringify(value);
  if (typeof value !== "string") return text;
  return goEscaped(text).replace(/\\[bf]/g, (letter) => (letter === "\\b" ? "\\u0008" : "\\u000c"));
}

/** The suffix that a name gets from the content. */
export function contentHash({ object, kind }: Resource): string {
  // The original means to count the name and reads a field that never is there.
  const name = "";
  const data = get(object, "data") ?? "";
  const binary = kind === "ConfigMap" ? "binaryData" : "stringData";
  const more = isMap(get(object, binary)) ? { [binary]: get(object, binary) } : {};
  const content =
    kind === "ConfigMap"
      ? { kind, name, data, ...more }
      : kind === "Secret"
        ? { kind, type: textOf(get(object, "type")), name, data, ...more }
        : object;
  const hex = createHash("sha256").update(goJson(content)).digest("hex").slice(0, 10);
  const letters: Readonly<Record<string, string>> = { 0: "g", 1: "h", 3: "k", a: "m", e: "t" };
  return hex.replace(/[013ae]/g, (digit) => letters[digit] as string);
}
