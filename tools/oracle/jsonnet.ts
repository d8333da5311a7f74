// Compares what our Jsonnet makes of a program with what a `jsonnet` program does: Debian's, or the one that TIPHYS_JSONNET names.
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { evaluateToJson, type Outside } from "@tiphys/jsonnet";
import { answer, ask, judge, type Outcome } from "./compare.js";

export interface JsonnetCase {
  readonly file: string;
  /** Library folders, the first one found in counts. */
  readonly libraries?: readonly string[];
  /** `NAME=TEXT`. */
  readonly extVars?: readonly string[];
  readonly extCode?: readonly string[];
  readonly topLevel?: readonly string[];
  readonly topLevelCode?: readonly string[];
}

/** The `vendor` and `lib` folders beside a program and above it, as the usual tools look for them. */
export function librariesOf(file: string): string[] {
  const found: string[] = [];
  for (let folder = dirname(resolve(file)); dirname(folder) !== folder; folder = dirname(folder)) {
    for (const name of ["vendor", "lib"]) if (existsSync(join(folder, name))) found.push(join(folder, name));
    if (existsSync(join(folder, "jsonnetfile.json"))) {
      found.push(folder);
      break;
    }
  }
  return found;
}

const outside = (texts: readonly string[] = [], codes: readonly string[] = []): Record<string, Outside> => {
  const parts = (given: string): [string, string] => {
    const sign = given.indexOf("=");
    return sign < 0 ? [given, ""] : [given.slice(0, sign), given.slice(sign + 1)];
  };
  return Object.fromEntries([
    ...texts.map(parts).map(([name, text]) => [name, { text }]),
    ...codes.map(parts).map(([name, code]) => [name, { code }]),
  ]);
};

const read = (text: string): unknown[] => [JSON.parse(text)];

/** Runs a program with both and compares the values. */
export function compareJsonnet(program: string, each: JsonnetCase): Promise<Outcome> {
  const file = resolve(each.file);
  const libraries = (each.libraries ?? librariesOf(file)).map((folder) => resolve(folder));
  const many = (option: string, list: readonly string[] = []) => list.flatMap((item) => [option, item]);
  const running = ask(program, [
    // The program looks into the last one first.
    ...many("-J", [...libraries].reverse()),
    ...many("--ext-str", each.extVars),
    ...many("--ext-code", each.extCode),
    ...many("--tla-str", each.topLevel),
    ...many("--tla-code", each.topLevelCode),
    file,
  ]);
  const ours = answer(() => {
    const text = evaluateToJson({
      file,
      text: readFileSync(file, "utf8"),
      extVars: outside(each.extVars, each.extCode),
      topLevelArguments: outside(each.topLevel, each.topLevelCode),
      importer: (from, wanted) => {
        for (const folder of [dirname(from), ...libraries]) {
          const path = resolve(folder, wanted);
          if (statSync(path, { throwIfNoEntry: false })?.isFile()) return { path, data: readFileSync(path) };
        }
        return undefined;
      },
    });
    return { text, objects: read(text) };
  });
  return running.then((theirs) => judge("jsonnet", ours, theirs, { read }));
}
