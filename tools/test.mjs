#!/usr/bin/env node
// `npm test`: the checks and the tests. `--all` fails where something would be skipped; `--e2e` runs the end-to-end
// scenarios instead; other arguments go to jest. The last line is `N passed, N failed, N skipped`.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { checkNode, ensureBuilt, ensureInstalled, root } from "./setup.mjs";

checkNode();
ensureInstalled({ dev: true });
ensureBuilt();

const args = process.argv.slice(2);
const all = args.includes("--all");
const e2e = args.includes("--e2e");
const rest = args.filter((arg) => arg !== "--all" && arg !== "--e2e");
const count = { passed: 0, failed: 0, skipped: 0 };

function run(command, commandArgs, env = {}) {
  return spawnSync(command, commandArgs, {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, PATH: `${join(root, "node_modules/.bin")}:${process.env.PATH}`, ...env },
  }).status;
}

/** A check is one test: it passes or fails as a whole. */
function check(name, command, ...commandArgs) {
  const ok = run(command, commandArgs) === 0;
  count[ok ? "passed" : "failed"]++;
  console.log(`${ok ? "✓" : "✗"} ${name}`);
}

if (!e2e && rest.length === 0) {
  check("types", "tsc", "-p", "tsconfig.json", "--noEmit");
  check("lint and format", "biome", "check", "--diagnostic-level=error", ".");
  check("layers", process.execPath, "tools/check-layers.mjs");
  check("generated files are current", process.execPath, "tools/generate.mjs", "--check");
}

/**
 * Tests whose pods run on nodes of the real control plane: one after the other, since each would run the pods of the others. All
 * others may run beside each other.
 */
const onNodes = "(workflows-real|runtime-real|streams-real|/scenarios/[^/]*)\\.test\\.ts$";

/** Where the time goes: the files that took longest, for those who have to keep the whole under half an hour. */
function slowest(suites) {
  const seconds = (suite) => (suite.endTime - suite.startTime) / 1000;
  const longest = [...suites].sort((a, b) => seconds(b) - seconds(a)).slice(0, 12);
  return longest.map((suite) => `${seconds(suite).toFixed(0).padStart(5)} s  ${relative(root, suite.name)}`);
}

/** Runs jest once and adds up what it counted; gives its exit code. */
function jest(...jestArgs) {
  mkdirSync(join(root, ".cache"), { recursive: true });
  const work = mkdtempSync(join(root, ".cache", "test-"));
  const report = join(work, "report.json");
  const status = run(
    process.execPath,
    [
      "--experimental-vm-modules",
      "--no-warnings",
      join(root, "node_modules/jest/bin/jest.js"),
      "--json",
      `--outputFile=${report}`,
      ...jestArgs,
    ],
    all ? { TIPHYS_TEST_ALL: "1" } : {},
  );
  try {
    const result = JSON.parse(readFileSync(report, "utf8"));
    count.passed += result.numPassedTests;
    count.failed += result.numFailedTests + result.numRuntimeErrorTestSuites;
    count.skipped += result.numPendingTests + result.numTodoTests;
    const skippedIn = new Set();
    for (const suite of result.testResults) {
      for (const test of suite.assertionResults) {
        if (test.status === "pending") skippedIn.add(test.ancestorTitles[0] ?? test.title);
      }
    }
    for (const name of skippedIn) console.log(`skipped: ${name}`);
    if (rest.length === 0) for (const line of slowest(result.testResults)) console.log(line);
  } catch {
    count.failed++;
    console.log("jest left no report");
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return status;
}

let status;
if (e2e) status = jest("--config", "e2e/jest.config.mjs", "--runInBand", ...rest);
else if (rest.length > 0) status = jest(...rest);
else {
  status = jest("--testPathIgnorePatterns", "/node_modules/", onNodes);
  status = jest("--runInBand", "--testPathPatterns", onNodes) || status;
}
if (all && count.skipped > 0) {
  console.log("--all allows no skipped test");
  count.failed += count.skipped;
  count.skipped = 0;
}
if (status !== 0 && count.failed === 0) count.failed++;
console.log(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`);
process.exitCode = count.failed === 0 ? 0 : 1;
