import { existsSync } from "node:fs";
import { join } from "node:path";
import type { SandboxedProgram, SandboxLimits } from "./sandbox.js";

/** The first file named `program` along `path`, as the host sees it. */
export function findProgram(program: string, path: string): string | undefined {
  if (program.includes("/")) return existsSync(program) ? program : undefined;
  for (const folder of path.split(":")) {
    const file = join(folder, program);
    if (folder && existsSync(file)) return file;
  }
  return undefined;
}

/** Where programs inside are. */
export const INNER_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Folders of the host's programs; links among them stay links. */
export const ROOTS = ["bin", "lib", "lib32", "lib64", "libx32", "sbin"];

/** Parts of /etc that programs expect; nothing of the machine's own secrets. */
export const ETC = [
  "alternatives",
  "ca-certificates",
  "group",
  "hosts",
  "ld.so.cache",
  "ld.so.conf",
  "ld.so.conf.d",
  "localtime",
  "mime.types",
  "nsswitch.conf",
  "passwd",
  "pki",
  "protocols",
  "resolv.conf",
  "services",
  "ssl",
];

/** What the program inside is started with. */
export const innerEnv = (program: SandboxedProgram): Readonly<Record<string, string>> => ({
  HOME: "/work",
  TMPDIR: "/tmp",
  ...program.env,
  PATH: [program.env?.["PATH"], INNER_PATH].filter(Boolean).join(":"),
});

/** The script with limits of each process set before it. A limit that is lower already stays. */
export const bounded = (script: string, bounds: SandboxLimits): string =>
  [
    "set -e",
    `ulimit -t ${bounds.cpuSeconds} 2>/dev/null || :`,
    `ulimit -d ${Math.ceil(bounds.memoryBytes / 1024)} 2>/dev/null || :`,
    // Not known to every shell, and not in force for root.
    `ulimit -u ${bounds.processes} 2>/dev/null || ulimit -p ${bounds.processes} 2>/dev/null || :`,
    "ulimit -c 0 2>/dev/null || :",
    script,
  ].join("\n");

/** A text as one word of the shell. */
export const shellWord = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
