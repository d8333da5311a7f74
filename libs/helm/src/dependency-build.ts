import { createHash } from "node:crypto";
import { parseConstraint, parseVersion } from "@tiphys/semver";
import { marshalJson, quote } from "@tiphys/template";
import type { Chart } from "./chart.js";
import { ChartError } from "./errors.js";
import { loadArchive } from "./load.js";
import type { Dependency } from "./metadata.js";

/** Where charts come from that a chart names and does not carry. */
export interface DependencySource {
  /**
   * The packed chart of a repository: an address, or `@name` and `alias:name` of one that is known by that name. `version` is a
   * version or a constraint.
   */
  archive(repository: string, name: string, version: string): Uint8Array;
  /** The chart in a folder beside this one, by its path from this chart's folder; undefined when there is none. */
  local(path: string): Chart | undefined;
}

/** Chart.lock, or requirements.lock of a chart of v1. */
export interface Lock {
  readonly digest: string;
  readonly dependencies: readonly Dependency[];
}

/** True when Chart.yaml names charts that are not in `charts/`. */
export function lacksDependencies(chart: Chart): boolean {
  const there = new Set(chart.dependencies.map(({ name }) => name));
  return (chart.metadata.dependencies ?? []).some(({ name }) => !there.has(name));
}

/**
 * The chart with everything in it that `helm dependency build` would get: by its lock where it has one, which must then fit its
 * Chart.yaml, and else by the newest versions that fit. The chart itself is not changed. Throws a {@link ChartError}.
 */
export function buildDependencies(chart: Chart, source: DependencySource): Chart {
  const wanted = chart.metadata.dependencies ?? [];
  const locked = chart.lock ? checkedLock(chart, chart.lock) : wanted;
  const got: Chart[] = [];
  const waiting: unknown[] = [];
  for (const dependency of locked) {
    try {
      const found = getOne(chart, dependency, source);
      if (found) got.push(found);
    } catch (error) {
      // Asked for all at once: an answer may take a while.
      if (error instanceof ChartError) throw error;
      waiting.push(error);
    }
  }
  if (waiting.length > 0) throw waiting[0];
  // What is new stands before what lay there, so that it is found first.
  const replaced = new Set(got.map(({ name, metadata }) => `${name} ${metadata.version}`));
  const kept = chart.dependencies.filter(({ name, metadata }) => !replaced.has(`${name} ${metadata.version}`));
  const built = chart.copy();
  built.setDependencies([...got, ...kept].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)));
  return built;
}

function getOne(chart: Chart, { name, version, repository }: Dependency, source: DependencySource): Chart | undefined {
  if (repository === "") {
    const there = chart.dependencies.find((each) => each.name === name);
    if (!there) throw new ChartError(`directory charts/${name} not found`);
    if (!fits(name, version, there.metadata.version)) {
      throw new ChartError(
        `dependency ${name} at version ${there.metadata.version} does not satisfy the constraint ${version}`,
      );
    }
    return undefined;
  }
  if (repository.startsWith("file://")) {
    const path = repository.slice("file://".length);
    const there = source.local(path);
    if (!there) throw new ChartError(`directory ${path} not found`);
    if (!fits(name, version, there.metadata.version)) {
      throw new ChartError(`can't get a valid version for dependency ${name}`);
    }
    return there;
  }
  fits(name, version, "0.0.0");
  const found = loadArchive(source.archive(repository, name, version));
  if (found.name !== name) {
    throw new ChartError(`the chart that ${repository} gives as ${quote(name)} has the name ${quote(found.name)}`);
  }
  return found;
}

function fits(name: string, constraint: string, version: string): boolean {
  let parsed: ReturnType<typeof parseConstraint>;
  try {
    parsed = parseConstraint(constraint);
  } catch {
    throw new ChartError(
      `dependency ${quote(name)} has an invalid version/constraint format: improper constraint: ${constraint}`,
    );
  }
  try {
    return parsed.check(parseVersion(version));
  } catch {
    return false;
  }
}

const isAlias = (repository: string): boolean => repository.startsWith("@") || repository.startsWith("alias:");

/** What the lock names, once it is sure that it was made for this Chart.yaml. */
function checkedLock({ metadata }: Chart, lock: Lock): readonly Dependency[] {
  const wanted = metadata.dependencies ?? [];
  // The lock was made with addresses in the place of names.
  const named = wanted.map((dependency, at) => {
    const repository = lock.dependencies[at]?.repository;
    return isAlias(dependency.repository) && repository !== undefined ? { ...dependency, repository } : dependency;
  });
  const digest = sha256(`[${listJson(named)},${listJson(lock.dependencies)}]`);
  if (digest === lock.digest) return lock.dependencies;
  const isOld = metadata.apiVersion === "v1";
  if (isOld && sha256(`{"dependencies":${listJson(wanted)}}`) === lock.digest.replace(/^(?!sha256:)/, "sha256:")) {
    return lock.dependencies;
  }
  const [lockFile, file] = isOld ? ["requirements.lock", "requirements.yaml"] : ["Chart.lock", "Chart.yaml"];
  throw new ChartError(
    `the lock file (${lockFile}) is out of sync with the dependencies file (${file}). Please update the dependencies`,
  );
}

const sha256 = (text: string): string => `sha256:${createHash("sha256").update(text).digest("hex")}`;

/** Dependencies as Go writes them in JSON: its fields in their order, without those that are empty. */
const listJson = (dependencies: readonly Dependency[]): string =>
  dependencies.length === 0 ? "null" : `[${dependencies.map(dependencyJson).join(",")}]`;

function dependencyJson({
  name,
  version,
  repository,
  condition,
  tags,
  enabled,
  importValues,
  alias,
}: Dependency): string {
  const members: [string, Parameters<typeof marshalJson>[0], boolean][] = [
    ["name", name, true],
    ["version", version, version !== ""],
    ["repository", repository, true],
    ["condition", condition, condition !== ""],
    ["tags", tags, tags.length > 0],
    ["enabled", enabled, enabled],
    ["import-values", importValues, importValues.length > 0],
    ["alias", alias, alias !== ""],
  ];
  return `{${members
    .filter(([, , said]) => said)
    .map(([key, value]) => `${marshalJson(key)}:${marshalJson(value)}`)
    .join(",")}}`;
}
