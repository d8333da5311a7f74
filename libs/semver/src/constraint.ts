import { SemverError } from "./errors.js";
import { comparePrerelease, compareVersions, parseVersion, type Version } from "./version.js";

const MAX_CONSTRAINT = 512;
const MAX_GROUPS = 32;

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
  if (!match) throw new SemverError(`improper constraint: ${given}`);
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
    throw new SemverError("constraint parser error");
  }
}

export interface Constraint {
  check(version: Version): boolean;
}

/** Parses a constraint (`>=1.2 <2 || ^3`, `1.2 - 1.4`, `~1.x`); throws a {@link SemverError}. */
export function parseConstraint(given: string): Constraint {
  if (Buffer.byteLength(given) > MAX_CONSTRAINT)
    throw new SemverError(`constraint string is too long (max ${MAX_CONSTRAINT} bytes)`);
  let rewritten = given;
  for (const match of given.matchAll(hyphen)) {
    rewritten = rewritten.replace(match[0], () => `>= ${match[1]}, <= ${match[10 + 1]} `);
  }
  const groups = rewritten.split("||");
  if (groups.length > MAX_GROUPS) throw new SemverError(`too many constraint groups (max ${MAX_GROUPS})`);
  const alternatives = groups.map((group) => {
    if (!valid.test(group)) throw new SemverError(`improper constraint: ${group}`);
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
