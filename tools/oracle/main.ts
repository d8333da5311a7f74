// The program behind `npm run oracle`; one engine after the other looks whether a folder is its own.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { compare, type HelmCase, sameMessage } from "./helm.js";
import { randomCharts } from "./random-chart.js";

const [programs = "", ...rest] = process.argv.slice(2);
const { values, positionals } = parseArgs({
  args: rest,
  allowPositionals: true,
  options: {
    values: { type: "string", short: "f", multiple: true },
    set: { type: "string", multiple: true },
    "set-string": { type: "string", multiple: true },
    "set-json": { type: "string", multiple: true },
    "api-versions": { type: "string", multiple: true },
    "kube-version": { type: "string" },
    name: { type: "string" },
    namespace: { type: "string", short: "n" },
    random: { type: "string" },
    seed: { type: "string" },
  },
});
const helm = join(programs, "helm");
let different = 0;
let compared = 0;

function report(name: string, each: HelmCase): void {
  const outcome = compare(helm, each);
  compared++;
  if (outcome.kind === "different") {
    different++;
    console.log(`✗ ${name}: ${outcome.problem}`);
  } else if (outcome.kind === "both fail") {
    console.log(
      `= ${name}: both fail${sameMessage(outcome.ours, outcome.theirs) ? ", with the same message" : `\n  ours: ${outcome.ours}\n  helm: ${outcome.theirs}`}`,
    );
  } else console.log(`✓ ${name}: ${outcome.objects} objects${outcome.sameText ? ", the same text" : ""}`);
}

for (const chart of positionals) {
  if (!existsSync(join(chart, "Chart.yaml")) && !chart.endsWith(".tgz")) {
    console.log(`? ${chart}: neither a chart nor anything else that is known here`);
    different++;
    continue;
  }
  report(chart, {
    chart,
    ...(values.name ? { releaseName: values.name } : {}),
    ...(values.namespace ? { namespace: values.namespace } : {}),
    values: values.values ?? [],
    set: values.set ?? [],
    setString: values["set-string"] ?? [],
    setJson: values["set-json"] ?? [],
    apiVersions: values["api-versions"] ?? [],
    ...(values["kube-version"] ? { kubeVersion: values["kube-version"] } : {}),
  });
}
if (values.random !== undefined) {
  const folder = mkdtempSync(join(tmpdir(), "tiphys-oracle-"));
  try {
    const result = randomCharts({
      helm,
      folder,
      seconds: Number(values.random),
      seed: Number(values.seed ?? Date.now() % 1e6),
    });
    compared += result.compared;
    different += result.problems.length;
    for (const problem of result.problems) console.log(`✗ ${problem}`);
    console.log(
      `random charts: ${result.compared} compared, ${result.failing} of them fail with both, seed ${result.seed}`,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
console.log(`${compared} compared, ${different} different`);
process.exitCode = different > 0 ? 1 : 0;
