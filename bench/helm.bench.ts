// The starter chart of `helm create` and a chart of a hundred templates, warm, beside the real program.
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Chart,
  type ChartFile,
  loadDirectory,
  type RenderedChart,
  readValueSources,
  renderChart,
} from "@tiphys/helm";
import { bench } from "./harness.js";

const helm = join(process.cwd(), ".cache", "programs", "helm");
const environment = { now: () => Date.now(), random: (count: number) => randomBytes(count) };

function readFolder(folder: string, prefix = ""): ChartFile[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory()
      ? readFolder(path, `${prefix}${name}/`)
      : [{ name: prefix + name, data: readFileSync(path) }];
  });
}

/** Ten kinds of the starter chart, ten times over. */
function hundredTemplates(starter: string, folder: string): void {
  mkdirSync(join(folder, "templates"), { recursive: true });
  for (const name of ["Chart.yaml", "values.yaml", "templates/_helpers.tpl"])
    writeFileSync(join(folder, name), readFileSync(join(starter, name)));
  const kinds = ["deployment.yaml", "service.yaml", "serviceaccount.yaml"];
  for (let i = 0; i < 100; i++) {
    const text = readFileSync(join(starter, "templates", kinds[i % kinds.length]!), "utf8");
    writeFileSync(join(folder, "templates", `t${i}.yaml`), text.replace(/^ {2}name: .*$/m, `$&-${i}`));
  }
}

/** Milliseconds, and milliseconds of processor time, that one of `count` calls takes. */
function measured(count: number, work: () => unknown): { milliseconds: number; cpu: number } {
  const start = performance.now();
  const before = process.cpuUsage();
  for (let i = 0; i < count; i++) work();
  const used = process.cpuUsage(before);
  return { milliseconds: (performance.now() - start) / count, cpu: (used.user + used.system) / 1000 / count };
}

const render = (chart: Chart, name: string): RenderedChart =>
  renderChart(chart, readValueSources({ set: ["replicaCount=3"] }), {
    releaseName: name,
    namespace: "bench",
    environment,
  });

/** Processor time of the program, its own children included, is not ours to read; the shortest of some runs comes near it. */
const program = (chart: string): number => {
  const start = performance.now();
  const { status } = spawnSync(helm, ["template", "web", chart, "--set", "replicaCount=3"], {
    env: { HOME: "/nonexistent" },
  });
  if (status !== 0) throw new Error(`helm template ended with ${status}`);
  return performance.now() - start;
};

await bench({
  name: "helm",
  run: async () => {
    const work = mkdtempSync(join(tmpdir(), "tiphys-bench-helm-"));
    try {
      if (!existsSync(helm)) throw new Error("node tools/programs.mjs puts helm where it is needed");
      spawnSync(helm, ["create", join(work, "starter")], { env: { HOME: "/nonexistent" } });
      const big = join(work, "big");
      hundredTemplates(join(work, "starter"), big);
      const figures: Record<string, number> = {};
      for (const [name, folder] of [
        ["starter", join(work, "starter")],
        ["hundred", big],
      ] as const) {
        const files = readFolder(folder);
        const chart = loadDirectory(files);
        let n = 0;
        const often = name === "starter" ? 1500 : 150;
        // Warm: the code is compiled, the chart is known; every render has another release name.
        measured(often, () => render(chart, `web-${n++}`));
        const warm = measured(often, () => render(chart, `web-${n++}`));
        const copy = () => files.map((file) => ({ ...file, data: Buffer.from(file.data) }));
        const cold = measured(often / 10, () => render(loadDirectory(copy()), `web-${n++}`));
        const helmMs = Math.min(...Array.from({ length: 8 }, () => program(folder)));
        figures[`${name}_warm_ms`] = warm.milliseconds;
        figures[`${name}_warm_cpu_ms`] = warm.cpu;
        figures[`${name}_new_commit_cpu_ms`] = cold.cpu;
        figures[`${name}_helm_ms`] = helmMs;
        figures[`${name}_times_cheaper`] = helmMs / warm.cpu;
      }
      return figures;
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  },
});
