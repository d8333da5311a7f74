#!/usr/bin/env node
// `node tools/control-plane-churn.mjs FOLDER`: Kubernetes' own kube-controller-manager and kube-scheduler from FOLDER run
// on the embedded API through a churn of workloads. Prints what took how long and the errors in their logs; by hand.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { root } from "./setup.mjs";

const folder = process.argv[2];
if (!folder) {
  console.error("name the folder that has kube-controller-manager and kube-scheduler");
  process.exit(2);
}
const work = mkdtempSync(join(root, ".cache", "churn-"));
const entry = join(work, "churn.mjs");
await build({
  entryPoints: [join(root, "tools/control-plane-churn.ts")],
  bundle: true,
  platform: "node",
  format: "esm",
  outfile: entry,
  packages: "external",
  logLevel: "error",
  plugins: [
    {
      name: "workspace",
      setup: (b) =>
        b.onResolve({ filter: /^@tiphys\// }, ({ path }) => ({
          path: join(root, "libs", path.slice("@tiphys/".length), "src/index.ts"),
        })),
    },
  ],
});
const { status } = spawnSync(process.execPath, [entry, folder], { stdio: "inherit" });
rmSync(work, { recursive: true, force: true });
process.exit(status ?? 1);
