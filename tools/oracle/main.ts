// The program behind `npm run oracle`: finds the sources in folders, or makes them up, and compares each with its program.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Outcome } from "./compare.js";
import { type Found, findSources } from "./find.js";
import { compare, sameMessage } from "./helm.js";
import { compareJsonnet } from "./jsonnet.js";
import { compareKustomization } from "./kustomize.js";
import { type Engine, engines, randomSources } from "./random.js";

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
    jpath: { type: "string", short: "J", multiple: true },
    "ext-str": { type: "string", short: "V", multiple: true },
    "ext-code": { type: "string", multiple: true },
    "tla-str": { type: "string", short: "A", multiple: true },
    "tla-code": { type: "string", multiple: true },
    random: { type: "string" },
    engine: { type: "string", multiple: true },
    seed: { type: "string" },
    quiet: { type: "boolean", short: "q" },
  },
});
const jsonnet = process.env["TIPHYS_JSONNET"] || "jsonnet";
const counts = { equal: 0, "both fail": 0, different: 0, "not comparable": 0 };

function report(name: string, outcome: Outcome): void {
  counts[outcome.kind]++;
  if (outcome.kind === "different") console.log(`✗ ${name}: ${outcome.problem}`);
  else if (outcome.kind === "not comparable") console.log(`? ${name}: ${outcome.reason}`);
  else if (values.quiet) return;
  else if (outcome.kind === "equal") {
    console.log(`✓ ${name}: ${outcome.objects} objects${outcome.sameText ? ", the same text" : ""}`);
  } else {
    const same = sameMessage(outcome.ours, outcome.theirs);
    console.log(
      `= ${name}: both fail${same ? ", with the same message" : `\n  ours:   ${outcome.ours.trim()}\n  theirs: ${outcome.theirs.trim()}`}`,
    );
  }
}

const helmCase = (chart: string, files: readonly string[]) => ({
  chart,
  ...(values.name ? { releaseName: values.name } : {}),
  ...(values.namespace ? { namespace: values.namespace } : {}),
  values: [...files, ...(values.values ?? [])],
  set: values.set ?? [],
  setString: values["set-string"] ?? [],
  setJson: values["set-json"] ?? [],
  apiVersions: values["api-versions"] ?? [],
  ...(values["kube-version"] ? { kubeVersion: values["kube-version"] } : {}),
});

type Work = { readonly name: string; run(): Promise<Outcome> };

/** What to compare for one source: a chart also with each of the values files in its `ci` folder. */
function* workFor(source: Found): Iterable<Work> {
  const { path } = source;
  if (source.kind === "kustomization") yield { name: path, run: () => compareKustomization(programs, path) };
  else if (source.kind === "jsonnet") {
    const each = {
      file: path,
      ...(values.jpath ? { libraries: values.jpath } : {}),
      extVars: values["ext-str"] ?? [],
      extCode: values["ext-code"] ?? [],
      topLevel: values["tla-str"] ?? [],
      topLevelCode: values["tla-code"] ?? [],
    };
    yield { name: path, run: () => compareJsonnet(jsonnet, each) };
  } else {
    const helm = join(programs, "helm");
    yield { name: path, run: () => compare(helm, helmCase(path, [])) };
    for (const file of source.values)
      yield { name: `${path} -f ${file.slice(path.length + 1)}`, run: () => compare(helm, helmCase(path, [file])) };
  }
}

function* allWork(): Iterable<Work> {
  for (const path of positionals) {
    let found = 0;
    for (const source of existsSync(path) ? findSources(path) : []) {
      found++;
      yield* workFor(source);
    }
    if (found === 0) {
      const reason = existsSync(path)
        ? "no chart, kustomization or Jsonnet program is there"
        : "no such folder or file";
      yield { name: path, run: async () => ({ kind: "different", problem: reason }) };
    }
  }
}

const work = allWork()[Symbol.iterator]();
/** The programs run beside each other and beside our engine; what is found is said in order of the end. */
await Promise.all(
  Array.from({ length: availableParallelism() }, async () => {
    for (let next = work.next(); !next.done; next = work.next()) report(next.value.name, await next.value.run());
  }),
);

if (values.random !== undefined) {
  const folder = mkdtempSync(join(tmpdir(), "tiphys-oracle-"));
  const chosen = (values.engine ?? Object.keys(engines)) as Engine[];
  const seed = Number(values.seed ?? Date.now() % 1e6);
  try {
    for (const engine of chosen) {
      if (!Object.hasOwn(engines, engine)) throw new Error(`--engine is one of ${Object.keys(engines).join(", ")}`);
      const result = await randomSources(engine, {
        programs: { helm: join(programs, "helm"), kubectl: join(programs, "kubectl"), jsonnet },
        folder,
        seconds: Number(values.random) / chosen.length,
        seed,
      });
      for (const [kind, count] of Object.entries(result.counts)) counts[kind as Outcome["kind"]] += count;
      for (const problem of result.problems) console.log(`✗ ${problem}`);
      console.log(
        `${engine} by chance: ${result.compared} compared, ${result.counts["both fail"]} fail with both, seed ${seed}`,
      );
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
const total = Object.values(counts).reduce((a, b) => a + b, 0);
console.log(
  `${total} compared: ${counts.equal} equal, ${counts["both fail"]} fail with both, ${counts["not comparable"]} not comparable, ${counts.different} different`,
);
process.exitCode = counts.different > 0 ? 1 : 0;
