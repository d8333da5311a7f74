import { FunctionError } from "../errors.js";
import { byteLength } from "../go-string.js";
import type { GoFunction } from "../state.js";
import { quote } from "../strconv.js";
import { GoInt, GoStruct, type GoValue } from "../values.js";

/** A semantic version as Masterminds reads it: `v1`, `1.2` and leading zeros are taken, too. */
export interface Version {
  readonly major: bigint;
  readonly minor: bigint;
  readonly patch: bigint;
  readonly prerelease: string;
  readonly metadata: string;
  readonly original: string;
}

const MAX_VERSION = 256;
const MAX_CONSTRAINT = 512;
const MAX_GROUPS = 32;
const loose =
  /^v?([0-9]+)(\.[0-9]+)?(\.[0-9]+)?(-([0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*))?(\+([0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*))?$/;

/** Parses a version; throws a {@link FunctionError} with Masterminds' text. */
export function parseVersion(text: string): Version {
  if (byteLength(text) > MAX_VERSION) throw new FunctionError(`version string is too long (max ${MAX_VERSION} bytes)`);
  const match = loose.exec(text);
  if (!match) throw new FunctionError("invalid semantic version");
  const prerelease = match[5] ?? "";
  const metadata = match[8] ?? "";
  for (const part of prerelease === "" ? [] : prerelease.split(".")) {
    if (/^0[0-9]+$/.test(part)) throw new FunctionError("version segment starts with 0");
  }
  return {
    major: segment(match[1]!),
    minor: segment(match[2]?.slice(1) ?? "0"),
    patch: segment(match[3]?.slice(1) ?? "0"),
    prerelease,
    metadata,
    original: text,
  };
}

function segment(digits: string): bigint {
  const value = BigInt(digits);
  if (value >= 2n ** 64n) {
    throw new FunctionError(
      `error parsing version segment: strconv.ParseUint: parsing ${quote(digits)}: value out of range`,
    );
  }
  return value;
}

const order = <T>(a: T, b: T): number => (a < b ? -1 : a > b ? 1 : 0);

function comparePrerelease(a: string, b: string): number {
  const left = a.split(".");
  const right = b.split(".");
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const [x, y] = [left[i] ?? "", right[i] ?? ""];
    if (x === y) continue;
    if (x === "") return y === "" ? 0 : -1;
    if (y === "") return 1;
    const numeric = [/^[0-9]+$/.test(x), /^[0-9]+$/.test(y)];
    if (numeric[0] && numeric[1]) return order(BigInt(x), BigInt(y));
    if (numeric[0]) return -1;
    if (numeric[1]) return 1;
    return order(x, y);
  }
  return 0;
}

export function compareVersions(a: Version, b: Version): number {
  const numbers = order(a.major, b.major) || order(a.minor, b.minor) || order(a.patch, b.patch);
  if (numbers !== 0 || a.prerelease === b.prerelease) return numbers;
  if (a.prerelease === "") return 1;
  return b.prerelease === "" ? -1 : comparePrerelease(a.prerelease, b.prerelease);
}

const text = ({ major, minor, patch, prerelease, metadata }: Version): string =>
  `${major}.${minor}.${patch}${prerelease && `-${prerelease}`}${metadata && `+${metadata}`}`;

interface Comparison {
  readonly operator: string;
  readonly version: Version;
  readonly dirty: boolean;
  readonly minorDirty: boolean;
  readonly patchDirty: boolean;
}

const versionPart =
  "v?([0-9|x|X|\\*]+)(\\.[0-9|x|X|\\*]+)?(\\.[0-9|x|X|\\*]+)?(-([0-9A-Za-z\\-]+(\\.[0-9A-Za-z\\-]+)*))?(\\+([0-9A-Za-z\\-]+(\\.[0-9A-Za-z\\-]+)*))?";
const operators = "=||!=|>|<|>=|=>|<=|=<|~|~>|\\^";
// Go's alternation takes the first that lets the whole match: the same for JavaScript once each is anchored.
const one = new RegExp(`^\\s*(${operators})\\s*(${versionPart})\\s*$`);
const find = new RegExp(`(${operators})\\s*(${versionPart})`, "g");
const valid = new RegExp(
  `^(\\s*(${operators})\\s*(${versionPart})\\s*)((?:\\s+|,\\s*)(${operators})\\s*(${versionPart})\\s*)*$`,
);
const hyphen = new RegExp(`\\s*(${versionPart})\\s+-\\s+(${versionPart})\\s*`, "g");

const isWildcard = (part: string) => part === "x" || part === "X" || part === "*";

function parseComparison(given: string): Comparison {
  const match = one.exec(given);
  if (!match) throw new FunctionError(`improper constraint: ${given}`);
  const [, operator = "", whole = "", major = "", minor = "", patch = "", prerelease = ""] = match;
  let version = whole;
  let [dirty, minorDirty, patchDirty] = [false, false, false];
  if (isWildcard(major) || major === "") {
    version = `0.0.0${prerelease}`;
    dirty = true;
  } else if (isWildcard(minor.slice(1)) || minor === "") {
    minorDirty = dirty = true;
    version = `${major}.0.0${prerelease}`;
  } else if (isWildcard(patch.slice(1)) || patch === "") {
    dirty = patchDirty = true;
    version = `${major}${minor}.0${prerelease}`;
  }
  try {
    return { operator, version: parseVersion(version), dirty, minorDirty, patchDirty };
  } catch {
    throw new FunctionError("constraint parser error");
  }
}

export interface Constraint {
  check(version: Version): boolean;
}

/** Parses a constraint (`>=1.2 <2 || ^3`, `1.2 - 1.4`, `~1.x`); throws a {@link FunctionError}. */
export function parseConstraint(given: string): Constraint {
  if (byteLength(given) > MAX_CONSTRAINT)
    throw new FunctionError(`constraint string is too long (max ${MAX_CONSTRAINT} bytes)`);
  let rewritten = given;
  for (const match of given.matchAll(hyphen)) {
    rewritten = rewritten.replace(match[0], () => `>= ${match[1]}, <= ${match[10 + 1]} `);
  }
  const groups = rewritten.split("||");
  if (groups.length > MAX_GROUPS) throw new FunctionError(`too many constraint groups (max ${MAX_GROUPS})`);
  const alternatives = groups.map((group) => {
    if (!valid.test(group)) throw new FunctionError(`improper constraint: ${group}`);
    const comparisons = [...group.matchAll(find)].map(([each]) => parseComparison(each));
    return { comparisons, prerelease: comparisons.some(({ version }) => version.prerelease !== "") };
  });
  return {
    check: (version) =>
      alternatives.some(({ comparisons, prerelease }) =>
        comparisons.every((comparison) => satisfies(version, comparison, prerelease)),
      ),
  };
}

function satisfies(v: Version, c: Comparison, prerelease: boolean): boolean {
  if (v.prerelease !== "" && !prerelease) return false;
  const { version: w } = c;
  const compared = compareVersions(v, w);
  switch (c.operator) {
    case "":
    case "=":
      return c.dirty ? tilde(v, c, compared) : compared === 0;
    case "!=":
      if (c.dirty) {
        if (w.major !== v.major) return true;
        if (w.minor !== v.minor && !c.minorDirty) return true;
        if (c.minorDirty) return false;
        if (w.patch !== v.patch && !c.patchDirty) return true;
        if (c.patchDirty)
          return (v.prerelease !== "" || w.prerelease !== "") && comparePrerelease(v.prerelease, w.prerelease) !== 0;
      }
      return compared !== 0;
    case ">":
      if (!c.dirty || v.major !== w.major) return c.dirty ? v.major > w.major : compared > 0;
      if (c.minorDirty) return false;
      return c.patchDirty ? v.minor > w.minor : compared > 0;
    case "<":
      return compared < 0;
    case ">=":
    case "=>":
      return compared >= 0;
    case "<=":
    case "=<":
      if (!c.dirty) return compared <= 0;
      return !(v.major > w.major || (v.major === w.major && v.minor > w.minor && !c.minorDirty));
    case "~":
    case "~>":
      return tilde(v, c, compared);
    default:
      return caret(v, c, compared);
  }
}

function tilde(v: Version, c: Comparison, compared: number): boolean {
  const { version: w } = c;
  if (compared < 0) return false;
  if (w.major === 0n && w.minor === 0n && w.patch === 0n && !c.minorDirty && !c.patchDirty) return true;
  return v.major === w.major && (v.minor === w.minor || c.minorDirty);
}

function caret(v: Version, c: Comparison, compared: number): boolean {
  const { version: w } = c;
  if (compared < 0) return false;
  if (w.major > 0n || c.minorDirty) return v.major === w.major;
  if (v.major > 0n) return false;
  if (w.minor > 0n || c.patchDirty) return v.minor === w.minor;
  return v.minor === 0n && v.patch === w.patch;
}

const uint = (value: bigint) => new GoInt(value, "uint64");

/** A version as templates see it: `Major`, `Minor`, `Compare`, … */
export function versionValue(version: Version): GoStruct {
  const own = (value: GoValue) => ({ params: [], call: () => value });
  const changed = (change: Partial<Version>) => {
    const next = { ...version, ...change };
    const prefix = version.original.startsWith("v") ? "v" : "";
    return versionValue({ ...next, original: prefix + text(next) });
  };
  const against = (test: (compared: number) => GoValue) => ({
    params: ["any" as const],
    call: (other: GoValue) => {
      const found = other instanceof GoStruct ? versions.get(other) : undefined;
      if (!found) throw new FunctionError("wrong type for value; expected *semver.Version");
      return test(compareVersions(version, found));
    },
  });
  const value = new GoStruct("semver.Version", new Map(), {
    pointer: true,
    text: () => text(version),
    json: () => text(version),
    methods: {
      Major: own(uint(version.major)),
      Minor: own(uint(version.minor)),
      Patch: own(uint(version.patch)),
      Prerelease: own(version.prerelease),
      Metadata: own(version.metadata),
      Original: own(version.original),
      String: own(text(version)),
      IncMajor: {
        params: [],
        call: () => changed({ major: version.major + 1n, minor: 0n, patch: 0n, prerelease: "", metadata: "" }),
      },
      IncMinor: {
        params: [],
        call: () => changed({ minor: version.minor + 1n, patch: 0n, prerelease: "", metadata: "" }),
      },
      IncPatch: {
        params: [],
        call: () =>
          changed({
            patch: version.prerelease === "" ? version.patch + 1n : version.patch,
            prerelease: "",
            metadata: "",
          }),
      },
      SetPrerelease: { params: ["string"], call: (prerelease: string) => changed({ prerelease }) },
      SetMetadata: { params: ["string"], call: (metadata: string) => changed({ metadata }) },
      Compare: against((compared) => new GoInt(BigInt(compared))),
      Equal: against((compared) => compared === 0),
      LessThan: against((compared) => compared < 0),
      LessThanEqual: against((compared) => compared <= 0),
      GreaterThan: against((compared) => compared > 0),
      GreaterThanEqual: against((compared) => compared >= 0),
    },
  });
  versions.set(value, version);
  return value;
}
const versions = new WeakMap<GoStruct, Version>();

export const semverFunctions: Readonly<Record<string, GoFunction>> = {
  semver: { params: ["string"], call: ([given]) => versionValue(parseVersion(given)) },
  semverCompare: {
    params: ["string", "string"],
    call: ([constraint, given]) => {
      const parsed = parseConstraint(constraint);
      return parsed.check(parseVersion(given));
    },
  },
};
