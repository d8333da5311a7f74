#!/usr/bin/env node
// `npm run oracle -- PATH…`: finds the charts, kustomizations and Jsonnet programs at each path, renders them with our engine and
// with the pinned program, and prints where they differ. Ends with 1 when something does.
//   charts: [-f VALUES] [--set K=V] [--api-versions V] [--kube-version V] [--name N] [-n NS]; those in their ci folder are tried, too
//   Jsonnet: [-J FOLDER] [-V NAME=TEXT] [--ext-code NAME=CODE] [-A NAME=TEXT] [--tla-code NAME=CODE]; TIPHYS_JSONNET names the
//   program, else it is Debian's; without -J the vendor and lib folders above a program are its libraries
// `--random SECONDS [--seed N] [--engine charts|kustomizations|jsonnet]` compares sources that are made up. `-q` prints what differs
// alone.
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
const { status } = spawnSync(
  process.execPath,
  ["--max-old-space-size=4096", join(out, "main.mjs"), programs, ...process.argv.slice(2)],
  {
    stdio: "inherit",
  },
);
process.exitCode = status ?? 1;
