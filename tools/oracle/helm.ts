// Compares our rendering of a chart with the pinned helm program. Bundled and run by oracle.mjs.
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { type ChartFile, loadArchive, loadDirectory, readValueSources, renderChart } from "@tiphys/helm";
import { type Answer, answer, ask, judge, type Outcome, type OwnAnswer, objectsOf } from "./compare.js";

export interface HelmCase {
  /** A chart's folder or its packed file. */
  readonly chart: string;
  readonly releaseName?: string;
  readonly namespace?: string;
  readonly values?: readonly string[];
  readonly set?: readonly string[];
  readonly setString?: readonly string[];
  readonly setJson?: readonly string[];
  readonly setLiteral?: readonly string[];
  readonly setFile?: readonly string[];
  readonly apiVersions?: readonly string[];
  readonly kubeVersion?: string;
  readonly isUpgrade?: boolean;
}

function readFolder(folder: string, prefix = "", into: ChartFile[] = []): ChartFile[] {
  for (const name of readdirSync(folder).sort()) {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) readFolder(path, `${prefix}${name}/`, into);
    else into.push({ name: prefix + name, data: readFileSync(path) });
  }
  return into;
}

/** What helm prints, or its error. */
export async function runHelm(program: string, each: HelmCase): Promise<Answer> {
  const many = (option: string, list: readonly string[] = []) => list.flatMap((item) => [option, item]);
  const given = await ask(program, [
    "template",
    each.releaseName ?? "release",
    each.chart,
    "--namespace",
    each.namespace ?? "default",
    "--include-crds",
    ...many("-f", each.values),
    ...many("--set", each.set),
    ...many("--set-string", each.setString),
    ...many("--set-json", each.setJson),
    ...many("--set-literal", each.setLiteral),
    ...many("--set-file", each.setFile),
    ...many("--api-versions", each.apiVersions),
    ...(each.kubeVersion ? ["--kube-version", each.kubeVersion] : []),
    ...(each.isUpgrade ? ["--is-upgrade"] : []),
  ]);
  if ("text" in given) return given;
  return { ...given, error: given.error.replace(/^(?:level=|time=|WARNING|coalesce|\d{4}\/).*\n/gm, "").trim() };
}

/** Our rendering in the form helm prints it. */
export const runOurs = (each: HelmCase): OwnAnswer =>
  answer(() => {
    const chart = statSync(each.chart).isDirectory()
      ? loadDirectory(readFolder(each.chart))
      : loadArchive(readFileSync(each.chart));
    const values = readValueSources({
      files: (each.values ?? []).map((name) => ({ name, text: readFileSync(name, "utf8") })),
      set: each.set ?? [],
      setString: each.setString ?? [],
      json: each.setJson ?? [],
      setLiteral: each.setLiteral ?? [],
      setFile: each.setFile ?? [],
      readFile: (path) => readFileSync(path, "utf8"),
    });
    const result = renderChart(chart, values, {
      releaseName: each.releaseName ?? "release",
      namespace: each.namespace ?? "default",
      isUpgrade: each.isUpgrade ?? false,
      apiVersions: each.apiVersions ?? [],
      ...(each.kubeVersion ? { kubeVersion: each.kubeVersion } : {}),
      environment: { now: () => Date.now(), random: (count) => randomBytes(count) },
    });
    const part = ({ path, text }: { path: string; text: string }) => `---\n# Source: ${path}\n${text}\n`;
    const manifests = [...result.crds, ...result.manifests].map(part).join("").trim();
    const text = `${manifests}\n${result.hooks.map(part).join("")}`;
    return { text, objects: objectsOf(text) };
  });

/** Renders with both and compares the objects; what differs between two runs of helm itself is left out. */
export async function compare(program: string, each: HelmCase): Promise<Outcome> {
  const running = runHelm(program, each);
  const ours = runOurs(each);
  return judge("helm", ours, await running, { again: () => runHelm(program, each) });
}

/** The parts of helm's message that say what is wrong: ours has them, too. */
export const sameMessage = (ours: string, theirs: string): boolean =>
  theirs.replace(/^Error: /, "").replace(/\n\nUse --debug.*$/s, "") === ours;
