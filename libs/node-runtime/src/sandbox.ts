import { existsSync, lstatSync, readlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Mount } from "./volumes.js";

export type SandboxKind = "bubblewrap" | "process";

export interface Command {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly workingDir?: string;
  readonly mounts: readonly Mount[];
  readonly hostname: string;
  /** A folder of this container on the host: its working folder where no sandbox gives it a root of its own. */
  readonly scratch: string;
  /** Host file of the container's termination message and where the container sees it. */
  readonly terminationLog: { readonly source: string; readonly target: string };
}

export interface Launch {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

/** Parts of /etc that programs expect; nothing of the machine's own secrets. */
const ETC = [
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
  "os-release",
  "passwd",
  "pki",
  "protocols",
  "resolv.conf",
  "services",
  "ssl",
];
const ROOTS = ["bin", "lib", "lib32", "lib64", "libx32", "sbin"];

/** Writes the pid of what runs to fd 3 as bubblewrap does, so that both kinds are signalled alike. */
const PLAIN = 'echo "{\\"child-pid\\": $$}" >&3; exec 3>&-; exec "$@"';

/** The folder of an installation to show for the program at `path`: `/opt/node/bin/node` → `/opt/node`. */
const installOf = (path: string): string => dirname(dirname(path));

/** The command line that runs `command` on this host. */
export function launch(kind: SandboxKind, command: Command, tools: { bwrap: string; node: string }): Launch {
  return kind === "bubblewrap" ? sandboxed(command, tools) : plain(command);
}

function sandboxed(command: Command, { bwrap, node }: { bwrap: string; node: string }): Launch {
  const args = ["--die-with-parent", "--unshare-pid", "--unshare-uts", "--unshare-ipc", "--hostname", command.hostname];
  args.push("--info-fd", "3", "--ro-bind", "/usr", "/usr");
  for (const name of ROOTS) {
    const path = `/${name}`;
    if (!existsSync(path)) continue;
    if (lstatSync(path).isSymbolicLink()) args.push("--symlink", readlinkSync(path), path);
    else args.push("--ro-bind", path, path);
  }
  const install = installOf(node);
  if (!install.startsWith("/usr") && install !== "/") args.push("--ro-bind", install, install);
  args.push(
    "--proc",
    "/proc",
    "--dev",
    "/dev",
    "--tmpfs",
    "/tmp",
    "--dir",
    "/etc",
    "--dir",
    "/root",
    "--dir",
    "/var/tmp",
  );
  for (const name of ETC) args.push("--ro-bind-try", `/etc/${name}`, `/etc/${name}`);
  for (const mount of command.mounts) args.push(mount.readOnly ? "--ro-bind" : "--bind", mount.source, mount.target);
  args.push("--bind", command.terminationLog.source, command.terminationLog.target);
  const cwd = command.workingDir ?? "/";
  if (cwd !== "/") args.push("--dir", cwd);
  args.push("--chdir", cwd, "--", ...command.argv);
  return { argv: [bwrap, ...args], env: command.env, cwd: "/" };
}

/**
 * Without a sandbox there are no mounts: paths below a mount are rewritten to the host folder they stand for, and /tmp
 * to one of the container's own.
 */
function plain(command: Command): Launch {
  const tmp = join(command.scratch, "tmp");
  const sources = new Map<string, string>([["/tmp", tmp]]);
  for (const { source, target } of [...command.mounts, command.terminationLog]) {
    sources.set(target.replace(/(.)\/$/, "$1"), source);
  }
  const targets = [...sources.keys()].sort((a, b) => b.length - a.length);
  const escaped = targets.map((target) => target.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  // One pass: what was rewritten may look like another mount.
  const paths = new RegExp(`(^|[\\s"'=:,(<>])(${escaped.join("|")})(?=$|[/\\s"':,;)])`, "g");
  const here = (text: string): string =>
    text.replace(paths, (_whole, lead: string, target: string) => lead + sources.get(target));
  // A working folder that is no mount belongs to an image: the host's folder of that name is another one.
  const mounted = command.workingDir ? here(command.workingDir) : undefined;
  const cwd = mounted !== undefined && mounted !== command.workingDir ? mounted : command.scratch;
  return {
    argv: ["/bin/sh", "-c", PLAIN, "tiphys-container", ...command.argv.map(here)],
    env: {
      TMPDIR: tmp,
      ...Object.fromEntries(Object.entries(command.env).map(([name, value]) => [name, here(value)])),
    },
    cwd: existsSync(cwd) ? cwd : command.scratch,
  };
}

/** PATH inside a container: the usual folders, then Node's own. */
export const containerPath = (node: string): string =>
  [...new Set(["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin", dirname(node)])].join(
    ":",
  );

/** The first file named `program` along `path`, as the host sees it. */
export function findProgram(program: string, path: string): string | undefined {
  if (program.includes("/")) return existsSync(program) ? program : undefined;
  for (const folder of path.split(":")) {
    const file = join(folder, program);
    if (folder && existsSync(file)) return file;
  }
  return undefined;
}
