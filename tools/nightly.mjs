#!/usr/bin/env node
// `npm run nightly`: every test on Node 24, all benchmarks, then the demo again and again, each on a new data folder, and
// after the last one a long idle time; memory is watched. Prints figures and ends with 1 when something failed.
// `--rounds N` sets the number of demos (default 10), `--runs N` the runs of each benchmark, `--minutes N` the idle time
// (default 10); `--no-bench` leaves the benchmarks out, `--no-tests` the tests.
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { parseArgs } from "node:util";
import { installNode24 } from "./programs.mjs";
import { checkNode, ensureBuilt, ensureInstalled, root } from "./setup.mjs";

const { values } = parseArgs({
  options: {
    rounds: { type: "string" },
    runs: { type: "string" },
    minutes: { type: "string" },
    "no-bench": { type: "boolean" },
    "no-tests": { type: "boolean" },
  },
});
const ROUNDS = Math.max(1, Number(values.rounds ?? 10) || 10);
const MINUTES = Math.max(0, Number(values.minutes ?? 10));
/** Longest time for one demo. */
const ROUND_MS = 180_000;
/** An idle suite may hold this much more after the idle time than a minute (or a tenth of it) after its demo. */
const GROWTH_MB = 40;
const SAMPLE_MS = 500;

checkNode();
ensureInstalled({ dev: !values["no-tests"] });
ensureBuilt();
const failures = [];

/** The tests run on the oldest Node that is supported everywhere else; here on the newest. */
function testsOnNode24() {
  if (process.platform !== "linux" || process.arch !== "x64") {
    console.log("skipped: tests on Node 24, which are for Linux on x64");
    return;
  }
  const bin = installNode24(root);
  const { status } = spawnSync(join(bin, "node"), [join(root, "tools/test.mjs")], {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` },
  });
  if (status !== 0) failures.push(`the tests on Node 24 ended with ${status}`);
}
if (!values["no-tests"]) testsOnNode24();

if (!values["no-bench"]) {
  const runs = values.runs === undefined ? [] : ["--runs", values.runs];
  const { status } = spawnSync(process.execPath, [join(root, "tools/bench.mjs"), "all", ...runs], {
    cwd: root,
    stdio: "inherit",
  });
  if (status !== 0) failures.push(`the benchmarks ended with ${status}`);
}

const residentMb = (pid) => {
  try {
    return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024;
  } catch {
    // Ended meanwhile.
    return 0;
  }
};

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Ends the pods that a suite left running for its next start. */
function endPodsOf(folder) {
  for (const name of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    try {
      if (readFileSync(`/proc/${name}/cmdline`, "utf8").includes(`${folder}/node/`))
        process.kill(Number(name), "SIGKILL");
    } catch {
      // It has ended by itself.
    }
  }
}

/** One start with the demo on a new folder; afterwards the suite stays up for `idle` milliseconds. */
async function round(idle) {
  const data = mkdtempSync(join(tmpdir(), "tiphys-nightly-"));
  const started = performance.now();
  const child = spawn(process.execPath, [join(root, "tools/start.mjs"), "--data", data, "--port", "0"], {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  let peak = 0;
  const sample = setInterval(() => {
    peak = Math.max(peak, residentMb(child.pid));
  }, SAMPLE_MS);
  const closed = new Promise((resolve) => child.once("close", resolve));
  try {
    const outcome = await new Promise((resolve) => {
      const limit = setTimeout(() => resolve(`not done after ${ROUND_MS / 1000} s`), ROUND_MS);
      for (const stream of [child.stdout, child.stderr]) {
        stream.on("data", (chunk) => {
          output += chunk;
          if (!/demo done|demo failed/.test(output)) return;
          clearTimeout(limit);
          resolve(output.includes("demo done") ? "done" : "failed");
        });
      }
      closed.then((code) => resolve(`ended with ${code}`));
    });
    const seconds = (performance.now() - started) / 1000;
    const samples = [];
    if (outcome === "done") {
      const parts = idle > 0 ? 10 : 0;
      for (let part = 0; part < parts; part++) {
        await wait(idle / parts);
        samples.push(Math.round(residentMb(child.pid)));
      }
    }
    return { outcome, seconds, peak, samples, output };
  } finally {
    clearInterval(sample);
    child.kill("SIGTERM");
    await closed;
    endPodsOf(data);
    rmSync(data, { recursive: true, force: true });
  }
}

const rounds = [];
for (let n = 1; n <= ROUNDS; n++) {
  const isLast = n === ROUNDS;
  const result = await round(isLast ? MINUTES * 60_000 : 0);
  rounds.push(result);
  const { outcome, seconds, peak, samples } = result;
  console.log(`demo ${n} of ${ROUNDS}: ${outcome} in ${seconds.toFixed(1)} s, memory ${peak.toFixed(0)} MB at most`);
  if (outcome !== "done") {
    failures.push(`demo ${n}: ${outcome}\n${result.output.trim().split("\n").slice(-5).join("\n")}`);
    break;
  }
  if (samples.length === 0) continue;
  console.log(`memory over ${MINUTES} idle minutes, in MB: ${samples.join(" ")}`);
  const growth = samples.at(-1) - samples[0];
  if (growth > GROWTH_MB) failures.push(`the idle suite grew by ${growth} MB in ${MINUTES} minutes`);
}
mkdirSync(join(root, "bench/results"), { recursive: true });
writeFileSync(
  join(root, "bench/results/nightly.json"),
  `${JSON.stringify({ at: new Date().toISOString(), rounds: rounds.map(({ output: _, ...figures }) => figures) }, null, 2)}\n`,
);
for (const failure of failures) console.error(`failed: ${failure}`);
process.exitCode = failures.length > 0 ? 1 : 0;
