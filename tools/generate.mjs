#!/usr/bin/env node
// Generates everything that is made from something else: code from proto/, CRD YAML from libs/resources. `--check` only
// compares and fails on drift.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const check = process.argv.includes("--check");
const env = { ...process.env, PATH: `${join(root, "node_modules/.bin")}:${process.env.PATH}` };

/** relative path → content of every generated file. */
async function generate() {
  const files = new Map();
  const work = mkdtempSync(join(tmpdir(), "tiphys-generate-"));
  try {
    const template = readFileSync(join(root, "proto/buf.gen.yaml"), "utf8").replace(
      /out: .*/,
      `out: ${join(work, "code")}`,
    );
    writeFileSync(join(work, "buf.gen.yaml"), template);
    execFileSync("buf", ["generate", "--template", join(work, "buf.gen.yaml"), join(root, "proto")], {
      env,
      stdio: "inherit",
      cwd: work,
    });
    collect(join(work, "code"), "libs/proto/src/generated", files);
    execFileSync("buf", ["build", join(root, "proto"), "-o", join(work, "image.binpb"), "--as-file-descriptor-set"], {
      env,
      stdio: "inherit",
      cwd: work,
    });
    const image = readFileSync(join(work, "image.binpb")).toString("base64");
    files.set(
      "libs/proto/src/generated/descriptors.ts",
      `/** The descriptor set of proto/, for reflection and REST transcoding: base64 of a google.protobuf.FileDescriptorSet. */\nexport const descriptorSet =\n  "${image}";\n`,
    );
    files.set("libs/proto/src/generated/index.ts", indexOf(files));
    for (const [name, text] of await crds(work)) files.set(`deploy/crds/${name}.yaml`, text);
    for (const [name, text] of await roles(work)) files.set(`deploy/rbac/${name}.yaml`, text);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return files;
}

function collect(folder, prefix, files) {
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath ?? entry.path, entry.name);
    files.set(join(prefix, relative(folder, path)), readFileSync(path, "utf8"));
  }
}

/** One namespace export per proto package file, so that equal message names do not clash. */
function indexOf(files) {
  const lines = [...files.keys()]
    .filter(
      (path) =>
        path.startsWith("libs/proto/src/generated/") &&
        path.endsWith(".ts") &&
        !/(descriptors|\/google\/|index)/.test(path),
    )
    .sort()
    .map((path) => {
      const short = path.slice("libs/proto/src/generated/".length, -3);
      const name = short
        .split("/")
        .slice(0, -1)
        .concat(short.split("/").slice(-2)[0] === short.split("/").pop() ? [] : [short.split("/").pop()]);
      const alias = name
        .map((part, i) => (i === 0 ? part : part[0].toUpperCase() + part.slice(1)))
        .join("")
        .replace(/[^A-Za-z0-9]/g, "");
      return `export * as ${alias} from "./${short}.js";`;
    });
  return `${lines.join("\n")}\nexport { descriptorSet } from "./descriptors.js";\n`;
}

const YAML_HEAD = "# Generated from libs/resources by `npm run generate`; do not edit.\n";
const YAML_STYLE = { noRefs: true, lineWidth: 120 };

/** A module of libs/resources as it is now. */
async function resources(work, path) {
  const entry = join(root, "libs/resources/src", path);
  const outfile = join(work, `${path.replaceAll("/", "-")}.mjs`);
  const { build } = await import("esbuild");
  await build({ entryPoints: [entry], bundle: true, platform: "node", format: "esm", outfile, logLevel: "error" });
  return await import(pathToFileURL(outfile).href);
}

/** The CRDs of libs/resources as YAML, by plural name. */
async function crds(work) {
  const { allCrds } = await resources(work, "crds/index.ts");
  const yaml = (await import("js-yaml")).default;
  return allCrds.map((crd) => [crd.metadata.name, `${YAML_HEAD}${yaml.dump(crd, YAML_STYLE)}`]);
}

/** Account and roles of every service as YAML, by the service's name. */
async function roles(work) {
  const { serviceNames, rolesOfService } = await resources(work, "service-roles.ts");
  const yaml = (await import("js-yaml")).default;
  return serviceNames.map((name) => [
    name,
    `${YAML_HEAD}${rolesOfService(name, "argocd")
      .map((object) => yaml.dump(object, YAML_STYLE))
      .join("---\n")}`,
  ]);
}

const files = await generate();
const stale = [];
for (const [path, text] of files) {
  const full = join(root, path);
  if (existsSync(full) && readFileSync(full, "utf8") === text) continue;
  stale.push(path);
  if (!check) {
    mkdirSync(dirname(full), { recursive: true });
    writeFileSync(full, text);
  }
}
if (check && stale.length > 0) {
  console.error(`out of date, run \`npm run generate\`:\n${stale.join("\n")}`);
  process.exitCode = 1;
} else console.log(`${files.size} generated files, ${stale.length} ${check ? "out of date" : "written"}`);
