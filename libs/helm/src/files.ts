import { basePath, defineMethods, fromBytes, GoMap, type GoValue, sortedKeys, strings } from "@tiphys/template";
import { type ChartFile, textOf } from "./file.js";
import { globMatcher } from "./match.js";
import { toYaml } from "./yaml.js";

const TYPE = "engine.files";
const MAX_TEXT = 64 << 20;

/** `.Files`: the files of a chart that are no templates. */
export function filesValue(files: readonly ChartFile[]): GoMap {
  for (const file of files) texts.set(file.data, () => textOf(file));
  return new GoMap(
    TYPE,
    "[]uint8",
    files.map(({ name, data }) => [name, data] as const),
  );
}
const texts = new WeakMap<Uint8Array, () => string>();

const bytesAt = (files: GoMap, name: string) => files.get(name) as Uint8Array | undefined;
const textAt = (files: GoMap, name: string): string => {
  const bytes = bytesAt(files, name);
  return bytes ? (texts.get(bytes)?.() ?? fromBytes(bytes)) : "";
};
const contents = (files: GoMap, value: (name: string) => string) =>
  new Map(sortedKeys(files).map((name) => [basePath(name), value(name)]));

type Call = (...args: never[]) => GoValue;
defineMethods(TYPE, {
  Get: { params: ["string"], call: textAt as Call },
  GetBytes: {
    params: ["string"],
    call: ((files: GoMap, name: string) => bytesAt(files, name) ?? new Uint8Array()) as Call,
  },
  Glob: {
    params: ["string"],
    call: ((files: GoMap, pattern: string) => {
      let matches: (name: string) => boolean;
      try {
        matches = globMatcher(pattern);
      } catch {
        // A pattern that cannot be read matches everything, as in Helm.
        matches = () => true;
      }
      return new GoMap(
        TYPE,
        "[]uint8",
        [...files].filter(([name]) => matches(name)),
      );
    }) as Call,
  },
  AsConfig: {
    params: [],
    call: ((files: GoMap) =>
      toYaml(
        contents(files, (name) => textAt(files, name)),
        MAX_TEXT,
      )) as Call,
  },
  AsSecrets: {
    params: [],
    call: ((files: GoMap) =>
      toYaml(
        contents(files, (name) => Buffer.from(bytesAt(files, name)!).toString("base64")),
        MAX_TEXT,
      )) as Call,
  },
  Lines: {
    params: ["string"],
    call: ((files: GoMap, name: string) => {
      if (!files.has(name)) return strings([]);
      const text = textAt(files, name);
      if (text === "") throw new Error("runtime error: index out of range [-1]");
      return strings((text.endsWith("\n") ? text.slice(0, -1) : text).split("\n"));
    }) as Call,
  },
});
