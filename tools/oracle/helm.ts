// Compares our rendering of a chart with the pinned helm program. Bundled and run by oracle.mjs.
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { canonicalJson } from "@tiphys/canonical-json";
import {
  type ChartFile,
  loadArchive,
  loadDirectory,
  type RenderedChart,
  readValueSources,
  renderChart,
} from "@tiphys/helm";
import { parseYamlDocuments } from "@tiphys/yaml";

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

export type Outcome =
  | { readonly kind: "equal"; readonly objects: number; readonly sameText: boolean }
  | { readonly kind: "both fail"; readonly ours: string; readonly theirs: string }
  | { readonly kind: "different"; readonly problem: string };

function readFolder(folder: string, prefix = "", into: ChartFile[] = []): ChartFile[] {
  for (const name of readdirSync(folder).sort()) {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) readFolder(path, `${prefix}${name}/`, into);
    else into.push({ name: prefix + name, data: readFileSync(path) });
  }
  return into;
}

/** What helm prints, or its error. */
export function runHelm(program: string, each: HelmCase): { readonly text: string } | { readonly error: string } {
  const many = (option: string, list: readonly string[] = []) => list.flatMap((item) => [option, item]);
  const args = [
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
  ];
  const { status, stdout, stderr } = spawnSync(program, args, {
    encoding: "utf8",
    maxBuffer: 256 << 20,
    env: { PATH: process.env["PATH"], HOME: "/nonexistent", TZ: "UTC" },
  });
  return status === 0
    ? { text: stdout }
    : { error: stderr.replace(/^(?:level=|time=|WARNING|coalesce|\d{4}\/).*\n/gm, "").trim() };
}

/** Our rendering in the form helm prints it. */
export function runOurs(
  each: HelmCase,
): { readonly text: string; readonly result: RenderedChart } | { readonly error: string; readonly stack: string } {
  try {
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
    return { text: `${manifests}\n${result.hooks.map(part).join("")}`, result };
  } catch (error) {
    return { error: (error as Error).message, stack: (error as Error).stack ?? "" };
  }
}

const objectsOf = (text: string): unknown[] => parseYamlDocuments(text).map(({ value }) => value);

/** Where two values differ, as paths; empty when they are equal. */
export function differences(a: unknown, b: unknown, path = "", into: string[] = []): string[] {
  if (into.length > 200) return into;
  if (
    typeof a === "object" &&
    typeof b === "object" &&
    a !== null &&
    b !== null &&
    Array.isArray(a) === Array.isArray(b)
  ) {
    for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
      differences((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key], `${path}/${key}`, into);
    }
  } else if (a !== b && canonicalJson(a ?? null) !== canonicalJson(b ?? null)) into.push(path);
  return into;
}

const at = (value: unknown, path: string): unknown =>
  path
    .split("/")
    .slice(1)
    .reduce<unknown>((each, key) => (each as Record<string, unknown> | undefined)?.[key], value);

/** Renders with both and compares the objects; what differs between two runs of helm itself is left out. */
export function compare(program: string, each: HelmCase): Outcome {
  const theirs = runHelm(program, each);
  const ours = runOurs(each);
  if ("error" in theirs || "error" in ours) {
    if ("error" in theirs && "error" in ours) return { kind: "both fail", ours: ours.error, theirs: theirs.error };
    return {
      kind: "different",
      problem:
        "error" in ours
          ? `only ours fails: ${ours.error}\n${ours.stack}`
          : `only helm fails: ${(theirs as { error: string }).error}`,
    };
  }
  const [left, right] = [objectsOf(ours.text), objectsOf(theirs.text)];
  let found = differences(left, right);
  if (found.length > 0) {
    for (let again = 0; again < 3 && found.length > 0; again++) {
      const second = runHelm(program, each);
      const random = new Set("text" in second ? differences(right, objectsOf(second.text)) : []);
      found = found.filter((path) => ![...random].some((each2) => path === each2 || path.startsWith(`${each2}/`)));
    }
  }
  if (found.length > 0) {
    const shown = found.slice(0, 8).map((path) => {
      const index = Number(path.split("/")[1]);
      const object = right[index] as { kind?: string; metadata?: { name?: string } } | undefined;
      return `${object?.kind}/${object?.metadata?.name} ${path}\n    ours: ${JSON.stringify(at(left, path))?.slice(0, 600)}\n    helm: ${JSON.stringify(at(right, path))?.slice(0, 600)}`;
    });
    return {
      kind: "different",
      problem: `${found.length} differences (${left.length} and ${right.length} objects)\n  ${shown.join("\n  ")}`,
    };
  }
  return { kind: "equal", objects: left.length, sameText: ours.text === theirs.text };
}

/** The parts of helm's message that say what is wrong: ours has them, too. */
export const sameMessage = (ours: string, theirs: string): boolean =>
  theirs.replace(/^Error: /, "").replace(/\n\nUse --debug.*$/s, "") === ours;
