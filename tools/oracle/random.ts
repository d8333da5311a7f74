// Sources made up from a seed, compared until the time is over.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { seeded } from "@tiphys/testing";
import { randomProgram } from "../../libs/jsonnet/src/testing/random-program.js";
import type { Outcome } from "./compare.js";
import { compare } from "./helm.js";
import { compareJsonnet } from "./jsonnet.js";
import { compareKustomization } from "./kustomize.js";
import { makeChart } from "./random-chart.js";
import { makeKustomization } from "./random-kustomization.js";

export interface RandomOptions {
  readonly programs: { readonly helm: string; readonly kubectl: string; readonly jsonnet: string };
  readonly folder: string;
  readonly seconds: number;
  readonly seed: number;
  /** Most sources of it. */
  readonly most?: number;
}

export interface RandomResult {
  readonly seed: number;
  readonly compared: number;
  readonly counts: Readonly<Record<Outcome["kind"], number>>;
  readonly problems: readonly string[];
}

type Files = Readonly<Record<string, string>>;

/** How one kind of source is made and compared; both know it by its number. */
export const engines = {
  charts: {
    make: (seed: number): Files => makeChart(seed),
    run: (folder: string, seed: number, { helm }: RandomOptions["programs"]) =>
      compare(helm, { chart: folder, ...(seed % 2 === 1 ? { values: [join(folder, "given.yaml")] } : {}) }),
  },
  kustomizations: {
    make: (seed: number): Files => makeKustomization(seed),
    run: (folder: string, _seed: number, { kubectl }: RandomOptions["programs"]) =>
      compareKustomization(dirname(kubectl), join(folder, "app")),
  },
  jsonnet: {
    make: (seed: number): Files => ({ "program.jsonnet": randomProgram(seeded(seed)) }),
    run: (folder: string, _seed: number, { jsonnet }: RandomOptions["programs"]) =>
      compareJsonnet(jsonnet, { file: join(folder, "program.jsonnet"), libraries: [], extVars: ["name=tiphys"] }),
  },
} as const;
export type Engine = keyof typeof engines;

/** Most differences that are looked for before giving up. */
const ENOUGH = 5;

/** Compares made-up sources until the time is over; a problem names the seed that makes its source again. */
export async function randomSources(engine: Engine, options: RandomOptions): Promise<RandomResult> {
  const { programs, folder, seconds, seed, most = Number.POSITIVE_INFINITY } = options;
  const { make, run } = engines[engine];
  const counts = { equal: 0, "both fail": 0, different: 0, "not comparable": 0 };
  const problems: string[] = [];
  const end = performance.now() + seconds * 1000;
  let number = seed;
  const next = async (): Promise<void> => {
    while (performance.now() < end && number < seed + most && problems.length < ENOUGH) {
      const mine = number++;
      const place = join(folder, `${engine}-${mine}`);
      for (const [path, text] of Object.entries(make(mine))) {
        mkdirSync(dirname(join(place, path)), { recursive: true });
        writeFileSync(join(place, path), text);
      }
      const outcome = await run(place, mine, programs);
      counts[outcome.kind]++;
      if (outcome.kind === "different") problems.push(`${engine} of seed ${mine}: ${outcome.problem}`);
      rmSync(place, { recursive: true, force: true });
    }
  };
  await Promise.all([next(), next()]);
  return { seed, compared: number - seed, counts, problems };
}
