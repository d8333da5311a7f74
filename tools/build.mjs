#!/usr/bin/env node
// Bundles every app with esbuild into apps/<app>/dist. Arguments name apps; none means all.
import { cpSync, existsSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { cheapNames } from "./cheap-names.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

// Loaded only where a setting asks for them, so they stay out of the bundle and off the start-up path.
const external = [
  "@kubernetes/client-node",
  "@nats-io/*",
  "@opentelemetry/sdk-*",
  "@opentelemetry/exporter-*",
  "@opentelemetry/resources",
  "bullmq",
  "ioredis",
  "libsql",
  "pg",
  "simple-git",
  "@grpc/reflection",
  "@grpc/proto-loader",
  "fengari",
];

const services = [
  "api-server",
  "repo-server",
  "app-controller",
  "workflow-controller",
  "rollouts-controller",
  "events-gateway",
  "standalone",
];
/** app → entry points by output name. */
const entries = {
  ...Object.fromEntries(services.map((name) => [name, { main: `apps/${name}/src/main.ts` }])),
  standalone: {
    main: "apps/standalone/src/main.ts",
    node: "apps/standalone/src/node-main.ts",
    demo: "apps/standalone/src/demo-main.ts",
    cluster: "apps/standalone/src/cluster-main.ts",
    "cluster-files": "apps/standalone/src/cluster-files.ts",
  },
  executor: { executor: "apps/executor/src/main.ts" },
  cli: { tiphys: "apps/cli/src/main.ts" },
};
/** Bundles that services start as child processes, copied beside each service that needs them. */
const workers = { "render-worker": "libs/render/src/worker.ts" };

const node = {
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20",
  outExtension: { ".js": ".mjs" },
  // Bundled CommonJS packages call require for Node's own modules.
  banner: {
    js: 'import { createRequire as tiphysRequire } from "node:module"; const require = tiphysRequire(import.meta.url);',
  },
  loader: { ".yaml": "text", ".md": "text" },
  keepNames: true,
  metafile: true,
  plugins: [cheapNames(root)],
  external,
  absWorkingDir: root,
  logLevel: "warning",
};

const wanted = process.argv.slice(2);
const jobs = [];
for (const [app, points] of Object.entries(entries)) {
  if (wanted.length > 0 && !wanted.includes(app)) continue;
  const existing = Object.fromEntries(Object.entries(points).filter(([, source]) => existsSync(join(root, source))));
  if (Object.keys(existing).length > 0)
    jobs.push(build({ ...node, entryPoints: existing, outdir: `apps/${app}/dist` }));
}
for (const [name, source] of Object.entries(workers)) {
  if (existsSync(join(root, source)))
    jobs.push(build({ ...node, entryPoints: { [name]: source }, outdir: "apps/repo-server/dist" }));
}
if ((wanted.length === 0 || wanted.includes("console")) && existsSync(join(root, "apps/console/src/main.tsx"))) {
  jobs.push(
    build({
      bundle: true,
      entryPoints: { console: "apps/console/src/main.tsx" },
      outdir: "apps/console/dist",
      format: "esm",
      target: "es2022",
      minify: true,
      jsx: "automatic",
      define: { "process.env.NODE_ENV": '"production"' },
      absWorkingDir: root,
      logLevel: "warning",
    }).then(() => {
      mkdirSync(join(root, "apps/console/dist"), { recursive: true });
      cpSync(join(root, "apps/console/src/index.html"), join(root, "apps/console/dist/index.html"));
    }),
  );
}
await Promise.all(jobs);
