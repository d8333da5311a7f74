import { parseConstraint } from "./constraint.js";
import { SemverError } from "./errors.js";
import { compareVersions, parseVersion, type Version } from "./version.js";

const versionOf = (text: string): Version | undefined => {
  try {
    return parseVersion(text);
  } catch (error) {
    if (error instanceof SemverError) return undefined;
    throw error;
  }
};

/** Whether a text is a version (`v1`, `1.2`, `1.2.3-rc.1`). */
export const isVersion = (text: string): boolean => versionOf(text) !== undefined;

/** Whether a text is a constraint (`1.2.*`, `^v1`, `>=1 <2`), and not the name of one version. */
export function isConstraint(text: string): boolean {
  if (isVersion(text)) return false;
  try {
    parseConstraint(text);
    return true;
  } catch (error) {
    if (error instanceof SemverError) return false;
    throw error;
  }
}

/**
 * The name of highest version that a constraint takes, as it is written; undefined when it takes none. Names that are
 * no versions are passed over, of equal versions the first counts.
 */
export function highestOf(names: Iterable<string>, constraint: string): string | undefined {
  const wanted = parseConstraint(constraint);
  let best: { readonly name: string; readonly version: Version } | undefined;
  for (const name of names) {
    const version = versionOf(name);
    if (!version || !wanted.check(version)) continue;
    if (!best || compareVersions(version, best.version) > 0) best = { name, version };
  }
  return best?.name;
}
