// What `npm start` and `npm test` share: installing what is missing and building what is stale.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
const MINIMUM = [20, 19];

/** Ends with a clear message on a Node that is too old. */
export function checkNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > MINIMUM[0] || (major === MINIMUM[0] && minor >= MINIMUM[1])) return;
  console.error(`Tiphys needs Node ${MINIMUM.join(".")} or newer; this is ${process.versions.node}.`);
  process.exit(1);
}

/** Installs the locked packages when they are missing or other than locked. `dev` includes the test tools. */
export function ensureInstalled({ dev }) {
  const marker = join(root, "node_modules", ".tiphys-installed.json");
  const lock = createHash("sha256")
    .update(readFileSync(join(root, "package-lock.json")))
    .digest("hex");
  const installed = existsSync(marker) ? JSON.parse(readFileSync(marker, "utf8")) : undefined;
  if (installed?.lock === lock && (installed.dev || !dev)) return;
  console.error(dev ? "Installing packages and test tools…" : "Installing packages…");
  // Not `npm ci`: the lock file may lack binaries of other platforms, which only `install` then adds for this one.
  const args = [
    "install",
    "--no-save",
    "--no-audit",
    "--no-fund",
    "--loglevel=error",
    ...(dev ? ["--include=dev"] : ["--omit=dev"]),
  ];
  const { status } = spawnSync("npm", args, {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, NODE_ENV: "" },
  });
  if (status !== 0) {
    console.error("npm install failed; nothing was started. Its output above says why.");
    process.exit(1);
  }
  writeFileSync(marker, JSON.stringify({ lock, dev }));
}

/** One hash over everything that a build reads: paths, sizes and times of change. */
function sourceHash() {
  const hash = createHash("sha256");
  const visit = (folder) => {
    for (const entry of readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (entry.name === "node_modules" || entry.name === "dist" || entry.name.endsWith(".test.ts")) continue;
      const path = join(folder, entry.name);
      if (entry.isDirectory()) visit(path);
      else {
        const { size, mtimeMs } = statSync(path);
        hash.update(`${path}\0${size}\0${mtimeMs}\n`);
      }
    }
  };
  for (const folder of ["apps", "libs", "examples"]) if (existsSync(join(root, folder))) visit(join(root, folder));
  for (const file of ["package-lock.json", "tools/build.mjs", "tools/cheap-names.mjs"]) {
    hash.update(readFileSync(join(root, file)));
  }
  return hash.digest("hex");
}

/** Builds the bundles when a source is newer than they are. */
export function ensureBuilt() {
  const marker = join(root, ".cache", "build.hash");
  const hash = sourceHash();
  if (
    existsSync(marker) &&
    readFileSync(marker, "utf8") === hash &&
    existsSync(join(root, "apps/standalone/dist/main.mjs"))
  )
    return;
  console.error("Building…");
  rmSync(marker, { force: true });
  const { status } = spawnSync(process.execPath, [join(root, "tools/build.mjs")], {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
  });
  if (status !== 0) {
    console.error("The build failed; its output above says where.");
    process.exit(1);
  }
  mkdirSync(dirname(marker), { recursive: true });
  writeFileSync(marker, hash);
}
