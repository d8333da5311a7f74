import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { buildImage, buildLayer, type ImageConfig, type LayerEntry, type Package } from "@tiphys/oci";
import { findProgram } from "@tiphys/sandbox";

const PLATFORM = { os: "linux", architecture: process.arch === "x64" ? "amd64" : process.arch };

/** A small root file system of programs that this machine has, with the libraries they need. */
export function hostPrograms(...programs: string[]): LayerEntry[] {
  const files = new Map<string, LayerEntry>();
  const add = (path: string, source: string) =>
    files.set(path, { path, type: "file", mode: 0o755, content: readFileSync(source) });
  for (const program of programs) {
    const source = findProgram(program, "/bin:/usr/bin");
    if (!source) throw new Error(`${program} is not on this machine`);
    add(`bin/${program}`, source);
    const listed = execFileSync("ldd", [source], { encoding: "utf8" });
    for (const [, library] of listed.matchAll(/(\/\S+\.so\S*)/g)) add(library!.slice(1), library!);
  }
  return [...files.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

const BASE: readonly LayerEntry[] = [
  { path: "etc/passwd", type: "file", content: "root:x:0:0:root:/root:/bin/sh\nweb:x:101:102:web:/srv:/bin/sh\n" },
  { path: "etc/group", type: "file", content: "root:x:0:\nweb:x:102:\nlog:x:200:web\n" },
  { path: "etc/resolv.conf", type: "symlink", link: "../run/resolv.conf" },
  { path: "run", type: "directory" },
  { path: "tmp", type: "directory", mode: 0o1777 },
  { path: "var/run", type: "symlink", link: "/run" },
  { path: "srv", type: "directory", uid: 101, gid: 102 },
  { path: "srv/greeting", type: "file", content: "hello from the image\n", uid: 101, gid: 102, mode: 0o640 },
];

/** An image whose programs are this machine's. */
export async function hostImage(
  config: ImageConfig["config"],
  programs: readonly string[],
  more: readonly LayerEntry[] = [],
): Promise<Package> {
  const layers = [await buildLayer(hostPrograms(...programs)), await buildLayer([...BASE, ...more])];
  return buildImage({ platform: PLATFORM, layers, config: config ?? {} });
}
