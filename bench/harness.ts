import { mkdir, writeFile } from "node:fs/promises";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";

/** One run's figures, by name; the unit is part of the name (`seconds`, `rss_mb`, `writes_per_second`). */
export type Figures = Readonly<Record<string, number>>;

export interface Benchmark {
  readonly name: string;
  /** One whole run; figures that are compared are measured side by side within it. */
  run(index: number): Promise<Figures>;
  readonly runs?: number;
}

const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
};

const round = (value: number): number => Number(value.toPrecision(4));

/** Runs a benchmark five times, keeps the raw runs, prints median, least and most of every figure. */
export async function bench({ name, run, runs = 5 }: Benchmark): Promise<void> {
  const raw: Figures[] = [];
  for (let index = 0; index < runs; index++) raw.push(await run(index));
  const names = [...new Set(raw.flatMap((figures) => Object.keys(figures)))];
  console.log(
    `\n${name}: ${runs} runs, Node ${process.versions.node}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB`,
  );
  const summary: Record<string, { median: number; min: number; max: number }> = {};
  for (const figure of names) {
    const values = raw.map((figures) => figures[figure] ?? Number.NaN);
    summary[figure] = {
      median: round(median(values)),
      min: round(Math.min(...values)),
      max: round(Math.max(...values)),
    };
    console.log(
      `  ${figure.padEnd(44)} ${String(summary[figure].median).padStart(10)}   (${summary[figure].min} … ${summary[figure].max})`,
    );
  }
  const folder = join(process.cwd(), "bench", "results");
  await mkdir(folder, { recursive: true });
  await writeFile(
    join(folder, `${name}.json`),
    `${JSON.stringify({ name, node: process.versions.node, cores: cpus().length, summary, raw }, null, 2)}\n`,
  );
}

/** Seconds that `work` takes. */
export async function seconds(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
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
