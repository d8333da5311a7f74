import {
  compareVersions,
  parseConstraint,
  parseVersion,
  SemverError,
  versionText as text,
  type Version,
} from "@tiphys/semver";
import { FunctionError } from "../errors.js";
import type { GoFunction } from "../state.js";
import { GoInt, GoStruct, type GoValue } from "../values.js";

/** What the library refuses is a function's failure here. */
const failing = <T>(work: () => T): T => {
  try {
    return work();
  } catch (error) {
    throw error instanceof SemverError ? new FunctionError(error.message) : error;
  }
};

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
  semver: { params: ["string"], call: ([given]) => versionValue(failing(() => parseVersion(given))) },
  semverCompare: {
    params: ["string", "string"],
    call: ([constraint, given]) =>
      failing(() => {
        const parsed = parseConstraint(constraint);
        return parsed.check(parseVersion(given));
      }),
  },
};
