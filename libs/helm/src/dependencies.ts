import { parseConstraint, parseVersion } from "@tiphys/semver";
import { deepCopy, formatValue, type GoValue } from "@tiphys/template";
import type { Chart, Values } from "./chart.js";
import { coalesceValues, mergeTables, tableAt, valueAt } from "./coalesce.js";
import { ChartError } from "./errors.js";
import type { Dependency } from "./metadata.js";

/** Whether a version fits a constraint; false for either that cannot be read. */
export function isCompatible(constraint: string, version: string): boolean {
  try {
    const parsed = parseVersion(version);
    return parseConstraint(constraint).check(parsed);
  } catch {
    return false;
  }
}

/** Refuses a chart whose Chart.yaml names charts that are not in its folder `charts/`. */
export function checkDependencies(chart: Chart): void {
  const names = new Set(chart.dependencies.map(({ name }) => name));
  const missing = (chart.metadata.dependencies ?? []).filter(({ name }) => !names.has(name)).map(({ name }) => name);
  if (missing.length === 0) return;
  throw new ChartError(
    `an error occurred while checking for chart dependencies. You may need to run \`helm dependency build\` to fetch missing dependencies: found in Chart.yaml, but missing in charts/ directory: ${missing.join(", ")}`,
  );
}

/** Switches dependencies by condition and tag, gives aliases their charts, imports values. Changes the chart. */
export function processDependencies(chart: Chart, values: Values): void {
  enable(chart, values, "");
  importAll(chart);
}

function enable(chart: Chart, values: Values, path: string): void {
  const listed = chart.metadata.dependencies;
  if (!listed) return;
  const charts = chart.dependencies.filter(
    (each) => !listed.some(({ name, version }) => each.name === name && isCompatible(version, each.metadata.version)),
  );
  for (const dependency of listed) {
    const found = aliased(chart.dependencies, dependency);
    if (found) charts.push(found);
    if (dependency.alias !== "") dependency.name = dependency.alias;
  }
  chart.setDependencies(charts);
  for (const dependency of listed) dependency.enabled = true;
  const merged = coalesceValues(chart, values);
  byTags(listed, merged);
  byConditions(listed, merged, path);
  const off = new Set(listed.filter(({ enabled }) => !enabled).map(({ name }) => name));
  const kept = charts.filter(({ name }) => !off.has(name));
  const keptListed = listed.filter(({ name }) => !off.has(name));
  for (const each of kept) enable(each, merged, `${path}${each.name}.`);
  chart.metadata.dependencies = keptListed.length > 0 ? keptListed : undefined;
  chart.setDependencies(kept);
}

function aliased(charts: readonly Chart[], { name, version, alias }: Dependency): Chart | undefined {
  const found = charts.find((each) => each.name === name && isCompatible(version, each.metadata.version));
  if (!found) return undefined;
  const copy = found.copy();
  copy.setDependencies(found.dependencies.map((each) => shallow(each)));
  if (alias !== "") copy.metadata.name = alias;
  return copy;
}

/** A chart of its own that shares its metadata with the other, as Helm's shallow copy does. */
function shallow(chart: Chart): Chart {
  const copy = chart.copy();
  copy.metadata = chart.metadata;
  return copy;
}

function byTags(dependencies: readonly Dependency[], values: Values): void {
  const tags = tableAt(values, "tags");
  if (!tags) return;
  for (const dependency of dependencies) {
    const said = dependency.tags.map((tag) => tags.get(tag));
    const yes = said.includes(true);
    dependency.enabled = yes || !said.includes(false);
  }
}

function byConditions(dependencies: readonly Dependency[], values: Values, path: string): void {
  for (const dependency of dependencies) {
    for (const condition of dependency.condition.trim().split(",")) {
      if (condition === "") continue;
      const value = valueAt(values, path + condition);
      if (typeof value === "boolean") {
        dependency.enabled = value;
        break;
      }
    }
  }
}

function importAll(chart: Chart): void {
  for (const each of chart.dependencies) importAll(each);
  const { dependencies } = chart.metadata;
  if (!dependencies) return;
  const values = coalesceValues(chart, new Map(), { merge: true });
  const imported: Values = new Map();
  for (const dependency of dependencies) {
    dependency.importValues = dependency.importValues.flatMap((each): GoValue[] => {
      const wanted = importOf(each);
      if (!wanted) return [];
      const table = tableAt(values, `${dependency.name}.${wanted.child}`);
      if (table) mergeTables(imported, at(wanted.parent, table), { merge: true });
      return [new Map(Object.entries(wanted))];
    });
  }
  chart.values = mergeTables(deepCopy(values) as Values, imported, { merge: true });
}

function importOf(value: GoValue): { readonly child: string; readonly parent: string } | undefined {
  if (typeof value === "string") return { child: `exports.${value}`, parent: "." };
  if (!(value instanceof Map)) return undefined;
  return { child: formatValue(value.get("child")), parent: formatValue(value.get("parent")) };
}

function at(path: string, table: Values): Values {
  if (path === ".") return table;
  return path.split(".").reduceRight<Values>((inner, key) => new Map([[key, inner]]), table);
}
