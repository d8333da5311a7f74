#!/usr/bin/env node
// `npm run bench -- NAME…`: runs benchmarks of bench/, each five times, and prints the medians. Raw runs are kept in
// bench/results. Without a name it lists what there is.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { cheapNames } from "./cheap-names.mjs";
import { checkNode, ensureBuilt, ensureInstalled, root } from "./setup.mjs";

checkNode();
ensureInstalled({ dev: false });
// Only now: a clean clone has no packages before.
const { build } = await import("esbuild");
ensureBuilt();
const folder = join(root, "bench");
const names = readdirSync(folder)
  .filter((name) => name.endsWith(".bench.ts"))
  .map((name) => name.slice(0, -".bench.ts".length))
  .sort();
const wanted = process.argv.slice(2);
const runsAt = wanted.indexOf("--runs");
const runs = runsAt < 0 ? [] : wanted.splice(runsAt, 2);
if (wanted.length === 0) {
  console.log(`npm run bench -- NAME… [--runs N]   NAME is one of: ${names.join(", ")}, all`);
  process.exit(0);
}
const chosen = wanted.includes("all") ? names : wanted;
for (const name of chosen) {
  if (!names.includes(name)) {
    console.error(`there is no benchmark "${name}": one of ${names.join(", ")}`);
    process.exit(2);
  }
}
const out = join(root, ".cache", "bench");
mkdirSync(out, { recursive: true });
mkdirSync(join(folder, "results"), { recursive: true });
for (const name of chosen) {
  const outfile = join(out, `${name}.mjs`);
  await build({
    entryPoints: [join(folder, `${name}.bench.ts`)],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    packages: "external",
    keepNames: true,
    metafile: true,
    plugins: [cheapNames(root)],
    absWorkingDir: root,
    alias: Object.fromEntries(
      ["libs", "apps"].flatMap((group) =>
        readdirSync(join(root, group))
          .filter((p) => existsSync(join(root, group, p, "src/index.ts")))
          .map((p) => [`@tiphys/${p}`, join(root, group, p, "src/index.ts")]),
      ),
    ),
    logLevel: "warning",
  });
  const { status } = spawnSync(process.execPath, ["--expose-gc", outfile, ...runs], { cwd: root, stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}
