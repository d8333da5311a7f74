import { spawnSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { cpus, loadavg, totalmem } from "node:os";
import { join } from "node:path";

/** One run's figures, by name; the unit is part of the name (`seconds`, `rss_mb`, `writes_per_second`). */
export type Figures = Readonly<Record<string, number>>;

export interface Benchmark {
  readonly name: string;
  /** One whole run; figures that are compared are measured side by side within it. */
  run(index: number): Promise<Figures>;
  readonly runs?: number;
  /** Every run in a process of its own, so that memory and warm code of one run do not reach the next. */
  readonly isolated?: boolean;
}

/** Figures that others are put in proportion to: `<prefix>write_limit_per_second`, for all figures of that prefix. */
const LIMIT = "write_limit_per_second";
const ALONE = "--one-run";
const DEFAULT_RUNS = 5;

const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
};

const round = (value: number): number => Number(value.toPrecision(4));

/**
 * Runs a benchmark five times (`--runs N`: N times), keeps the raw runs, prints median, least and most of every figure.
 * All figures are also put in proportion to the write limit of the control plane in the same run: a time as the
 * number of writes it takes that long to do (`_in_writes`), a rate as a fraction (`_of_write_limit`), memory as what stands
 * behind a thousand writes per second (`_per_1000_writes_per_second`).
 */
export async function bench({ name, run, runs = wantedRuns(), isolated = false }: Benchmark): Promise<void> {
  if (process.argv.includes(ALONE)) {
    const figures = await run(Number(process.argv[process.argv.indexOf(ALONE) + 1]));
    process.stdout.write(`\n${JSON.stringify(figures)}\n`);
    return;
  }
  const load = loadavg()[0] ?? 0;
  const raw: Figures[] = [];
  for (let index = 0; index < runs; index++) {
    raw.push(inProportion(isolated ? runAlone(index) : await run(index)));
  }
  const names = [...new Set(raw.flatMap((figures) => Object.keys(figures)))];
  console.log(
    `\n${name}: ${runs} runs, Node ${process.versions.node}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, load ${load.toFixed(1)} before`,
  );
  const summary: Record<string, { median: number; min: number; max: number }> = {};
  for (const figure of names) {
    const values = raw.flatMap((figures) => figures[figure] ?? []);
    const line = { median: round(median(values)), min: round(Math.min(...values)), max: round(Math.max(...values)) };
    summary[figure] = line;
    console.log(`  ${figure.padEnd(52)} ${String(line.median).padStart(10)}   (${line.min} … ${line.max})`);
  }
  const folder = join(process.cwd(), "bench", "results");
  await mkdir(folder, { recursive: true });
  const machine = { node: process.versions.node, cores: cpus().length, cpu: cpus()[0]?.model, load };
  const result = { name, at: new Date().toISOString(), ...machine, summary, raw };
  await writeFile(join(folder, `${name}.json`), `${JSON.stringify(result, null, 2)}\n`);
}

function wantedRuns(): number {
  const at = process.argv.indexOf("--runs");
  return at < 0 ? DEFAULT_RUNS : Math.max(1, Number(process.argv[at + 1]) || DEFAULT_RUNS);
}

function runAlone(index: number): Figures {
  const [script = ""] = process.argv.slice(1);
  const child = spawnSync(process.execPath, [...process.execArgv, script, ALONE, String(index)], {
    stdio: ["ignore", "pipe", "inherit"],
    encoding: "utf8",
    maxBuffer: 16 << 20,
  });
  const last = child.stdout.trimEnd().split("\n").at(-1) ?? "";
  if (child.status !== 0 || !last.startsWith("{")) throw new Error(`run ${index} ended with ${child.status}`);
  return JSON.parse(last) as Figures;
}

function inProportion(figures: Figures): Figures {
  const all: Record<string, number> = { ...figures };
  const limits = Object.keys(figures).filter((figure) => figure.endsWith(LIMIT));
  // The longest prefix first: `real_` figures belong to the real control plane's limit.
  const prefixes = limits.map((figure) => figure.slice(0, -LIMIT.length)).sort((a, b) => b.length - a.length);
  for (const [figure, value] of Object.entries(figures)) {
    const prefix = prefixes.find((candidate) => figure.startsWith(candidate));
    const limit = prefix === undefined ? undefined : figures[prefix + LIMIT];
    if (limit === undefined || figure.endsWith(LIMIT) || figure.endsWith("_ratio")) continue;
    if (figure.endsWith("per_second")) all[`${figure}_of_write_limit`] = value / limit;
    else if (/_us(_|$)/.test(figure)) all[`${figure}_in_writes`] = (value / 1_000_000) * limit;
    else if (/_ms(_|$)/.test(figure)) all[`${figure}_in_writes`] = (value / 1000) * limit;
    else if (figure.endsWith("seconds")) all[`${figure}_in_writes`] = value * limit;
    else if (/_(mb|kb|bytes)(_|$)/.test(figure)) all[`${figure}_per_1000_writes_per_second`] = (value / limit) * 1000;
  }
  return all;
}

/** Seconds that `work` takes. */
export async function seconds(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

/** Milliseconds of processor time of this process (its threads included) that `work` takes. */
export async function cpuMilliseconds(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const used = process.cpuUsage(before);
  return (used.user + used.system) / 1000;
}

/** Runs `count` jobs, `width` at a time. */
export async function inParallel(
  count: number,
  width: number,
  job: (index: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: width }, async () => {
      while (next < count) await job(next++);
    }),
  );
}
