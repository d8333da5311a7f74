#!/usr/bin/env node
// Fails when a project imports from a layer above its own. Layers are tags in each project's package.json (style.md).
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const order = ["foundation", "contract", "domain", "adapter", "framework", "app"];
const pureLayers = new Set(["domain"]);
const forbiddenInPure = /^(node:(fs|net|http|https|child_process|worker_threads|os|dns|tls|timers).*)$/;

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
      const test = /\.test\.tsx?$|\/contract\.ts$|\/testdata\//.test(file);
      const text = readFileSync(file, "utf8");
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
