import { SemverError } from "./errors.js";

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
const loose =
  /^v?([0-9]+)(\.[0-9]+)?(\.[0-9]+)?(-([0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*))?(\+([0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*))?$/;

/** Parses a version; throws a {@link SemverError} with Masterminds' text. */
export function parseVersion(text: string): Version {
  if (Buffer.byteLength(text) > MAX_VERSION)
    throw new SemverError(`version string is too long (max ${MAX_VERSION} bytes)`);
  const match = loose.exec(text);
  if (!match) throw new SemverError("invalid semantic version");
  const prerelease = match[5] ?? "";
  const metadata = match[8] ?? "";
  for (const part of prerelease === "" ? [] : prerelease.split(".")) {
    if (/^0[0-9]+$/.test(part)) throw new SemverError("version segment starts with 0");
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
    throw new SemverError(`error parsing version segment: strconv.ParseUint: parsing "${digits}": value out of range`);
  }
  return value;
}

const order = <T>(a: T, b: T): number => (a < b ? -1 : a > b ? 1 : 0);

/** Below, equal or above 0 as `a` comes before, with or after `b`. */
export function comparePrerelease(a: string, b: string): number {
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

/** Below, equal or above 0 as `a` comes before, with or after `b`; metadata does not count. */
export function compareVersions(a: Version, b: Version): number {
  const numbers = order(a.major, b.major) || order(a.minor, b.minor) || order(a.patch, b.patch);
  if (numbers !== 0 || a.prerelease === b.prerelease) return numbers;
  if (a.prerelease === "") return 1;
  return b.prerelease === "" ? -1 : comparePrerelease(a.prerelease, b.prerelease);
}

/** `1.2.3-rc.1+build`, without a leading `v`. */
export const versionText = ({ major, minor, patch, prerelease, metadata }: Version): string =>
  `${major}.${minor}.${patch}${prerelease && `-${prerelease}`}${metadata && `+${metadata}`}`;
