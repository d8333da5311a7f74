#!/usr/bin/env node
// `npm run oracle -- DIR… [-f VALUES] [--set K=V] [--api-versions V] [--kube-version V] [--name N] [-n NS]`: renders each folder
// (or packed chart) with our engine and with the pinned program, and compares the objects. `--random SECONDS [--seed N]`
// compares charts that are made up. Ends with 1 when something differs.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { installPrograms } from "./programs.mjs";
import { checkNode, ensureInstalled, root } from "./setup.mjs";

checkNode();
ensureInstalled({ dev: false });
const { build } = await import("esbuild");
const programs = installPrograms(root);
const out = join(root, ".cache", "oracle");
mkdirSync(out, { recursive: true });
await build({
  entryPoints: [join(root, "tools/oracle/main.ts")],
  outfile: join(out, "main.mjs"),
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20",
  banner: {
    js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
  },
  alias: Object.fromEntries(
    readdirSync(join(root, "libs"))
      .filter((name) => existsSync(join(root, "libs", name, "src/index.ts")))
      .map((name) => [`@tiphys/${name}`, join(root, "libs", name, "src/index.ts")]),
  ),
  logLevel: "warning",
});
const { status } = spawnSync(process.execPath, [join(out, "main.mjs"), programs, ...process.argv.slice(2)], {
  stdio: "inherit",
});
process.exitCode = status ?? 1;
