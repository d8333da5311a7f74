import { InvalidArgumentError } from "@tiphys/errors";
import { type Constraint, compareVersions, parseConstraint, parseVersion, type Version } from "@tiphys/semver";

/** The version that a text says, as Masterminds' semver reads it (`v1`, `1.2`); undefined when it says none. */
export function versionOf(text: string): Version | undefined {
  try {
    return parseVersion(text);
  } catch {
    return undefined;
  }
}

function constraintOf(text: string): Constraint | undefined {
  try {
    return parseConstraint(text);
  } catch {
    return undefined;
  }
}

/** True for `^1.2`, `>=1 <2`, `*` and their like, and false for a version itself (`1.2` is one). */
export const isConstraint = (text: string): boolean =>
  versionOf(text) === undefined && constraintOf(text) !== undefined;

/** Newest first; of equal ones the earlier stays first. Texts that are no versions are left out. */
export function newestFirst(versions: readonly string[]): string[] {
  return versions
    .flatMap((text) => {
      const version = versionOf(text);
      return version ? [{ text, version }] : [];
    })
    .sort((a, b) => compareVersions(b.version, a.version))
    .map(({ text }) => text);
}

/**
 * The version out of `versions` (newest first) that `wanted` means: the one written the same, else the newest that fits as a
 * constraint, as `helm pull --version` takes it. Releases before their time fit only a constraint that names one. Undefined
 * when none fits; throws when `wanted` is neither version nor constraint.
 */
export function chooseVersion(
  wanted: string,
  versions: readonly string[],
  field = "targetRevision",
): string | undefined {
  if (wanted !== "" && versions.includes(wanted)) return wanted;
  const constraint = constraintOf(wanted === "" ? "*" : wanted);
  if (!constraint) {
    throw new InvalidArgumentError(field, `"${wanted}" is neither a version nor a semver constraint such as ^1.2`);
  }
  return versions.find((text) => {
    const version = versionOf(text);
    return version !== undefined && constraint.check(version);
  });
}
