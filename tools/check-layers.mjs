#!/usr/bin/env node
// Fails when a project imports from a layer above its own, or takes time, randomness or settings from the machine instead
// of its parts. Layers are tags in each project's package.json (style.md).
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const order = ["foundation", "contract", "domain", "adapter", "framework", "app"];
const pureLayers = new Set(["domain"]);
const forbiddenInPure = /^(node:(fs|net|http|https|child_process|worker_threads|os|dns|tls|timers).*)$/;

/** What comes in as a parameter (clock, random, settings), and the words with which a file says why it cannot. */
const fromOutside = [
  {
    use: /(?<![.\w])(?:set(?:Timeout|Interval)\s*\(|new Date(?:\(\s*\)|(?=\s*[;,)\]]))|Date\.now\b|Date\(\))|\bperformance\.now\b|node:timers/,
    what: "the machine's time",
    reason: "Real time:",
  },
  { use: /\bMath\.random\b/, what: "the machine's randomness", reason: "Real randomness:" },
  { use: /\bprocess\.env\b/, what: "the environment", reason: "Real environment:" },
];
/** Programs that run alone where there are no parts to be given: in a browser, in a user's container. */
const alone = new Set(["@tiphys/console", "@tiphys/executor"]);
/** Where a reason is none: a decision that looks at the machine cannot be replayed. */
const noReasons = new Set(["domain", "contract"]);

/** Uses of the outside world in one file, comments and texts left out. */
function outsideProblems(file, text, layer) {
  const problems = [];
  const code = text
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ""))
    .replace(/(^|\s)\/\/.*$/gm, "$1");
  for (const { use, what, reason } of fromOutside) {
    const line = code.split("\n").findIndex((each) => use.test(each)) + 1;
    if (line === 0 || (!noReasons.has(layer) && text.includes(`// ${reason} `))) continue;
    const way = noReasons.has(layer) ? "" : `, or say why not in a comment "// ${reason} …"`;
    problems.push(`${file}:${line}: takes ${what}: take it from the parts that main.ts passes${way}`);
  }
  return problems;
}

/** Every problem in the workspace at `root`, as sentences. */
export function layerProblems(root) {
  const projects = new Map();
  for (const group of ["libs", "apps"]) {
    const folder = join(root, group);
    if (!existsSync(folder)) continue;
    for (const name of readdirSync(folder)) {
      const manifest = join(folder, name, "package.json");
      if (!existsSync(manifest)) continue;
      const { name: id, nx } = JSON.parse(readFileSync(manifest, "utf8"));
      const layer = nx?.tags?.find((tag) => tag.startsWith("layer:"))?.slice(6);
      projects.set(id, { layer, folder: join(folder, name), group });
    }
  }
  const problems = [];
  for (const [id, project] of projects) {
    if (project.layer !== "testing" && !order.includes(project.layer)) {
      problems.push(`${id}: package.json has no layer tag out of ${order.join(", ")}`);
      continue;
    }
    for (const file of sources(join(project.folder, "src"))) {
      const test = /\.test\.tsx?$|\/contract\.ts$|\/testing(\.ts$|\/)|\/testdata\//.test(file);
      const text = readFileSync(file, "utf8");
      const entry = project.group === "apps" && /(?:^|[/-])main\.tsx?$/.test(file);
      if (!test && !entry && !alone.has(id) && id !== "@tiphys/clock" && project.layer !== "testing")
        problems.push(...outsideProblems(file, text, project.layer));
      for (const [, specifier] of text.matchAll(/(?:from|import)\s*\(?\s*["']([^"']+)["']/g)) {
        if (pureLayers.has(project.layer) && !test && forbiddenInPure.test(specifier)) {
          problems.push(`${file}: domain code must not import ${specifier}`);
        }
        const target = projects.get(specifier.split("/").slice(0, 2).join("/"));
        if (!target || test) continue;
        if (target.layer === "testing" && project.layer !== "testing") {
          problems.push(`${file}: only tests may import ${specifier}`);
        } else if (project.layer !== "testing" && order.indexOf(target.layer) > order.indexOf(project.layer)) {
          problems.push(`${file}: layer ${project.layer} must not import ${specifier} of layer ${target.layer}`);
        } else if (
          target.group === "apps" &&
          project.group === "apps" &&
          target !== project &&
          id !== "@tiphys/standalone"
        ) {
          problems.push(`${file}: apps speak to other apps by gRPC or bus, not by importing ${specifier}`);
        }
      }
    }
  }
  return problems;
}

function* sources(folder) {
  if (!existsSync(folder)) return;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* sources(path);
    else if (/\.tsx?$/.test(entry.name)) yield path;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = dirname(dirname(fileURLToPath(import.meta.url)));
  const problems = layerProblems(root);
  for (const problem of problems) console.error(problem);
  console.log(problems.length === 0 ? "layers are in order" : `${problems.length} layer problems`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}
